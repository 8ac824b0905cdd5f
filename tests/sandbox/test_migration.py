"""A migration by the command line against the sandbox, there and back, and of a fleet: real requests to EKS, IAM, Parameter Store and
the API server."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from cli.main import app
from lambdas.contract.names import POD_IDENTITY_AGENT_ADDON, ROLE_ANNOTATION
from lambdas.contract.parameters import binding_path
from sandbox.aws.cloudtrail import role_session
from sandbox.aws.eks_clusters import ClusterSpec
from sandbox.aws.local_aws import REGION
from sandbox.cluster import aws_node
from sandbox.cluster.resources import PODS, SERVICE_ACCOUNTS
from sandbox.controllers.kubelet import any_role
from sandbox.simulation import seed_data
from sandbox.simulation.aws_account import CLUSTER, NAMESPACE, ROLE, role_arn
from sandbox.simulation.cluster_backend import EmbeddedBackend, pods_of
from sandbox.simulation.environment import SandboxEnvironment
from sandbox.simulation.scenario import TrustPolicyKind, World
from tests.cli_runner import CliRunner
from tests.sandbox.test_cli import ADMINS, LONGEST_S, ONCALL, Terminal, grant_all, let_in
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sandbox.simulation.cluster_backend import ClusterBackend

pytestmark = pytest.mark.sandbox

NODES = 3
WORLD = World(
    nodes=NODES,
    addon_version="v1.20.3-eksbuild.1",
    binding_mechanism="pod-identity",
    trust=TrustPolicyKind.POD_IDENTITY_ONLY,
    settings={"mode": "observe"},
)


@pytest.fixture(scope="module")
def env() -> Iterator[SandboxEnvironment]:
    with SandboxEnvironment(WORLD) as standing:
        let_in(standing, ONCALL, ADMINS)
        eventually(lambda: pods(standing.backend), lambda seen: len(seen) == NODES, LONGEST_S)
        yield standing


def pods(backend: ClusterBackend) -> list[dict[str, str]]:
    """The variables of each ready pod of aws-node."""
    found = backend.all_of(PODS, NAMESPACE)
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


def uses_association(backend: ClusterBackend) -> bool:
    """Whether every pod has the credentials of the association, and no role of IRSA."""
    return all("AWS_CONTAINER_CREDENTIALS_FULL_URI" in item and "AWS_ROLE_ARN" not in item for item in pods(backend))


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """For commands in this process."""
    monkeypatch.setattr("cli.interactive.migration.SETTLE_S", 0.5)
    monkeypatch.setattr("cli.interactive.migration.POLL_S", 0.3)


def migrate(env: SandboxEnvironment, *options: str, code: int = 0) -> list[dict[str, Any]]:
    """Run the command in this process, where its pauses are short, and return its migrations."""
    environment = {**env.function_variables(), **env.aws.environment(ONCALL), "AWS_EC2_METADATA_DISABLED": "true"}
    arguments = ["migrate", "--to", "pod-identity", "--yes", "-o", "json", *options]
    done = CliRunner().invoke(app, arguments, env=environment)
    assert done.exit_code == code, done.output
    migrations: list[dict[str, Any]] = json.loads(done.stdout)["migrations"]
    return migrations


@pytest.mark.usefixtures("short_pauses")
def test_a_cluster_moves_to_pod_identity_and_back(env: SandboxEnvironment) -> None:
    """There in a process of its own, back in this one. The role trusts EKS Pod Identity alone, so the way back changes its trust policy."""
    terminal, bound = Terminal(env, ONCALL), role_arn(ROLE)
    done = terminal.document("migrate", "--to", "pod-identity", "--yes")["migrations"][0]
    assert (done["podsMoved"], done["pods"], [step["done"] for step in done["steps"]]) == (NODES, NODES, [True] * 5)
    assert uses_association(env.backend)
    assert (annotation(env), record_role(env)) == (None, None)
    assert [item["roleArn"] for item in env.aws.eks.state.cluster(CLUSTER).associations.values()] == [bound]

    (back,) = migrate(env, "--undo", "--apply-trust")
    assert (back["to"], back["podsMoved"]) == ("irsa", NODES)
    assert [item.get("AWS_ROLE_ARN") for item in pods(env.backend)] == [bound] * NODES
    assert (annotation(env), record_role(env)) == (bound, bound)
    assert env.aws.eks.state.cluster(CLUSTER).associations == {}


# --- a fleet -----------------------------------------------------------------------------------------------------------------------------

FAILING, LAST = "prod-a", "prod-b"
"""Their names come after the first cluster's, so that they move in this order."""


