"""A whole control plane as a context manager, with the faults that tests inject."""

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
"""The region whose STS the authenticator calls."""
ISSUER = f"https://oidc.eks.{REGION}.amazonaws.com/id/77D0"
"""The `iss` of ServiceAccount tokens; EKS has one URL for each cluster."""


class ControlPlane(ResourceStack):
    """etcd, API server, controllers, scheduler, KWOK and the authenticator on loopback; a context manager.

    Entering raises `StartError` if a program does not start.

    Args:
        binaries: all programs, from `build.ensure` or `binaries.find`.
        cluster_name: the name that a token must be signed for.
        sts: answers the authenticator's GetCallerIdentity; without it only the administrator can log in.
        users: `name -> token` of users without groups and without permissions.
        nodes: approximate number of nodes; with many, leases are renewed less often, so that one machine can serve them.
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
        self.sts: Sts = sts or reject_credentials
        """Answers the authenticator; may be replaced while the control plane runs."""
        self.plugin = PluginCredentials()
        """The credentials that aws-node works with. Pods with others fail, and new nodes without a working pod stay NotReady."""
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
        """The file from which the API server knows the administrator and the users."""
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

    def _restart_controllers(self, *names: str) -> None:
        """Restart those of these controllers that run, including KWOK, so that they list all objects again.

        A controller ends itself when it loses its leader election, which is disabled here. A controller that went on would retry ever
        more rarely after a connection loss, up to a minute apart. Unlike a kubelet, KWOK does not retry an operation that a connection
        loss interrupted. The leases are deleted first, because KWOK would otherwise wait until they expire.
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
        """One JSON `Event` of audit.k8s.io/v1 per line, without bodies and without requests of the control plane itself."""
        return self._files.audit_log

    def client(self, token: str | None = None) -> ApiClient:
        """A client with this token, or the administrator's."""
        return ApiClient(self.url, self.ca_pem, token or self.admin_token)

    def kubeconfig(self, path: Path, token: str | None = None) -> Path:
        """Write a kubeconfig for this token, or the administrator's, and return its path."""
        return kubeconfig.write(path, url=self.url, ca_pem=self.ca_pem, user=kubeconfig.by_token(token or self.admin_token))

    def certificate_kubeconfig(self, path: Path) -> Path:
        """Write the administrator's kubeconfig with a client certificate instead of a token."""
        user = kubeconfig.by_certificate(self._certificates.client(ADMINISTRATOR, MASTERS))
        return kubeconfig.write(path, url=self.url, ca_pem=self.ca_pem, user=user)

    def connection_proxy(self) -> ConnectionProxy:
        """A proxy to the API server that counts requests and can drop responses; a context manager with a `url`."""
        return ConnectionProxy(self.url, self.ca_pem, self._files.serving)

    def allow(self, entries: Iterable[AccessEntry]) -> None:
        """Replace the access entries; effective at the next login."""
        self.authenticator.allow(entries)

    def set_plugin_credentials(self, credentials: PluginCredentials) -> None:
        """Change the credentials that aws-node works with; failed pods that have them become ready."""
        self.plugin = credentials
        self._restart_controllers(KUBELETS)

    def memory_mib(self) -> dict[str, float]:
        """`program -> resident MiB`."""
        return {name: program.resident_mib() for name, program in self._running.items()}

    def failure(self) -> StartError | None:
        """An error for the first program that ended unexpectedly, with the end of its log, or None."""
        for program in self._running.values():
            try:
                program.check()
            except StartError as ended:
                return ended
        return None

    # Faults

    def stop_api_server(self) -> None:
        """Kill the API server: connections break, the port is closed, the data stays in etcd."""
        self._running["kube-apiserver"].kill()

    def start_api_server(self) -> None:
        """Start the API server on the same port and data, wait until it is ready, and restart its controllers."""
        command = commands.api_server(self.binaries, self._addresses, self._files, ISSUER)
        self._run("kube-apiserver", command).wait_until(self._ready, within_s=60)
        self._restart_controllers(*CONTROLLERS)

    def freeze_etcd(self, seconds: float) -> threading.Timer:
        """Pause etcd and resume it later; returns at once with the timer to `join`."""

        def wake() -> None:
            self._running["etcd"].resume()
            self._running["kube-apiserver"].wait_until(self._ready, within_s=60)
            self._restart_controllers(KUBELETS)

        self._running["etcd"].pause()
        waking = threading.Timer(seconds, wake)
        waking.daemon = True
        waking.start()
        return waking

    def expire_lists(self) -> None:
        """Let every paged list that was started expire (410), after at most fifteen seconds."""
        etcd.compact(self._addresses.etcd_url)

    def stop_authenticator(self) -> None:
        """Stop the login by STS tokens; the API server caches a successful login for ten seconds."""
        self.authenticator.stop()

    def start_authenticator(self) -> None:
        self.authenticator.start()

    def silence_kubelets(self) -> None:
        """Stop the heartbeats of all kubelets, so that the node controller marks the nodes Unknown."""
        self._running[KUBELETS].pause()

    # Size

    def stop_controllers(self) -> None:
        """Kill controllers, scheduler and KWOK for good, so that objects stay as they are written."""
        for name in CONTROLLERS:
            self._running.pop(name).kill()

    def copy_node(self, node: str, count: int) -> None:
        """Copy a node and its pods in etcd, without the API server, which serves them shortly after; call `stop_controllers` first."""
        etcd.write(self._addresses.etcd_url, node_copies.of_node(self.client(), node, count))

    # Readiness

    def _ready(self) -> bool:
        try:
            return self.client().ask("GET", "/readyz").status == 200
        except OSError:
            return False

    def _service_accounts_are_made(self) -> bool:
        """The API server refuses pods until the controller has created the default ServiceAccount of their namespace."""
        return self.client().ask("GET", "/api/v1/namespaces/kube-system/serviceaccounts/default").status == 200


def reject_credentials(_: Request) -> Response:
    """An STS that knows no credentials."""
    return json_response(
        403, {"Error": {"Code": "InvalidClientTokenId", "Message": "The security token included in the request is invalid."}}
    )
