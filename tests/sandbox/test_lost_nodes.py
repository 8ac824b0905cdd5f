"""Nodes that are lost in the middle of a repair, on the small EKS: the rest is repaired and proven all the same."""

import json
from dataclasses import replace
from typing import Any

import pytest

from sandbox.cluster.resources import NODES, PODS
from sandbox.play.accounts import NAMESPACE, resolved
from sandbox.play.play import Moment, Outcome, Play
from sandbox.play.scenario import BOUND, Scenario, load
from sandbox.play.stage import Stage
from tests.sandbox.expectations import PATIENCE_S

pytestmark = [pytest.mark.sandbox, pytest.mark.waits_long]


def loses_one_more(scenario: Scenario, after: str) -> tuple[Outcome, list[Any]]:
    """Play it, and let a node be lost as soon as this action was done; what came of it, and the roles of pods within reach."""
    lost: list[str] = []

    def show(moment: Moment) -> None:
        if moment.text.startswith(after) and not lost:
            lost.append(_node_of_last_pod(stage))
            stage.ground.stop_kubelet(lost[0])

    with Stage(scenario.world, skip_time=scenario.hurry) as stage:
        outcome = Play(scenario, stage, show, lasts_s=PATIENCE_S).run()
        unknown = {it["metadata"]["name"] for it in stage.ground.all_of(NODES) if _is_unknown(it)}
        assert lost
        assert set(lost) <= unknown
        return outcome, [_role(it) for it in stage.ground.all_of(PODS, NAMESPACE) if it["spec"]["nodeName"] not in unknown]


def _is_unknown(node: Any) -> bool:
    return any(it["type"] == "Ready" and it["status"] == "Unknown" for it in node["status"]["conditions"])


def _node_of_last_pod(stage: Stage) -> str:
    """Of a pod that has not been replaced yet, which is the hardest case: it never will be."""
    pods = [it for it in stage.ground.all_of(PODS, NAMESPACE) if _role(it) is None and "deletionTimestamp" not in it["metadata"]]
    return str(max(pods, key=lambda it: it["metadata"]["name"])["spec"]["nodeName"])


def _role(pod: Any) -> str | None:
    variables = (variable for container in pod["spec"]["containers"] for variable in container.get("env") or ())
    return next((it["value"] for it in variables if it["name"] == "AWS_ROLE_ARN"), None)


@pytest.mark.parametrize(
    ("name", "nodes", "after", "lost"),
    [("annotation-missing", 12, "RestartWorkload", 1), ("lost-node-stops-roll-out", 7, "ReplaceOnePod", 2)],
    ids=["in a roll-out", "between waves"],
)
def test_a_node_lost_in_the_middle_is_left_out(name: str, nodes: int, after: str, lost: int) -> None:
    scenario = load(name)
    world = replace(scenario.world, nodes=nodes, settings={"node_grace_s": "0"}, node_role_suffices=True)
    outcome, roles = loses_one_more(replace(scenario, world=world, expect=replace(scenario.expect, outcome="needs-you")), after)
    said = json.dumps(outcome.messages, ensure_ascii=False)
    assert "repaired and proven" in said
    assert f"{lost} node{'s are' if lost > 1 else ' is'} lost, left out" in said
    assert set(roles) == {resolved(BOUND)}
