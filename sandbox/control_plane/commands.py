"""Command lines of the control plane's programs, for a temporary cluster on loopback that starts fast."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sandbox.control_plane.binaries import Binaries
from sandbox.control_plane.certificates import CertificateFiles, Certificates

HERE = Path(__file__).parent
SERVICE_CIDR = "10.100.0.0/16"  # the CIDR of EKS if the VPC is in 192.168.0.0/16 or 172.16.0.0/12
# The client-side limits (20 requests a second) protect a shared API server; here they would only slow down tests.
UNLIMITED = ("--kube-api-qps=1000", "--kube-api-burst=2000")
KUBELETS_LEASE_S = 40
# Cache of the webhook's answers; two minutes by default. The API server also caches a successful login for ten seconds.
LOGIN_CACHE = "1s"


@dataclass(frozen=True)
class Addresses:
    """Loopback ports, which stay the same when a program is restarted."""

    etcd: int
    etcd_peer: int
    api_server: int

    @property
    def etcd_url(self) -> str:
        return f"http://127.0.0.1:{self.etcd}"

    @property
    def api_url(self) -> str:
        return f"https://127.0.0.1:{self.api_server}"


@dataclass(frozen=True)
class Files:
    """The files of the programs."""

    folder: Path
    certificates: Certificates
    serving: CertificateFiles
    tokens: Path
    kubeconfig: Path
    login_webhook: Path

    @property
    def audit_log(self) -> Path:
        return self.folder / "audit.log"


def etcd(binaries: Binaries, at: Addresses, files: Files) -> list[str]:
    peer = f"http://127.0.0.1:{at.etcd_peer}"
    return [
        binaries.path("etcd"),
        f"--data-dir={files.folder / 'etcd'}",
        f"--listen-client-urls={at.etcd_url}",
        f"--advertise-client-urls={at.etcd_url}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",  # a test's data need not survive the machine
        "--log-level=warn",
    ]


def api_server(binaries: Binaries, at: Addresses, files: Files, issuer: str) -> list[str]:
    key = files.certificates.service_account_key
    return [
        binaries.path("kube-apiserver"),
        f"--etcd-servers={at.etcd_url}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        "--endpoint-reconciler-type=none",  # loopback is not allowed as the address of the kubernetes Service
        f"--secure-port={at.api_server}",
        f"--tls-cert-file={files.serving.certificate}",
        f"--tls-private-key-file={files.serving.key}",
        f"--cert-dir={files.folder / 'api-server'}",
        f"--service-cluster-ip-range={SERVICE_CIDR}",
        f"--service-account-issuer={issuer}",
        f"--service-account-key-file={key}",
        f"--service-account-signing-key-file={key}",
        "--authorization-mode=Node,RBAC",
        "--allow-privileged=true",  # as on EKS; aws-node needs it
        f"--token-auth-file={files.tokens}",
        f"--client-ca-file={files.certificates.authority_file}",
        f"--authentication-token-webhook-config-file={files.login_webhook}",
        f"--authentication-token-webhook-cache-ttl={LOGIN_CACHE}",
        f"--audit-policy-file={HERE / 'audit-policy.yaml'}",
        f"--audit-log-path={files.audit_log}",
        "--profiling=false",
    ]


def lease_s(nodes: int) -> int:
    """The lease duration of a node, in which KWOK renews it four times: a kubelet's, or longer for many nodes.

    Source: https://kubernetes.io/docs/reference/node/node-status/#heartbeats
    """
    return max(KUBELETS_LEASE_S, nodes * 2 // 5)  # ten renewals a second in all


def controller_manager(binaries: Binaries, files: Files, nodes: int) -> list[str]:
    return [
        binaries.path("kube-controller-manager"),
        f"--kubeconfig={files.kubeconfig}",
        f"--service-account-private-key-file={files.certificates.service_account_key}",
        f"--root-ca-file={files.certificates.authority_file}",
        "--controllers=*,-nodeipam,-cloud-node-lifecycle",  # on EKS the cloud controllers do this
        f"--node-monitor-grace-period={lease_s(nodes) + 10}s",
        *_single_instance(),
    ]


def scheduler(binaries: Binaries, files: Files) -> list[str]:
    return [binaries.path("kube-scheduler"), f"--kubeconfig={files.kubeconfig}", *_single_instance()]


def kwok(binaries: Binaries, files: Files, stages: Iterable[Path], nodes: int) -> list[str]:
    configuration = [f"--config={file}" for file in stages]
    return [
        binaries.path("kwok"),
        f"--kubeconfig={files.kubeconfig}",
        *configuration,
        "--manage-all-nodes=true",
        f"--node-lease-duration-seconds={lease_s(nodes)}",
    ]


def _single_instance() -> tuple[str, ...]:
    """A single instance: no leader election, and no port for metrics."""
    return ("--leader-elect=false", "--secure-port=0", *UNLIMITED)
