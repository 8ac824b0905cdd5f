"""The mutation of a pod as a pure function: pod, ServiceAccount annotations, association -> JSON patch.

Source: https://github.com/aws/amazon-eks-pod-identity-webhook (README.md, pkg/handler/handler.go)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Operation = dict[str, Any]

PREFIX = "eks.amazonaws.com"
ROLE_KEY = f"{PREFIX}/role-arn"
_ROLE = frozenset({"AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"})
_CONTAINER_CREDENTIALS = frozenset({"AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"})


@dataclass(frozen=True, kw_only=True)
class CredentialInjection:
    """The credentials that a pod receives.

    Attributes:
        variables: name -> value, in the order in which they are added.
        guarded: a container that defines one of these variables is not changed.
        expiration_s: lifetime of the projected token in seconds.
    """

    variables: Mapping[str, str]
    guarded: frozenset[str]
    volume: str
    mount_path: str
    token_name: str
    audience: str
    expiration_s: int


def mutate(
    pod: Mapping[str, Any], annotations: Mapping[str, str], association: Mapping[str, Any] | None = None, *, region: str = "eu-west-1"
) -> list[Operation]:
    """The JSON patch that adds credentials to a pod; empty if it receives none.

    Args:
        pod: as in the admission request.
        annotations: of the pod's ServiceAccount.
        association: the pod identity association of the ServiceAccount; it takes precedence over the annotation.
    """
    found = _injection(annotations, association, region)
    if found is None or any(each["name"] == found.volume for each in pod["spec"].get("volumes") or ()):
        return []
    skipped = _names((pod["metadata"].get("annotations") or {}).get(f"{PREFIX}/skip-containers", ""))
    patch = [_volume_operation(pod, found)]
    for field in ("containers", "initContainers"):
        if containers := pod["spec"].get(field):
            changed = [each if each["name"] in skipped else _container(each, found) for each in containers]
            patch.append({"op": "add", "path": f"/spec/{field}", "value": changed})
    return patch


def _injection(annotations: Mapping[str, str], association: Mapping[str, Any] | None, region: str) -> CredentialInjection | None:
    if association:
        return _container_credentials(region)
    role = annotations.get(ROLE_KEY)
    return _web_identity(role, annotations, region) if role else None


def _web_identity(role: str, annotations: Mapping[str, str], region: str) -> CredentialInjection:
    path = "/var/run/secrets/eks.amazonaws.com/serviceaccount"
    regional = annotations.get(f"{PREFIX}/sts-regional-endpoints") == "true"
    return CredentialInjection(
        variables=({"AWS_STS_REGIONAL_ENDPOINTS": "regional"} if regional else {})
        | {"AWS_DEFAULT_REGION": region, "AWS_REGION": region, "AWS_ROLE_ARN": role, "AWS_WEB_IDENTITY_TOKEN_FILE": f"{path}/token"},
        guarded=_ROLE,
        volume="aws-iam-token",
        mount_path=path,
        token_name="token",  # noqa: S106 - a file name
        audience=annotations.get(f"{PREFIX}/audience", "sts.amazonaws.com"),
        expiration_s=int(annotations.get(f"{PREFIX}/token-expiration", "86400")),
    )


def _container_credentials(region: str) -> CredentialInjection:
    path, name = "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount", "eks-pod-identity-token"
    return CredentialInjection(
        variables={
            "AWS_STS_REGIONAL_ENDPOINTS": "regional",
            "AWS_DEFAULT_REGION": region,
            "AWS_REGION": region,
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/v1/credentials",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": f"{path}/{name}",
        },
        guarded=_CONTAINER_CREDENTIALS,
        volume=name,
        mount_path=path,
        token_name=name,
        audience="pods.eks.amazonaws.com",
        expiration_s=86400,
    )


def _container(container: Mapping[str, Any], found: CredentialInjection) -> dict[str, Any]:
    defined = {each["name"] for each in container.get("env") or ()}
    mounts = container.get("volumeMounts") or []
    if defined & found.guarded or any(each["name"] == found.volume for each in mounts):
        return dict(container)
    added = [{"name": name, "value": value} for name, value in found.variables.items() if name not in defined]
    mount = {"name": found.volume, "readOnly": True, "mountPath": found.mount_path}
    return {**container, "env": [*(container.get("env") or ()), *added], "volumeMounts": [*mounts, mount]}


def _volume_operation(pod: Mapping[str, Any], found: CredentialInjection) -> Operation:
    source = {"audience": found.audience, "expirationSeconds": found.expiration_s, "path": found.token_name}
    volume = {"name": found.volume, "projected": {"sources": [{"serviceAccountToken": source}], "defaultMode": 420}}
    if pod["spec"].get("volumes"):
        return {"op": "add", "path": "/spec/volumes/0", "value": volume}
    return {"op": "add", "path": "/spec/volumes", "value": [volume]}


def _names(text: str) -> Iterable[str]:
    return {each.strip() for each in text.split(",")}
