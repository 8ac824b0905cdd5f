"""Log in to clusters as the user: with AWS credentials as the functions do, or with a kubeconfig."""

from __future__ import annotations

import re
import ssl
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import urlencode, urlsplit

from cli.errors import CommandError
from lambdas.adapters.cluster import Cluster, authority_pem
from lambdas.adapters.kubernetes_api import KubernetesApi
from lambdas.domain.errors import PermanentError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from lambdas.adapters.eks_token import Tokens
    from lambdas.domain.snapshot.snapshot import ClusterFacts

_TOKEN: Final = re.compile(r"[\x21-\x7e]*")
"""Characters that an Authorization header may contain. Source: https://www.rfc-editor.org/rfc/rfc6750#section-2.1"""


class UserKubernetesApi(KubernetesApi):
    """The API client of the functions, extended by what only the command line does: create and preview, use client certificates."""

    def create(self, attempt: str, collection: str, manifest: Mapping[str, Any], manager: str) -> Any:
        """Create an object under another field manager than the product's.

        Raises:
            Conflict: an object of this name exists.
        """
        url = f"{collection}?fieldManager={manager}"
        return self._answer(self._request(attempt, "POST", url, body=manifest))

    def preview(self, attempt: str, path: str, change: Mapping[str, Any], manager: str) -> Any:
        """Return the object after a merge patch that the API server admits and does not store.

        Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#dry-run
        """
        url = f"{path}?{urlencode({'fieldManager': manager, 'dryRun': 'All'})}"
        return self._answer(self._request(attempt, "PATCH", url, content_type="application/merge-patch+json", body=change))

    def use_client_certificate(self, certificate: str, key: str | None) -> None:
        """Log in with a client certificate (PEM files)."""
        self._pool.conn_kw["ssl_context"].load_cert_chain(certificate, key)

    def require_server_name(self, name: str) -> None:
        """Require this name in the server's certificate, where it differs from the address."""
        self._pool.conn_kw["server_hostname"] = name


class ClusterLogin(Protocol):
    """A way to log in to clusters."""

    def open(self, facts: ClusterFacts) -> UserKubernetesApi:
        """Return a client for the cluster. No request is made yet."""
        ...


class UserClusters:
    """Implements `ClustersPort`, with one client a cluster."""

    def __init__(self, login: ClusterLogin) -> None:
        self._login = login
        self._apis: dict[str, UserKubernetesApi] = {}

    def api(self, facts: ClusterFacts) -> UserKubernetesApi:
        """Return the client of a cluster."""
        if facts.name not in self._apis:
            self._apis[facts.name] = self._login.open(facts)
        return self._apis[facts.name]

    def login(self, facts: ClusterFacts) -> Cluster:
        """Return the cluster's port for the domain."""
        return Cluster(self.api(facts))