def add_cluster(env: SandboxEnvironment, stack: ExitStack, name: str, role: str) -> EmbeddedBackend:
    """Another cluster of the account, on IRSA, whose pods work with any role."""

    def association(namespace: str, account: str) -> Mapping[str, Any] | None:
        found = env.aws.eks.state.cluster(name).associations.values()
        return next((item for item in found if (item["namespace"], item["serviceAccount"]) == (namespace, account)), None)

    backend = stack.enter_context(
        EmbeddedBackend(
            name,
            version=WORLD.kubernetes,
            sts_url=env.aws.endpoint,
            access_entries=lambda: list(env.aws.eks.state.cluster(name).access_entries.values()),
            role_can_run_cni=any_role,
            association_of=association,
            associated_role=lambda *key: str(found["roleArn"]) if (found := association(*key)) else None,
        )
    )
    spec = ClusterSpec(name=name, version=WORLD.kubernetes, endpoint=backend.url, ca_data=backend.ca_data, issuer=env.issuer)
    env.aws.eks.add_cluster(spec)
    env.aws.eks.add_addon(name, "vpc-cni", addonVersion=WORLD.addon_version, serviceAccountRoleArn=role)
    env.aws.eks.add_addon(name, POD_IDENTITY_AGENT_ADDON)
    env.aws.client("ssm").put_parameter(Name=binding_path(name, NAMESPACE, aws_node.NAME), Value=role, Type="String")
    grant_all(env, name, backend, ONCALL, ADMINS)
    backend.apply(aws_node.service_account(role_arn=role), "eks")
    backend.apply(aws_node.daemon_set(), "eks")
    backend.set_agents()
    backend.join_nodes(NODES)
    return backend


@pytest.fixture
def fleet(env: SandboxEnvironment) -> Iterator[dict[str, ClusterBackend]]:
    """Three clusters on IRSA. The one in the middle has a role of its own, and its webhook is down."""
    iam, bound, own = env.aws.client("iam"), role_arn(ROLE), role_arn("prod-a-cni")
    policy = iam.get_role(RoleName=ROLE)["Role"]["AssumeRolePolicyDocument"]
    iam.create_role(RoleName="prod-a-cni", AssumeRolePolicyDocument=json.dumps(policy))
    with ExitStack() as stack:
        added = {name: add_cluster(env, stack, name, role) for name, role in ((FAILING, own), (LAST, bound))}
        backends: dict[str, ClusterBackend] = {CLUSTER: env.backend, **added}
        env.aws.eks.hook(on_addon_applied=lambda cluster, *call: seed_data.apply_addon(backends[cluster], WORLD, *call))
        for backend in backends.values():
            eventually(lambda backend=backend: pods(backend), lambda seen: len(seen) == NODES, LONGEST_S)
        added[FAILING].webhook_faults.outage = True
        yield backends


@pytest.mark.usefixtures("short_pauses")
def test_a_fleet_moves_although_one_cluster_fails_and_the_same_command_moves_the_rest(
    env: SandboxEnvironment, fleet: dict[str, ClusterBackend]
) -> None:
    first = {item["cluster"]: item for item in migrate(env, "--all", code=1)}
    assert {name: item["state"] for name, item in first.items()} == {CLUSTER: "done", FAILING: "stopped", LAST: "done"}
    assert "3 pods started without pod-identity" in first[FAILING]["reason"]
    assert [uses_association(backend) for backend in fleet.values()] == [True, False, True]

    fleet[FAILING].webhook_faults.outage = False
    again = migrate(env, "--all")
    assert [(item["state"], item["credentials"]["seen"]) for item in again] == [("done", 0)] * len(fleet)
    assert all(uses_association(backend) for backend in fleet.values())
    record_sessions(env, LAST, fleet[LAST])
    shown = {item["cluster"]: item["credentials"]["seen"] for item in migrate(env, "--all")}
    assert shown == {CLUSTER: 0, FAILING: 0, LAST: NODES}


def record_sessions(env: SandboxEnvironment, cluster: str, backend: ClusterBackend) -> None:
    """Write CloudTrail's records of the calls by which EKS got credentials for the pods."""
    arn = env.aws.eks.state.cluster(cluster).record["arn"]
    for pod in (item["metadata"] for item in pods_of(backend, aws_node.NAME)):
        subject = f"{NAMESPACE}/{aws_node.NAME}"
        made = role_session(role_arn(ROLE), cluster_arn=arn, subject=subject, pod=pod["name"], uid=pod["uid"], region=REGION)
        env.aws.event_history.append(made)
