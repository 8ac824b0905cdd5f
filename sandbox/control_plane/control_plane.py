"""A whole control plane as a context manager, with the switches that fault tests need."""

import secrets
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from sandbox.aws.http_messages import Request, Response, json_response
from sandbox.control_plane import commands, etcd, kubeconfig, kwok_stages, node_copies
from sandbox.control_plane.api_client import ApiClient
from sandbox.control_plane.authenticator import AccessEntry, Authenticator, sts_for
from sandbox.control_plane.binaries import Binaries
from sandbox.control_plane.certificates import Certificates
from sandbox.control_plane.connection_proxy import ConnectionProxy
from sandbox.control_plane.kwok_stages import PluginCredentials
from sandbox.control_plane.processes import ProcessGroup, Program, StartError
from sandbox.control_plane.sts_proxy import Sts
from sandbox.loopback import reserved_port
from sandbox.resource_stack import ResourceStack

ADMINISTRATOR, MASTERS = "control-plane", "system:masters"
KUBELETS = "kwok"
CONTROLLERS = ("kube-controller-manager", "kube-scheduler", KUBELETS)
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
REGION = "eu-west-1"
"""Whose STS the authenticator asks."""
ISSUER = f"https://oidc.eks.{REGION}.amazonaws.com/id/77D0"
"""The `iss` of ServiceAccount tokens; EKS has one URL for each cluster."""


