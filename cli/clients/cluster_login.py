"""Log in to clusters as the user: with AWS credentials as the functions do, or with a kubeconfig."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import urlsplit

from cli.errors import CommandError
from lambdas.adapters.cluster import Cluster
from lambdas.adapters.kubernetes_api import KubernetesApi
from lambdas.contract.names import FIELD_MANAGER

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from lambdas.adapters.eks_token import Tokens
    from lambdas.domain.snapshot.snapshot import ClusterFacts

_APPLY: Final = "application/apply-patch+yaml"


class UserKubernetesApi(KubernetesApi):
    """The API client of the functions, extended by what only the command line does: apply manifests, use client certificates."""

    def apply(self, attempt: str, path: str, manifest: Mapping[str, Any]) -> Any:
        """Apply the manifest on the server, and take over fields that other managers own.

        Source: https://kubernetes.io/docs/reference/using-api/server-side-apply/
        """
        url = f"{path}?fieldManager={FIELD_MANAGER}&force=true"
        return self._answer(self._request(attempt, "PATCH", url, content_type=_APPLY, body=manifest))

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
        authority = base64.b64decode(facts.certificate_authority).decode("ascii")
        return UserKubernetesApi(facts.name, facts.endpoint, authority, self._tokens)


class KubeconfigLogin:
    """Log in with one context of a kubeconfig (None: the current one). Kubernetes' own client reads tokens, certificates and plug-ins."""

    def __init__(self, file: Path, context: str | None) -> None:
        self._file = file
        self._context = context

    def open(self, facts: ClusterFacts) -> UserKubernetesApi:
        """Return a client for the context's cluster, whatever name the context gives it.

        Raises:
            CommandError: the file or the context cannot be used; says why.
        """
        configuration = self._load()
        if not configuration.verify_ssl:
            raise CommandError(
                f"{self._file} disables the check of the server's certificate", next_step="add `certificate-authority-data` to it"
            )
        if configuration.proxy or urlsplit(configuration.host).path:
            raise CommandError(f"{self._file} uses a proxy", next_step="log in with AWS credentials, without --kubeconfig")
        authority = _read_authority(configuration.ssl_ca_cert)
        tokens = _KubeconfigTokens(configuration)
        api = UserKubernetesApi(facts.name, configuration.host, authority, tokens)  # type: ignore[arg-type]  # has the two methods in use
        if configuration.cert_file:
            api.use_client_certificate(configuration.cert_file, configuration.key_file)
        if configuration.tls_server_name:
            api.require_server_name(configuration.tls_server_name)
        return api

    def _load(self) -> Any:
        from kubernetes.client import Configuration
        from kubernetes.config import load_kube_config
        from kubernetes.config.config_exception import ConfigException

        configuration = Configuration()
        try:
            load_kube_config(config_file=str(self._file), context=self._context, client_configuration=configuration)  # type: ignore[no-untyped-call]
        except ConfigException as error:
            raise CommandError(f"{self._file} cannot be used: {error}", next_step="give a kubeconfig and a --context in it") from error
        return configuration


class _KubeconfigTokens:
    """Provides the kubeconfig's token as `Tokens` does. A plug-in of the file refreshes an expired one."""

    def __init__(self, configuration: Any) -> None:
        self._configuration = configuration

    def get(self, _cluster: str) -> str:
        """Return the bearer token. Empty where a client certificate logs in."""
        header = self._configuration.get_api_key_with_prefix("BearerToken", alias="authorization") or ""
        return str(header).removeprefix("Bearer ")

    def forget(self, _cluster: str, _refused: str) -> bool:
        """Return False: no other token is available."""
        return False


def _read_authority(file: str | None) -> str:
    if not file:
        raise CommandError("the kubeconfig names no certificate authority", next_step="add `certificate-authority-data` to it")
    from pathlib import Path

    return Path(file).read_text(encoding="ascii")
