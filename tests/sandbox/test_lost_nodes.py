"""Nodes that become Unknown during a repair in the sandbox: the other nodes are repaired and verified."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.cluster.faults import Fault
from sandbox.cluster.resources import NODES, PODS
from sandbox.simulation.aws_account import NAMESPACE, resolve_role
from sandbox.simulation.cluster_backend import EmbeddedBackend
from sandbox.simulation.environment import SandboxEnvironment
from sandbox.simulation.scenario import BOUND, load
from sandbox.simulation.scenario_run import ScenarioRun
from tests.sandbox.expectations import TIMEOUT_S

if TYPE_CHECKING:
    from sandbox.cluster.http_messages import Request
    from sandbox.simulation.scenario import Scenario
    from sandbox.simulation.scenario_result import ScenarioResult

pytestmark = pytest.mark.sandbox


def loses_one_more(scenario: Scenario, verb: str, path: str) -> tuple[ScenarioResult, list[Any]]:
    """Run the scenario and lose a node before the first such request. Return the result and the roles of the reachable pods."""
    lost: list[str] = []

    def lose(request: Request) -> None:
        lost.append(_node_of_last_pod(env, but=request.path.rpartition("/")[2]))
        env.backend.stop_kubelet(lost[0])

    with SandboxEnvironment(scenario.world, skip_time=scenario.skip_waits, preloaded=True) as env:
        assert isinstance(env.backend, EmbeddedBackend)
        env.backend.cluster.faults.add(Fault(verb=verb, path=path, meanwhile=lose))
        outcome = ScenarioRun(scenario, env, timeout_s=TIMEOUT_S).run()
        unknown = {item["metadata"]["name"] for item in env.backend.all_of(NODES) if _is_unknown(item)}
        assert lost
        assert set(lost) <= unknown
        return outcome, [_role(item) for item in env.backend.all_of(PODS, NAMESPACE) if item["spec"]["nodeName"] not in unknown]


def _is_unknown(node: Any) -> bool:
    return any(condition["type"] == "Ready" and condition["status"] == "Unknown" for condition in node["status"]["conditions"])


def _node_of_last_pod(env: SandboxEnvironment, but: str) -> str:
    """Of a pod that has not been replaced yet, which is the hardest case: it never will be. Neither of one on a lost node nor of `but`."""
    gone = {item["metadata"]["name"] for item in env.backend.all_of(NODES) if _is_unknown(item)}
    stale = [item for item in env.backend.all_of(PODS, NAMESPACE) if _role(item) is None and item["spec"]["nodeName"] not in gone]
    pods = [item for item in stale if item["metadata"]["name"] != but]
    return str(max(pods, key=lambda pod: pod["metadata"]["name"])["spec"]["nodeName"])


def _role(pod: Any) -> str | None:
    variables = (variable for container in pod["spec"]["containers"] for variable in container.get("env") or ())
    return next((item["value"] for item in variables if item["name"] == "AWS_ROLE_ARN"), None)


@pytest.mark.parametrize(
    ("name", "nodes", "verb", "path", "lost"),
    [("annotation-missing", 12, "PATCH", "/daemonsets/", 1), ("lost-node-stops-roll-out", 7, "DELETE", "/pods/", 2)],
    ids=["in a roll-out", "between waves"],
)
def test_a_node_lost_during_a_repair_is_excluded(name: str, nodes: int, verb: str, path: str, lost: int) -> None:
    scenario = load(name)
    world = replace(scenario.world, nodes=nodes, settings={"node_grace_s": "0"}, node_role_has_permissions=True)
    outcome, roles = loses_one_more(replace(scenario, world=world, expect=replace(scenario.expect, outcome="needs-action")), verb, path)
    said = json.dumps(outcome.messages, ensure_ascii=False)
    assert "repaired and verified" in said
    assert f"{lost} node{'s are' if lost > 1 else ' is'} lost, left out" in said
    assert set(roles) == {resolve_role(BOUND)}
