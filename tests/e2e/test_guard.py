"""`guard` and its policies on a real API server: applied whole or not at all, proved, and the original incident with the guard on."""

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cli.clients.cluster_access import UserClusterAccess
from lambdas.adapters.cluster import Cluster
from lambdas.contract import admission, guard
from lambdas.contract.parameters import binding_path
from lambdas.contract.policy_kinds import PolicyKind
from lambdas.domain.errors import TransientError
from lambdas.domain.snapshot.bindings import Parameter
from lambdas.domain.snapshot.guard import GuardState, compare
from lambdas.domain.snapshot.snapshot import Binding
from sandbox.control_plane.api_client import ApiClient, Stream
from sandbox.control_plane.control_plane import ControlPlane
from sandbox.webhook.identity_webhook import IdentityWebhook
from tests.e2e import aws_node
from tests.e2e.admin_access import TokenLogin, clients_of
from tests.e2e.conftest import NOBODY_TOKEN
from tests.e2e.product import facts
from tests.unit.cli.sessions import NEWEST, Session
from tests.unit.cli.terminal import fakes_of, run
from tests.waiting import eventually

AWS_NODE = ("kube-system", "aws-node")
KINDS = tuple(
    f"{prefix}AdmissionPolicy{suffix}" for prefix in ("Mutating", "Validating") for suffix in ("Binding", "")
)  # bindings before their policies
NODES = aws_node.names(3)
LATER = ("node-later-1", "node-later-2")
SESSION = Session((), NEWEST)


@pytest.fixture(scope="module")
def node_names() -> tuple[str, ...]:
    return NODES


class FailingAccess(UserClusterAccess):
    """Loses the connection after the n-th object was written."""

    fails_at = 0

    def apply(self, cluster: str, manifest: Mapping[str, Any]) -> None:
        super().apply(cluster, manifest)
        self.fails_at -= 1
        if self.fails_at == 0:
            raise TransientError("the connection was lost after the object was written")


class Terminal:
    """The command line with fakes for AWS and the real API server as the cluster `demo`."""

    def __init__(self, access: UserClusterAccess, folder: Path) -> None:
        self.fakes = fakes_of(SESSION)
        self.fakes.dependencies = replace(self.fakes.dependencies, cluster_access=access, sleep=time.sleep)
        self._folder = folder

    def __call__(self, command: str, code: int = 0) -> str:
        result = run(command, self.fakes, SESSION, self._folder)
        text = result.stdout + result.stderr
        assert result.exit_code == code, text
        return " ".join(text.split())

    def bind(self, role_arn: str | None) -> None:
        path = binding_path("demo", *AWS_NODE)
        self.fakes.world.parameters.pop(path, None)
        if role_arn:
            self.fakes.world.parameters[path] = Parameter(value=role_arn)


@pytest.fixture
def access(control_plane: ControlPlane) -> FailingAccess:
    return FailingAccess(*clients_of(control_plane))


@pytest.fixture
def terminal(access: FailingAccess, admin: ApiClient, tmp_path: Path) -> Iterator[Terminal]:
    """The ServiceAccount exists with its role. No policy is left behind, and none is in force, after the test."""
    admin.apply(aws_node.SERVICE_ACCOUNT, aws_node.service_account(role_arn=aws_node.ROLE), manager="eks")
    yield Terminal(access, tmp_path)
    _remove_policies(admin)
    admin.ask("DELETE", aws_node.SERVICE_ACCOUNT)


def _remove_policies(admin: ApiClient) -> None:
    for kind in KINDS:
        for item in admin.get(admission.collection_of(kind))["items"]:
            admin.delete(f"{admission.collection_of(kind)}/{item['metadata']['name']}")
    probe = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "aws-node"}}
    admin.ask("DELETE", aws_node.SERVICE_ACCOUNT)
    eventually(lambda: _is_free(admin.ask("POST", aws_node.SERVICE_ACCOUNTS, probe, query={"dryRun": "All"})))


def _is_free(answer: Any) -> bool:
    return "warning" not in answer.headers and aws_node.ROLE_KEY not in answer.body["metadata"].get("annotations", {})


