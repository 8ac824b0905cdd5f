"""A migration by the command line against the sandbox, there and back: real requests to EKS, IAM, Parameter Store and the API server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from lambdas.contract.names import ROLE_ANNOTATION
from sandbox.cluster import aws_node
from sandbox.cluster.resources import PODS, SERVICE_ACCOUNTS
from sandbox.simulation.aws_account import CLUSTER, NAMESPACE, ROLE, role_arn
from sandbox.simulation.environment import SandboxEnvironment
from sandbox.simulation.scenario import World
from tests.sandbox.test_cli import ADMINS, LONGEST_S, ONCALL, Terminal, let_in
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

pytestmark = pytest.mark.sandbox

NODES = 3
WORLD = World(nodes=NODES, addon_version="v1.20.3-eksbuild.1", binding_mechanism="pod-identity", settings={"mode": "observe"})


@pytest.fixture(scope="module")
def env() -> Iterator[SandboxEnvironment]:
    with SandboxEnvironment(WORLD) as standing:
        let_in(standing, ONCALL, ADMINS)
        eventually(lambda: pods(standing), lambda seen: len(seen) == NODES, LONGEST_S)
        yield standing


def pods(env: SandboxEnvironment) -> list[dict[str, str]]:
    """The variables of each ready pod of aws-node."""
    found = env.backend.all_of(PODS, NAMESPACE)
    return [_variables(item) for item in found if item["spec"].get("serviceAccountName") == aws_node.NAME and _is_ready(item)]


def _variables(pod: Mapping[str, Any]) -> dict[str, str]:
    return {item["name"]: item.get("value", "") for container in pod["spec"]["containers"] for item in container.get("env", ())}


def _is_ready(pod: Mapping[str, Any]) -> bool:
    conditions = pod.get("status", {}).get("conditions", ())
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)


def annotation(env: SandboxEnvironment) -> str | None:
    account = env.backend.find(SERVICE_ACCOUNTS, aws_node.NAME, NAMESPACE) or {"metadata": {}}
    found: str | None = account["metadata"].get("annotations", {}).get(ROLE_ANNOTATION)
    return found


def record_role(env: SandboxEnvironment) -> str | None:
    found: str | None = env.aws.eks.state.cluster(CLUSTER).addons["vpc-cni"].get("serviceAccountRoleArn")
    return found


def test_a_cluster_moves_to_pod_identity_and_back(env: SandboxEnvironment) -> None:
    """The role of the sandbox trusts EKS Pod Identity alone, so the way back changes the trust policy."""
    terminal, bound = Terminal(env, ONCALL), role_arn(ROLE)
    done = terminal.document("migrate", "--to", "pod-identity", "--yes")["migrations"][0]
    assert (done["podsMoved"], done["pods"], [step["done"] for step in done["steps"]]) == (NODES, NODES, [True] * 5)
    assert all("AWS_CONTAINER_CREDENTIALS_FULL_URI" in item and "AWS_ROLE_ARN" not in item for item in pods(env))
    assert (annotation(env), record_role(env)) == (None, None)
    assert [item["roleArn"] for item in env.aws.eks.state.cluster(CLUSTER).associations.values()] == [bound]

    back = terminal.document("migrate", "--to", "pod-identity", "--undo", "--yes", "--apply-trust")["migrations"][0]
    assert (back["to"], back["podsMoved"]) == ("irsa", NODES)
    assert [item.get("AWS_ROLE_ARN") for item in pods(env)] == [bound] * NODES
    assert (annotation(env), record_role(env)) == (bound, bound)
    assert env.aws.eks.state.cluster(CLUSTER).associations == {}
