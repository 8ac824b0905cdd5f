"""An existing API server, from a kubeconfig: requests as its administrator, and as a user without permissions by impersonation.

Source: https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation
"""

import base64
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3
import yaml

from tests.integration.cluster.conftest import Answer, Api

NOBODY, NOBODY_TOKEN = "nobody", "as-nobody"


class UnsupportedKubeconfig(ValueError):
    """It has no current context, or a user who logs in with neither a token nor a client certificate."""


@dataclass
class ForeignApi(Api):
    """Only the administrator has client certificates and tokens; other users send none."""

    certificate: str | None = None
    key: str | None = None

    def __post_init__(self) -> None:
        self._stranger = Api(self.url, self.ca, "", "")
        self._pool = urllib3.PoolManager(ca_cert_data=self.ca, cert_file=self.certificate, key_file=self.key, retries=False, timeout=10.0)

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content_type: str = "application/json",
        accept: str = "application/json",
        token: str | None = "admin",  # noqa: S107 - a word for whose token
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """As `Api.request`; requests of `nobody` are impersonated by the administrator."""
        how: dict[str, Any] = {"content_type": content_type, "accept": accept, "query": query}
        if token not in ("admin", NOBODY_TOKEN):
            return self._stranger.request(method, path, body, token=token, headers=headers, **how)
        acting = {"Impersonate-User": NOBODY} if token == NOBODY_TOKEN else {}
        return super().request(method, path, body, token="admin" if self.token else None, headers={**acting, **(headers or {})}, **how)


@contextmanager
def api_of(kubeconfig: Path) -> Iterator[ForeignApi]:
    """The API server of the current context. Certificates that stand in the kubeconfig are files until the end.

    Raises:
        UnsupportedKubeconfig: it cannot be used; says why.
    """
    document = yaml.safe_load(kubeconfig.read_text())
    context = _named(document, "context", document.get("current-context", ""))
    cluster, user = _named(document, "cluster", context["cluster"]), _named(document, "user", context["user"])
    token = user.get("token") or (Path(user["tokenFile"]).read_text().strip() if "tokenFile" in user else "")
    with tempfile.TemporaryDirectory(prefix="kubeconfig-") as unpacked:
        certificate, key, authority = (
            _file(entry, name, kubeconfig.parent, Path(unpacked))
            for entry, name in ((user, "client-certificate"), (user, "client-key"), (cluster, "certificate-authority"))
        )
        if not (token or certificate) or authority is None:
            raise UnsupportedKubeconfig(f"{kubeconfig}: a token or a client certificate is needed, and the certificate authority")
        yield ForeignApi(cluster["server"], Path(authority).read_text(), token, NOBODY_TOKEN, certificate=certificate, key=key)


def _named(document: Mapping[str, Any], kind: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] | None = next((item[kind] for item in document.get(f"{kind}s") or () if item["name"] == name), None)
    if found is None:
        raise UnsupportedKubeconfig(f"there is no {kind} {name!r}")
    return found


def _file(entry: Mapping[str, Any], name: str, folder: Path, unpacked: Path) -> str | None:
    """A certificate or key as a file, which is all that TLS takes."""
    if data := entry.get(f"{name}-data"):
        (unpacked / name).write_bytes(base64.b64decode(data))
        return str(unpacked / name)
    return str(folder / entry[name]) if name in entry else None
