"""Each writer against each kind of prevention, on a real API server: is the role kept, and who is named."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import kubernetes
import pytest

from lambdas.adapters.cluster import Cluster
from lambdas.contract import admission, guard
from lambdas.contract.parameters import binding_path
from lambdas.contract.policy_kinds import PolicyKind
from lambdas.domain.audit import findings
from lambdas.domain.audit.identity import watched
from sandbox.control_plane.api_client import APPLY_PATCH, ApiClient
from sandbox.control_plane.authenticator import AccessEntry
from sandbox.control_plane.control_plane import ControlPlane
from tests.e2e import aws_node
from tests.e2e.admin_access import TokenLogin
from tests.e2e.identities import STRANGER, token
from tests.e2e.prevention_matrix import MATRIX, MONTHS, YEAR, Mode, Result, Writer
from tests.e2e.product import ACCESS_ENTRIES, facts
from tests.waiting import eventually

RBAC = "/apis/rbac.authorization.k8s.io/v1"
WRITERS = "writers"
OTHER = "arn:aws:iam::111122223333:role/other"
JSON_PATCH = "application/json-patch+json"
AWS_NODE = ("kube-system", "aws-node")
KINDS = {Mode.WITHOUT: (), Mode.CLAIM: (), Mode.WARN: (PolicyKind.WARNING,), Mode.GUARD: (PolicyKind.GUARD, PolicyKind.WARNING)}


@pytest.fixture(scope="module")
def writer_token(control_plane: ControlPlane) -> Iterator[str]:
    """The token of a person who may write everything, and whose requests are in the audit log."""
    admin = control_plane.client()
    control_plane.allow((*ACCESS_ENTRIES, AccessEntry(STRANGER.role_arn, (WRITERS,))))
    group = "rbac.authorization.k8s.io"
    role = {"apiGroup": group, "kind": "ClusterRole", "name": "cluster-admin"}
    subjects = [{"apiGroup": group, "kind": "Group", "name": WRITERS}]
    admin.create(f"{RBAC}/clusterrolebindings", {"metadata": {"name": WRITERS}, "roleRef": role, "subjects": subjects})
    made = token(STRANGER, cluster=control_plane.cluster_name)
    eventually(lambda: control_plane.client(made).ask("GET", aws_node.SERVICE_ACCOUNTS).status, lambda status: status == 200)
    yield made
    admin.delete(f"{RBAC}/clusterrolebindings/{WRITERS}")
    control_plane.allow(ACCESS_ENTRIES)


@pytest.fixture(scope="module", params=Mode, ids=str)
def mode(request: pytest.FixtureRequest, control_plane: ControlPlane) -> Iterator[Mode]:
    """A kind of prevention, in force."""
    admin, wanted = control_plane.client(), Mode(request.param)
    installed = [
        manifest for kind in KINDS[wanted] for manifest in guard.manifests(kind, *AWS_NODE, aws_node.ROLE, binding_path("demo", *AWS_NODE))
    ]
    for manifest in installed:
        admin.apply(admission.path_of(manifest), manifest, manager="administrator")
    if installed:
        admin.ask("DELETE", aws_node.SERVICE_ACCOUNT)
        eventually(lambda: _effects(admin) == (True, wanted is Mode.GUARD))
    yield wanted
    for manifest in reversed(installed):
        admin.delete(admission.path_of(manifest))
    eventually(lambda: _effects(admin) == (False, False))


def _effects(admin: ApiClient) -> tuple[bool, bool]:
    """Whether a created ServiceAccount without a role causes a warning, and whether it is completed. It is a dry run."""
    answer = admin.ask("POST", aws_node.SERVICE_ACCOUNTS, aws_node.service_account(), query={"dryRun": "All"})
    return "warning" in answer.headers, aws_node.ROLE_KEY in answer.body["metadata"].get("annotations", {})


@pytest.fixture(scope="module")
def kubectl(control_plane: ControlPlane, writer_token: str, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., None]:
    """Runs kubectl in kube-system as the writer. An object is passed on standard input."""
    config = control_plane.kubeconfig(tmp_path_factory.mktemp("writer") / "config", writer_token)
    command = [control_plane.binaries.path("kubectl"), f"--kubeconfig={config}", "-n", "kube-system"]

    def run(*arguments: str, stdin: dict[str, Any] | None = None) -> None:
        subprocess.run([*command, *arguments], check=True, capture_output=True, input=json.dumps(stdin).encode() if stdin else None)

    return run


class Write:
    """The writers, by name."""

    def __init__(self, control_plane: ControlPlane, writer_token: str, kubectl: Callable[..., None], folder: Path) -> None:
        self._control_plane = control_plane
        self._authority = folder / "authority.pem"
        self._authority.write_text(control_plane.ca_pem)
        self._client = control_plane.client(writer_token)
        self._token = writer_token
        self._kubectl = kubectl
        self.port = Cluster(TokenLogin(control_plane).open(facts(control_plane)))
        self.by_name: dict[Writer, Callable[[], object]] = {
            Writer.ANNOTATE: lambda: kubectl("annotate", "serviceaccount/aws-node", f"{aws_node.ROLE_KEY}-"),
            Writer.CLIENT_SIDE_APPLY: lambda: kubectl("apply", "-f", "-", stdin=aws_node.service_account()),
            Writer.SERVER_SIDE_APPLY: lambda: self._apply(aws_node.service_account(), force=False),
            Writer.FORCED_APPLY: lambda: self._apply(aws_node.service_account(), force=True),
            Writer.REPLACE: lambda: kubectl("replace", "-f", "-", stdin=aws_node.service_account()),
            Writer.MERGE_PATCH: self._patch_by_the_python_client,
            Writer.JSON_PATCH: self._json_patch,
            Writer.RECREATE: lambda: self._recreate(aws_node.SERVICE_ACCOUNT),
            Writer.COLLECTION: lambda: self._recreate(f"{aws_node.SERVICE_ACCOUNTS}?fieldSelector=metadata.name%3Daws-node"),
            Writer.OTHER_ROLE: lambda: self._apply(aws_node.service_account(role_arn=OTHER), force=True),
            Writer.ROLL_BACK: lambda: self.port.restore_annotation(*AWS_NODE, None, self._version()),
        }

    def with_role(self, writer: Writer) -> None:
        """The owner applies its manifest with the role, where the writer applies manifests."""
        manifest = aws_node.service_account(role_arn=aws_node.ROLE)
        if writer is Writer.CLIENT_SIDE_APPLY:
            self._kubectl("apply", "-f", "-", stdin=manifest)
        elif writer is Writer.SERVER_SIDE_APPLY:
            self._apply(manifest, force=False)

    def _apply(self, manifest: dict[str, Any], *, force: bool) -> object:
        query = {"fieldManager": "eks", "force": str(force).lower()}
        return self._client.do("PATCH", aws_node.SERVICE_ACCOUNT, manifest, query=query, headers={"Content-Type": APPLY_PATCH})

    def _patch_by_the_python_client(self) -> object:
        configuration = kubernetes.client.Configuration(host=self._control_plane.url)
        configuration.api_key = {"authorization": f"Bearer {self._token}"}
        configuration.ssl_ca_cert = str(self._authority)
        api = kubernetes.client.CoreV1Api(kubernetes.client.ApiClient(configuration))
        patch = {"metadata": {"annotations": {aws_node.ROLE_KEY: None}}}
        return api.patch_namespaced_service_account("aws-node", "kube-system", patch)

    def _json_patch(self) -> object:
        path = f"/metadata/annotations/{aws_node.ROLE_KEY.replace('/', '~1')}"
        patch = [{"op": "remove", "path": path}]
        return self._client.do("PATCH", aws_node.SERVICE_ACCOUNT, patch, headers={"Content-Type": JSON_PATCH})

    def _recreate(self, path: str) -> object:
        self._client.do("DELETE", path)
        return self._client.create(aws_node.SERVICE_ACCOUNTS, aws_node.service_account())

    def _version(self) -> str:
        return str(self._client.get(aws_node.SERVICE_ACCOUNT)["metadata"]["resourceVersion"])


@pytest.fixture(scope="module")
def write(control_plane: ControlPlane, writer_token: str, kubectl: Callable[..., None], tmp_path_factory: pytest.TempPathFactory) -> Write:
    return Write(control_plane, writer_token, kubectl, tmp_path_factory.mktemp("authority"))


@pytest.fixture
def annotated(admin: ApiClient, mode: Mode, write: Write, kubectl: Callable[..., None], request: pytest.FixtureRequest) -> Iterator[None]:
    """The ServiceAccount with its role, as its owner made it; claimed by the remediator where that is the prevention."""
    admin.ask("DELETE", aws_node.SERVICE_ACCOUNT)
    manifest = aws_node.service_account(role_arn=aws_node.ROLE)
    if request.node.callspec.params["writer"] is Writer.CLIENT_SIDE_APPLY:
        kubectl("apply", "-f", "-", stdin=manifest)
    else:
        admin.apply(aws_node.SERVICE_ACCOUNT, manifest, manager="eks")
    if mode is Mode.CLAIM:
        write.port.apply_annotation(*AWS_NODE, aws_node.ROLE, admin.get(aws_node.SERVICE_ACCOUNT)["metadata"]["resourceVersion"])
    yield
    admin.ask("DELETE", aws_node.SERVICE_ACCOUNT)


def _records(log: Path, start: int) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_bytes()[start:].splitlines()]


@pytest.mark.usefixtures("annotated")
@pytest.mark.parametrize("writer", Writer, ids=lambda writer: writer.name.lower())
def test_the_role_after_a_write(control_plane: ControlPlane, admin: ApiClient, mode: Mode, write: Write, writer: Writer) -> None:
    start = control_plane.audit_log.stat().st_size
    write.by_name[writer]()
    value = admin.get(aws_node.SERVICE_ACCOUNT)["metadata"].get("annotations", {}).get(aws_node.ROLE_KEY)
    result = {aws_node.ROLE: Result.KEPT, None: Result.LOST}.get(value, Result.OTHER)
    assert result is MATRIX[writer].expected(mode)
    if mode in (Mode.WARN, Mode.GUARD) and MATRIX[writer].named:
        found = findings(_records(control_plane.audit_log, start), watching=watched([]), our_roles=()).identities
        (changed,) = [item for item in found if item.watched.service_account == "aws-node"]
        assert changed.actor.who == STRANGER.arn
        # A collection delete and a removal are named before the creation that the guard completes.
        was_removed = result is not Result.KEPT or writer in (Writer.RECREATE, Writer.COLLECTION)
        assert ("removed or changed its role" if was_removed else "left out its role; the guard kept it") in changed.actor.what


def test_a_label_after_a_roll_back_does_not_bring_the_role_back(admin: ApiClient, mode: Mode, write: Write) -> None:
    """The guard completes only the request that removes the role, so that a roll-back to no role lasts."""
    admin.ask("DELETE", aws_node.SERVICE_ACCOUNT)
    admin.apply(aws_node.SERVICE_ACCOUNT, aws_node.service_account(role_arn=aws_node.ROLE), manager="eks")
    write.by_name[Writer.ROLL_BACK]()
    after = admin.merge(aws_node.SERVICE_ACCOUNT, {"metadata": {"labels": {"team": "network"}}}, fieldManager="kubectl-label")
    admin.delete(aws_node.SERVICE_ACCOUNT)
    assert aws_node.ROLE_KEY not in after["metadata"].get("annotations", {}), mode


@pytest.mark.usefixtures("annotated")
@pytest.mark.parametrize("writer", YEAR, ids=lambda writer: writer.name.lower())
def test_the_incidents_of_a_year_of_upgrades(admin: ApiClient, mode: Mode, write: Write, writer: Writer) -> None:
    """Each month someone puts the role into the owner's manifest, and the upgrade applies one without it. A lost role is repaired."""
    incidents = 0
    for _ in range(MONTHS):
        write.with_role(writer)
        write.by_name[writer]()
        after = admin.get(aws_node.SERVICE_ACCOUNT)["metadata"]
        if aws_node.ROLE_KEY not in after.get("annotations", {}):
            incidents += 1
            write.port.apply_annotation(*AWS_NODE, aws_node.ROLE, after["resourceVersion"])
    assert incidents == YEAR[writer][mode]


@pytest.mark.parametrize("writer", [Writer.CLIENT_SIDE_APPLY, Writer.SERVER_SIDE_APPLY], ids=lambda writer: writer.name.lower())
@pytest.mark.usefixtures("annotated")
def test_a_kept_role_is_no_perpetual_difference_of_an_apply(
    admin: ApiClient, write: Write, kubectl: Callable[..., None], writer: Writer
) -> None:
    """After the first apply without the role, the next one changes nothing: Argo CD and Flux report no drift of their own fields."""
    write.by_name[writer]()
    settled = admin.get(aws_node.SERVICE_ACCOUNT)
    is_server_side = writer is Writer.SERVER_SIDE_APPLY
    flags = ("--server-side", "--field-manager=eks") if is_server_side else ()
    kubectl("diff", *flags, "-f", "-", stdin=aws_node.service_account())  # its exit code is 1 where there is a difference
    if is_server_side:
        query, headers = {"fieldManager": "eks", "dryRun": "All"}, {"Content-Type": APPLY_PATCH}
        again = admin.do("PATCH", aws_node.SERVICE_ACCOUNT, aws_node.service_account(), query=query, headers=headers)
        assert again["metadata"].get("annotations") == settled["metadata"].get("annotations")
