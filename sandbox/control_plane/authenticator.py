"""aws-iam-authenticator as the token webhook of the API server, with role mappings from the cluster's access entries."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field

from sandbox.control_plane.certificates import Certificates
from sandbox.control_plane.processes import ProcessGroup, Program, listens
from sandbox.control_plane.sts_proxy import Sts, StsProxy
from sandbox.loopback import reserved_port

SESSION_NAME = "{{SessionName}}"


@dataclass(frozen=True)
class AccessEntry:
    """A role that can log in. The default user name is the one that EKS assigns.

    Source: https://docs.aws.amazon.com/eks/latest/userguide/creating-access-entries.html
    """

    role_arn: str
    groups: tuple[str, ...] = ()
    username: str | None = None

    def mapping(self) -> dict[str, object]:
        return {"rolearn": self.role_arn, "username": self.username or self._session_arn(), "groups": list(self.groups)}

    def _session_arn(self) -> str:
        _, partition, _, _, account, resource = self.role_arn.split(":", 5)
        return f"arn:{partition}:sts::{account}:assumed-role/{resource.rsplit('/', 1)[-1]}/{SESSION_NAME}"


@dataclass
class Authenticator:
    """Starts and stops the webhook; its address, certificate and mappings survive a restart.

    Its health check listens on port 21363 of every interface, which no option changes; a second instance runs without it.
    """

    binary: str
    cluster_name: str
    workplace: ProcessGroup
    certificates: Certificates
    sts: StsProxy
    port: int = field(default_factory=reserved_port)

    def __post_init__(self) -> None:
        self._folder = self.workplace.folder / "authenticator"
        self._folder.mkdir()
        self._mappings = self._folder / "mappings.json"
        self.kubeconfig = self._folder / "kubeconfig.yaml"
        self._config = self._folder / "config.yaml"
        # JSON is YAML. Only `DynamicFile` notices changes without a CRD or a ConfigMap in the cluster.
        server = {"backendMode": ["DynamicFile"], "dynamicfilepath": str(self._mappings), "stateDir": str(self._folder)}
        self._config.write_text(json.dumps({"clusterID": self.cluster_name, "server": server}))
        self.allow(())
        self.program: Program | None = None

    def allow(self, entries: Iterable[AccessEntry]) -> None:
        """Map exactly these roles. The file is written in place: a replaced file is noticed a second later, a changed one at once."""
        self._mappings.write_text(json.dumps({"mapRoles": [entry.mapping() for entry in entries], "mapUsers": [], "mapAccounts": []}))

    def start(self) -> None:
        command = [self.binary, "server", f"--config={self._config}", f"--port={self.port}", f"--generate-kubeconfig={self.kubeconfig}"]
        environment = {
            "HTTPS_PROXY": self.sts.url,
            "NO_PROXY": "",
            "SSL_CERT_FILE": str(self.certificates.authority_file),
            "AWS_EC2_METADATA_DISABLED": "true",  # otherwise it queries the link-local address for its region
        }
        self.program = self.workplace.start("aws-iam-authenticator", command, environment)
        self.program.wait_until(lambda: self.kubeconfig.exists() and listens(self.port), within_s=15)

    def stop(self) -> None:
        if self.program is not None:
            self.program.kill()


def sts_for(certificates: Certificates, region: str, sts: Sts) -> StsProxy:
    """A proxy for the STS of one region, for the authenticator."""
    return StsProxy(certificates.serving("sts", f"*.{region}.amazonaws.com", f"*.{region}.amazonaws.com.cn"), sts)