class AwsLogin:
    """Log in with a presigned STS URL, at the endpoint that EKS describes."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def open(self, facts: ClusterFacts) -> UserKubernetesApi:
        """Return a client that logs in as the functions do."""
        return UserKubernetesApi(facts.name, facts.endpoint, _decoded_authority(facts), self._tokens)


class KubeconfigLogin:
    """Log in with one context of a kubeconfig (None: the current one). Kubernetes' own client reads tokens, certificates and plug-ins.

    The context must be of the cluster that EKS describes. The certificate authority decides, not the address, which may be that of a
    tunnel: it is the root of trust of one cluster. Two authorities are trusted while a cluster rotates them.
    Source: https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateCertificateAuthority.html
    """

    def __init__(self, file: Path, context: str | None) -> None:
        self._file = file
        self._context = context

    def open(self, facts: ClusterFacts) -> UserKubernetesApi:
        """Return a client for the context's cluster. The context's own name for it is ignored. It trusts the authority that EKS describes.

        Raises:
            CommandError: the file or the context cannot be used, or the context is of another cluster; says why.
        """
        # The file's plug-in is a command of the file's author: it does not run before the file is known to be of this cluster.
        configuration = self._load(with_users=False)
        if not configuration.verify_ssl:
            raise CommandError(
                f"{self._file} disables the check of the server's certificate", next_step="add `certificate-authority-data` to it"
            )
        if configuration.proxy or urlsplit(configuration.host).path:
            raise CommandError(f"{self._file} uses a proxy", next_step="log in with AWS credentials, without --kubeconfig")
        authority = _decoded_authority(facts)
        if not _certificates(_read_authority(configuration.ssl_ca_cert)) & _certificates(authority):
            raise self._other_cluster(configuration.host, facts)
        configuration = self._load(with_users=True)
        tokens = _KubeconfigTokens(configuration, self._file)
        api = UserKubernetesApi(facts.name, configuration.host, authority, tokens)  # type: ignore[arg-type]  # has the two methods in use
        if configuration.cert_file:
            api.use_client_certificate(configuration.cert_file, configuration.key_file)
        if configuration.tls_server_name:
            api.require_server_name(configuration.tls_server_name)
        return api

    def _other_cluster(self, host: str, facts: ClusterFacts) -> CommandError:
        context = f"context {self._context}" if self._context else "the current context"
        return CommandError(
            f"{context} of {self._file} is of the cluster at {host}, not of cluster {facts.name} at {facts.endpoint}: "
            "their certificate authorities differ",
            next_step=f"choose the context of cluster {facts.name} with --context, or log in with AWS credentials, without --kubeconfig",
        )

    def _load(self, *, with_users: bool) -> Any:
        """Return the context's configuration. Without users it has the cluster only, and no plug-in of the file has run."""
        from kubernetes.client import Configuration
        from kubernetes.config.config_exception import ConfigException
        from kubernetes.config.kube_config import KubeConfigLoader
        from yaml import YAMLError, safe_load

        configuration = Configuration()
        try:
            content = safe_load(self._file.read_bytes())
            if not with_users:
                content = {**content, "users": [{"name": user["name"], "user": {}} for user in content.get("users") or ()]}
            folder = str(self._file.parent.absolute())
            loader = KubeConfigLoader(content, active_context=self._context, config_base_path=folder)  # type: ignore[no-untyped-call]
            loader.load_and_set(configuration)  # type: ignore[no-untyped-call]
        except ConfigException as error:
            raise CommandError(f"{self._file} cannot be used: {error}", next_step="give a kubeconfig and a --context in it") from error
        except OSError as error:  # the file, one that it names, or its plug-in
            reason = f"{error.filename or self._file}: {error.strerror}"
            raise CommandError(f"{self._file} cannot be used: {reason}", next_step="give a kubeconfig that you may read") from error
        except (
            YAMLError,
            ValueError,
            TypeError,
            AttributeError,
            LookupError,
            RecursionError,
        ):  # the text of these errors may contain a token
            raise CommandError(f"{self._file} is not a kubeconfig", next_step="give a kubeconfig and a --context in it") from None
        return configuration


class _KubeconfigTokens:
    """Provides the kubeconfig's token as `Tokens` does. A plug-in of the file refreshes an expired one."""

    def __init__(self, configuration: Any, file: Path) -> None:
        self._configuration = configuration
        self._file = file

    def get(self, _cluster: str) -> str:
        """Return the bearer token. Empty where a client certificate logs in.

        Raises:
            CommandError: the token cannot be sent. The text does not contain it.
        """
        header = self._configuration.get_api_key_with_prefix("BearerToken", alias="authorization") or ""
        token = str(header).removeprefix("Bearer ").strip()  # a file often ends with a line break
        if not _TOKEN.fullmatch(token):
            raise CommandError(f"the token of {self._file} contains a character that is not allowed", next_step="get a new token")
        return token

    def forget(self, _cluster: str, _refused: str) -> bool:
        """Return False: no other token is available."""
        return False


def _read_authority(file: str | None) -> str:
    if not file:
        raise CommandError("the kubeconfig names no certificate authority", next_step="add `certificate-authority-data` to it")
    from pathlib import Path

    return Path(file).read_text(encoding="ascii", errors="replace")


def _decoded_authority(facts: ClusterFacts) -> str:
    try:
        return authority_pem(facts)
    except PermanentError as error:
        raise CommandError(
            f"EKS describes no usable certificate authority for cluster {facts.name}", next_step="wait until the cluster is ACTIVE"
        ) from error


def _certificates(pem: str) -> frozenset[bytes]:
    """Return the certificates of a PEM bundle as DER, so that line lengths and order do not matter."""
    try:
        return frozenset(ssl.PEM_cert_to_DER_cert(certificate) for certificate in _CERTIFICATE.findall(pem))
    except ValueError:
        return frozenset()


_CERTIFICATE: Final = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