class ControlPlane(ResourceStack):
    """etcd, API server, controllers, scheduler, KWOK and the authenticator on loopback; a context manager.

    Once entered, nodes and workloads may be created, some seconds later. It raises `StartError` where a program did not come up.

    Args:
        binaries: all programs, from `build.ensure` or `binaries.find`.
        cluster_name: what a token must be signed for.
        sts: answers the authenticator's GetCallerIdentity; without it the administrator alone logs in.
        users: `name -> token` of users in no group, who may do nothing but what a test grants them.
        nodes: how many there will be about; many renew their leases more rarely, so that one machine keeps up with them.
    """

    def __init__(
        self,
        binaries: Binaries,
        *,
        cluster_name: str = "demo",
        sts: Sts | None = None,
        users: Mapping[str, str] | None = None,
        nodes: int = 100,
    ) -> None:
        self.binaries = binaries
        self.cluster_name = cluster_name
        self.admin_token = secrets.token_urlsafe(24)
        self.sts: Sts = sts or nobody
        """Who answers the authenticator; may be replaced while it runs."""
        self.plugin = PluginCredentials()
        """What aws-node's pods can work with; the others fail, and new nodes without one that works stay NotReady."""
        self._users = dict(users or {})
        self._nodes = nodes
        self._running: dict[str, Program] = {}

    # Life

    def _set_up(self) -> None:
        self.workplace = ProcessGroup()
        self._stack.callback(self.workplace.close)
        self._prepare()
        self._start_all()

    def _prepare(self) -> None:
        folder = self.workplace.folder
        self._addresses = commands.Addresses(reserved_port(), reserved_port(), reserved_port())
        self._certificates = Certificates(folder / "certificates")
        self.ca_pem = self._certificates.ca_pem
        proxy_to_sts = sts_for(self._certificates, REGION, self._answer_sts)
        self._stack.callback(proxy_to_sts.close)
        self.authenticator = Authenticator(
            self.binaries.path("aws-iam-authenticator"), self.cluster_name, self.workplace, self._certificates, proxy_to_sts
        )
        self._files = commands.Files(
            folder=folder,
            certificates=self._certificates,
            serving=self._certificates.serving("api-server", "127.0.0.1", "localhost"),
            tokens=self._tokens(folder),
            kubeconfig=self.kubeconfig(folder / "kubeconfig"),
            login_webhook=self.authenticator.kubeconfig,
        )

    def _tokens(self, folder: Path) -> Path:
        """The file by which the API server knows the administrator and the users."""
        path = folder / "tokens.csv"
        path.touch(mode=0o600)
        administrator = f'{self.admin_token},{ADMINISTRATOR},{ADMINISTRATOR},"{MASTERS}"'
        path.write_text(
            "".join(f"{line}\n" for line in (administrator, *(f"{token},{name},{name}" for name, token in self._users.items())))
        )
        return path

    def _answer_sts(self, request: Request) -> Response:
        return self.sts(request)

    def _start_all(self) -> None:
        self._run("etcd", commands.etcd(self.binaries, self._addresses, self._files))
        self.authenticator.start()
        self.start_api_server()
        self._run_controllers(CONTROLLERS)
        self._running["kube-controller-manager"].wait_until(self._service_accounts_are_made, within_s=30)

    def _run_controllers(self, names: Sequence[str]) -> None:
        for name in names:
            self._run(name, self._controller(name))

    def _controller(self, name: str) -> list[str]:
        if name == KUBELETS:
            configuration = kwok_stages.write(self._files.folder / "stages", self.plugin)
            return commands.kwok(self.binaries, self._files, configuration, self._nodes)
        if name == "kube-scheduler":
            return commands.scheduler(self.binaries, self._files)
        return commands.controller_manager(self.binaries, self._files, self._nodes)

    def _begin_anew(self, *names: str) -> None:
        """End and start those of these controllers that run, KWOK among them, so that they look at everything afresh.

        They end themselves where they lose their election, which ours need not win; one that went on would ask ever more rarely after
        each break, up to a minute apart. KWOK does not try again what broke off with a connection, as a kubelet would. Its leases go
        first, or it would wait until those of its former self end.
        Sources: https://github.com/kubernetes/kubernetes/blob/v1.36.0/staging/src/k8s.io/client-go/tools/cache/reflector.go (backoff),
        https://github.com/kubernetes-sigs/kwok/blob/v0.8.0/pkg/kwok/controllers/utils.go (shouldRetry)
        """
        running = [name for name in names if name in self._running]
        for name in running:
            self._running[name].kill()
        if running:
            self.client().do("DELETE", LEASES)
        self._run_controllers(running)

    def _run(self, name: str, command: list[str]) -> Program:
        self._running[name] = self.workplace.start(name, command)
        return self._running[name]

    # Use

    @property
    def url(self) -> str:
        return self._addresses.api_url

    @property
    def audit_log(self) -> Path:
        """One JSON `Event` of audit.k8s.io/v1 a line, without bodies; the cluster's own programs are left out."""
        return self._files.audit_log

    def client(self, token: str | None = None) -> ApiClient:
        """A client with this token, or the administrator's."""
        return ApiClient(self.url, self.ca_pem, token or self.admin_token)

    def kubeconfig(self, path: Path, token: str | None = None) -> Path:
        """Write a kubeconfig for this token, or the administrator's, and return its path."""
        return kubeconfig.write(path, url=self.url, ca_pem=self.ca_pem, user=kubeconfig.by_token(token or self.admin_token))

    def certificate_kubeconfig(self, path: Path) -> Path:
        """Write the administrator's kubeconfig with a client certificate in it instead of a token."""
        user = kubeconfig.by_certificate(self._certificates.client(ADMINISTRATOR, MASTERS))
        return kubeconfig.write(path, url=self.url, ca_pem=self.ca_pem, user=user)

    def connection_proxy(self) -> ConnectionProxy:
        """A way to the API server that counts requests and can lose answers; enter it, then use its `url` with `ca_pem`."""
        return ConnectionProxy(self.url, self.ca_pem, self._files.serving)

    def allow(self, entries: Iterable[AccessEntry]) -> None:
        """Replace the access entries; seen by the next login."""
        self.authenticator.allow(entries)

    def set_plugin_credentials(self, credentials: PluginCredentials) -> None:
        """Change whose permissions suffice for aws-node; pods that failed with them come up."""
        self.plugin = credentials
        self._begin_anew(KUBELETS)

    def memory_mib(self) -> dict[str, float]:
        """`program -> resident MiB`."""
        return {name: program.resident_mib() for name, program in self._running.items()}

    def failure(self) -> StartError | None:
        """The first program that has ended though nobody stopped it for good, with the end of its log."""
        for program in self._running.values():
            try:
                program.check()
            except StartError as ended:
                return ended
        return None

    # Faults

    def stop_api_server(self) -> None:
        """Kill it: connections break, the port is closed, the data stays in etcd."""
        self._running["kube-apiserver"].kill()

    def start_api_server(self) -> None:
        """Start it on the same port and data, wait until it is ready, and let what works with it begin anew."""
        command = commands.api_server(self.binaries, self._addresses, self._files, ISSUER)
        self._run("kube-apiserver", command).wait_until(self._ready, within_s=60)
        self._begin_anew(*CONTROLLERS)

    def freeze_etcd(self, seconds: float) -> threading.Timer:
        """Stop the store in its tracks and wake it later; returns at once with the timer to `join`."""

        def wake() -> None:
            self._running["etcd"].resume()
            self._running["kube-apiserver"].wait_until(self._ready, within_s=60)
            self._begin_anew(KUBELETS)

        self._running["etcd"].pause()
        waking = threading.Timer(seconds, wake)
        waking.daemon = True
        waking.start()
        return waking

    def forget_history(self) -> None:
        """Let every list that was begun in pages expire (410), fifteen seconds from now at the latest."""
        etcd.forget(self._addresses.etcd_url)

    def stop_authenticator(self) -> None:
        """Nobody with an STS token gets in any more; one that was let in a moment ago does for ten seconds (the API server's cache)."""
        self.authenticator.stop()

    def start_authenticator(self) -> None:
        self.authenticator.start()

    def silence_kubelets(self) -> None:
        """No kubelet says anything any more: the node controller concludes what it does when a node is lost."""
        self._running[KUBELETS].pause()

    # Size

    def stop_controllers(self) -> None:
        """Kill controllers, scheduler and KWOK for good: what is written from now on stays as it is written."""
        for name in CONTROLLERS:
            self._running.pop(name).kill()

    def copy_node(self, node: str, count: int) -> None:
        """Add copies of a node and of its pods, past the API server, which serves them a moment later; `stop_controllers` first."""
        etcd.write(self._addresses.etcd_url, node_copies.of_node(self.client(), node, count))

    # Readiness

    def _ready(self) -> bool:
        try:
            return self.client().ask("GET", "/readyz").status == 200
        except OSError:
            return False

    def _service_accounts_are_made(self) -> bool:
        """Pods are refused until the controller has made their namespace's default ServiceAccount."""
        return self.client().ask("GET", "/api/v1/namespaces/kube-system/serviceaccounts/default").status == 200


def nobody(_: Request) -> Response:
    """An STS that knows no credentials."""
    return json_response(
        403, {"Error": {"Code": "InvalidClientTokenId", "Message": "The security token included in the request is invalid."}}
    )