def names(admin: ApiClient) -> list[str]:
    return [f"{kind} {item['metadata']['name']}" for kind in KINDS for item in admin.get(admission.collection_of(kind))["items"]]


def test_the_policies_are_installed_proved_and_removed(terminal: Terminal, admin: ApiClient) -> None:
    assert "guard absent" in terminal("guard status")
    applied = terminal("guard apply")
    assert "✓ kube-system/aws-node guard installed demo-vpc-cni; a removal that was not stored left the role" in applied
    assert "✓ kube-system/aws-node warning installed demo-vpc-cni" in applied
    assert len(names(admin)) == 4
    terminal("guard apply")  # again: nothing changes
    statuses = [item.get("status", {}) for item in admin.get(admission.collection_of("ValidatingAdmissionPolicy"))["items"]]
    assert [status.get("typeChecking") for status in statuses] == [{}]
    terminal("guard remove")
    assert names(admin) == []


def test_the_functions_see_an_installed_guard_as_following_its_binding_and_a_stale_one_as_stale(
    terminal: Terminal, control_plane: ControlPlane
) -> None:
    port = Cluster(TokenLogin(control_plane).open(facts(control_plane)))
    assert port.guards(*AWS_NODE) == ()
    terminal("guard apply")
    binding = Binding(path=binding_path("demo", *AWS_NODE), role_arn=aws_node.ROLE)
    found = {policy.kind: compare(policy.kind, AWS_NODE, binding, policy).state for policy in port.guards(*AWS_NODE)}
    assert found == dict.fromkeys(PolicyKind, GuardState.INSTALLED)
    other = replace(binding, role_arn=f"{aws_node.ROLE}-other")
    assert {compare(policy.kind, AWS_NODE, other, policy).state for policy in port.guards(*AWS_NODE)} == {GuardState.STALE}


def test_a_command_that_changes_the_binding_updates_the_guard_in_the_same_run(terminal: Terminal, admin: ApiClient) -> None:
    other = "arn:aws:iam::111122223333:role/other"
    terminal("guard apply")
    terminal.fakes.world.roles[other] = terminal.fakes.world.roles[aws_node.ROLE]
    assert f"The guard of kube-system/aws-node in demo is up to date: {other}" in terminal(
        f"bindings set demo kube-system/aws-node {other}"
    )
    assert other in str(admin.get(admission.collection_of("MutatingAdmissionPolicy")))
    assert "was removed: it has no binding" in terminal("bindings unset demo kube-system/aws-node")
    assert names(admin) == []


def test_a_guard_follows_its_binding(terminal: Terminal, admin: ApiClient) -> None:
    terminal("guard apply")
    terminal.bind("arn:aws:iam::111122223333:role/other")
    assert "the binding names arn:aws:iam::111122223333:role/other" in terminal("guard status", code=1)
    terminal("guard apply")
    assert "arn:aws:iam::111122223333:role/other" in str(admin.get(admission.collection_of("MutatingAdmissionPolicy")))
    terminal.bind(None)
    assert "removed the guard of kube-system/aws-node" in terminal("guard apply")
    assert names(admin) == []


@pytest.mark.parametrize("fails_at", [1, 2, 3, 4])
def test_an_interrupted_installation_leaves_nothing(terminal: Terminal, access: FailingAccess, admin: ApiClient, fails_at: int) -> None:
    access.fails_at = fails_at
    assert "the connection was lost" in terminal("guard apply", code=2)
    assert names(admin) == []


def test_a_policy_of_another_owner_is_neither_replaced_nor_removed(terminal: Terminal, admin: ApiClient) -> None:
    foreign = guard.manifests(PolicyKind.GUARD, *AWS_NODE, aws_node.ROLE, "path")[0]
    foreign["metadata"] = {"name": foreign["metadata"]["name"]}
    admin.create(admission.collection_of("MutatingAdmissionPolicy"), foreign)
    before = names(admin)
    assert "belongs to another owner" in terminal("guard apply", code=2)
    assert "foreign" in terminal("guard status", code=1)
    terminal("guard remove")
    assert names(admin) == before


