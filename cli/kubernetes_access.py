"""Logging in to clusters as a person: with AWS credentials as the functions do, or with a kubeconfig."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import urlsplit

from cli.failures import Refused
from lambdas.adapters.cluster import Cluster
from lambdas.adapters.kubernetes_api import KubernetesApi
from lambdas.contract.names import FIELD_MANAGER

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from lambdas.adapters.eks_token import Tokens
    from lambdas.domain.snapshot.snapshot import ClusterFacts

_APPLY: Final = "application/apply-patch+yaml"


class PersonsApi(KubernetesApi):
    """The functions' own requests, and what only a person does: apply Roles."""

    def apply(self, attempt: str, path: str, manifest: Mapping[str, Any]) -> Any:
        """Server-side apply, taking over fields that others own: the manifest is ours to keep.

        Source: https://kubernetes.io/docs/reference/using-api/server-side-apply/
        """
        place = f"{path}?fieldManager={FIELD_MANAGER}&force=true"
        return self._answer(self._request(attempt, "PATCH", place, content_type=_APPLY, body=manifest))

    def present_certificate(self, certificate: str, key: str | None) -> None:
        """Log in with a client certificate (files in PEM)."""
        self._pool.conn_kw["ssl_context"].load_cert_chain(certificate, key)

    def expect_name(self, name: str) -> None:
        """Demand this name in the server's certificate, where the address is another."""
        self._pool.conn_kw["server_hostname"] = name


class Door(Protocol):
    """A way into clusters."""

    def open(self, facts: ClusterFacts) -> PersonsApi:
        """A client for the cluster; no request is made yet."""
        ...


class PersonsClusters:
    """Implements `ClustersPort`, keeping each cluster's client."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._apis: dict[str, PersonsApi] = {}

    def api(self, facts: ClusterFacts) -> PersonsApi:
        """The client of a cluster."""
        if facts.name not in self._apis:
            self._apis[facts.name] = self._door.open(facts)
        return self._apis[facts.name]

    def login(self, facts: ClusterFacts) -> Cluster:
        """The cluster as the domain sees it."""
        return Cluster(self.api(facts))


class AwsDoor:
    """Endpoint and authority as EKS describes them, and a presigned token."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def open(self, facts: ClusterFacts) -> PersonsApi:
        """A client that logs in as the functions do."""
        authority = base64.b64decode(facts.certificate_authority).decode("ascii")
        return PersonsApi(facts.name, facts.endpoint, authority, self._tokens)


class KubeconfigDoor:
    """One context of a kubeconfig, read by Kubernetes' own client, which knows tokens, certificates and exec plug-ins.

    `context` None: the file's current one.
    """

    def __init__(self, file: Path, context: str | None) -> None:
        self._file = file
        self._context = context

    def open(self, facts: ClusterFacts) -> PersonsApi:
        """A client for the context's cluster, whatever it is called there.

        Raises:
            Refused: the file or the context cannot be used; says why.
        """
        read = self._read()
        if not read.verify_ssl:
            raise Refused(f"{self._file} switches the check of the server's certificate off", then="give the cluster's authority in it")
        if read.proxy or urlsplit(read.host).path:
            raise Refused(f"{self._file} leads through a proxy", then="log in with AWS credentials, without --kubeconfig")
        authority = _text(read.ssl_ca_cert)
        api = PersonsApi(facts.name, read.host, authority, _KubeconfigTokens(read))  # type: ignore[arg-type]  # the two methods that it calls
        if read.cert_file:
            api.present_certificate(read.cert_file, read.key_file)
        if read.tls_server_name:
            api.expect_name(read.tls_server_name)
        return api

    def _read(self) -> Any:
        from kubernetes.client import Configuration
        from kubernetes.config import load_kube_config
        from kubernetes.config.config_exception import ConfigException

        configuration = Configuration()
        try:
            load_kube_config(config_file=str(self._file), context=self._context, client_configuration=configuration)  # type: ignore[no-untyped-call]
        except ConfigException as error:
            raise Refused(f"{self._file} cannot be used: {error}", then="give a kubeconfig and a --context that it has") from error
        return configuration


class _KubeconfigTokens:
    """What `Tokens` is to the API client: the file's token, fetched anew by its plug-in where it has ended."""

    def __init__(self, configuration: Any) -> None:
        self._configuration = configuration

    def get(self, _cluster: str) -> str:
        """The bearer token, or nothing where a certificate logs in."""
        found = self._configuration.get_api_key_with_prefix("BearerToken", alias="authorization") or ""
        return str(found).removeprefix("Bearer ")

    def forget(self, _cluster: str, _refused: str) -> bool:
        """Another is not to be had here."""
        return False


def _text(file: str | None) -> str:
    if not file:
        raise Refused("the kubeconfig names no certificate authority for its cluster", then="give `certificate-authority-data` in it")
    from pathlib import Path

    return Path(file).read_text(encoding="ascii")