def test_without_rights_nothing_is_installed_and_the_next_step_is_said(
    control_plane: ControlPlane, admin: ApiClient, tmp_path: Path
) -> None:
    terminal = Terminal(UserClusterAccess(*clients_of(control_plane, NOBODY_TOKEN)), tmp_path)
    said = terminal("guard apply", code=2)
    assert "does not let you write admission policies, so nothing was installed" in said
    assert "next: use credentials that may get, list, create, patch and delete" in said
    assert names(admin) == []


@contextmanager
def _watched_nodes(admin: ApiClient) -> Iterator[dict[str, list[str]]]:
    """The values of each node's Ready condition, in the order in which they are reported."""
    seen: dict[str, list[str]] = {}
    stream = admin.stream("/api/v1/nodes", watch="true")

    def read(lines: Stream) -> None:
        for line in lines:
            node = json.loads(line)["object"]
            ready = [item["status"] for item in node["status"].get("conditions", ()) if item["type"] == "Ready"]
            seen.setdefault(node["metadata"]["name"], []).extend(ready)

    reader = threading.Thread(target=read, args=(stream,))
    reader.start()
    try:
        yield seen
    finally:
        stream.close()
        reader.join()


def _upgrade(admin: ApiClient) -> None:
    """The original incident: the add-on manager applies its manifest without the role and restarts the pods; then nodes join."""
    headers = {"Content-Type": "application/apply-patch+yaml"}
    query = {"fieldManager": "eks", "force": "true"}
    admin.do("PATCH", aws_node.SERVICE_ACCOUNT, aws_node.service_account(), query=query, headers=headers)
    aws_node.restart(admin, "2026-01-02T03:04:05Z")
    aws_node.add_nodes(admin, LATER)


@pytest.fixture
def started(terminal: Terminal, control_plane: ControlPlane, nodes: tuple[str, ...], webhook: IdentityWebhook) -> Iterator[Terminal]:
    """aws-node with its role on every node, each node Ready. The node role has no permissions."""
    assert webhook
    admin = control_plane.client()
    admin.create(aws_node.DAEMON_SETS, aws_node.daemon_set())
    aws_node.wait_for_roll_out(admin, len(nodes))
    eventually(lambda: aws_node.ready_nodes(admin), lambda ready: ready == set(nodes))
    yield terminal
    admin.delete(aws_node.DAEMON_SET)
    for name in LATER:
        admin.ask("DELETE", f"/api/v1/nodes/{name}")
    aws_node.forget_pods(admin)
    eventually(lambda: aws_node.pods(admin), lambda left: not left, within_s=60)


def test_with_the_guard_the_original_incident_leaves_every_node_ready(started: Terminal, admin: ApiClient) -> None:
    started("guard apply")
    with _watched_nodes(admin) as seen:
        _upgrade(admin)
        aws_node.wait_for_roll_out(admin, len(NODES) + len(LATER))
        eventually(lambda: aws_node.ready_nodes(admin), lambda ready: ready == {*NODES, *LATER})
    assert set(aws_node.roles(admin)) == {aws_node.ROLE}
    assert [name for name in NODES if set(seen.get(name, ())) - {"True"}] == []
    for name in LATER:  # a new node is not Ready until its CNI runs, and then stays Ready
        assert "False" not in seen[name][seen[name].index("True") :]
    assert "last left out by" in started("guard status")


def test_without_the_guard_the_nodes_that_join_stay_not_ready(started: Terminal, admin: ApiClient) -> None:
    assert "guard absent" in started("guard status")
    _upgrade(admin)
    failing = eventually(lambda: _roles_on(admin, LATER), lambda roles: roles == [None, None], within_s=60)
    assert failing
    assert aws_node.ready_nodes(admin).isdisjoint(LATER)


def _roles_on(admin: ApiClient, nodes: tuple[str, ...]) -> list[str | None]:
    return [aws_node.role(pod) for pod in aws_node.pods(admin) if pod["spec"].get("nodeName") in nodes]
