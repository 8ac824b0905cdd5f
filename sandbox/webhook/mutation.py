"""The mutation of a pod as a pure function: pod, ServiceAccount annotations, association -> JSON patch.

Source: https://github.com/aws/amazon-eks-pod-identity-webhook/blob/3bf80a348116483b2162190e43232e4d243f76c4/pkg/handler/handler.go
and, for the annotations of a ServiceAccount, `pkg/cache/cache.go` beside it.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Operation = dict[str, Any]

PREFIX = "eks.amazonaws.com"
ROLE_KEY = f"{PREFIX}/role-arn"
_EXPIRATION_KEY = f"{PREFIX}/token-expiration"
POD_IDENTITY_LABEL = f"{PREFIX}/pod-identity"

DEFAULT_EXPIRATION_S: Final = 86400
SHORTEST_JITTERED_S: Final = 79200
_SHORTEST_S: Final = 600  # the shortest that an API server accepts

_STS_VARIABLE: Final = "AWS_STS_REGIONAL_ENDPOINTS"
_REGION_VARIABLES: Final = ("AWS_DEFAULT_REGION", "AWS_REGION")
_TRUE: Final = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE: Final = frozenset({"0", "f", "F", "FALSE", "false", "False"})
"""The texts that Go's strconv.ParseBool accepts. https://pkg.go.dev/strconv#ParseBool"""
_INTEGER: Final = re.compile(r"[+-]?[0-9]+\Z")
_LONGEST_S: Final = 2**63 - 1


@dataclass(frozen=True, kw_only=True)
class CredentialInjection:
    """The credentials that a pod receives.

    Attributes:
        credentials: the two variables of the mechanism. A container that defines one of them gets neither.
        labels: labels that the pod receives.
        expiration_s: lifetime of the projected token in seconds.
    """

    credentials: Mapping[str, str]
    labels: Mapping[str, str]
    volume: str
    mount_path: str
    token_name: str
    audience: str
    expiration_s: int
    regional_sts: bool


def mutate(
    pod: Mapping[str, Any],
    annotations: Mapping[str, str],
    association: Mapping[str, Any] | None = None,
    *,
    region: str,
    jittered: Callable[[], int] = lambda: DEFAULT_EXPIRATION_S,
) -> list[Operation]:
    """The JSON patch that adds credentials to a pod; empty if it receives none. It is not empty for a pod that has all of them.

    Args:
        pod: as in the admission request.
        annotations: of the pod's ServiceAccount.
        association: the pod identity association of the ServiceAccount; it takes precedence over the annotation.
        jittered: draws the lifetime of a Pod Identity token with the default lifetime, from `SHORTEST_JITTERED_S` to the default.
    """
    found = _injection(pod, annotations, association, jittered)
    if found is None:
        return []
    skipped = _skipped_containers(pod)
    patch = [*_label_operations(pod, found), *_volume_operations(pod, found)]
    for field in ("containers", "initContainers"):
        if containers := pod["spec"].get(field):
            changed = [each if each["name"] in skipped else _container(each, found, region) for each in containers]
            patch.append({"op": "add", "path": f"/spec/{field}", "value": changed})
    return patch


def _injection(
    pod: Mapping[str, Any], annotations: Mapping[str, str], association: Mapping[str, Any] | None, jittered: Callable[[], int]
) -> CredentialInjection | None:
    expiration_s = _expiration_s(pod, annotations)
    # EKS starts the webhook with regional STS endpoints: https://docs.aws.amazon.com/eks/latest/userguide/configure-sts-endpoint.html
    regional_sts = _boolean(annotations.get(f"{PREFIX}/sts-regional-endpoints"), default=True)
    if association:
        path, name = "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount", "eks-pod-identity-token"
        return CredentialInjection(
            credentials={
                "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/v1/credentials",
                "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": _token_file(pod, f"{path}/{name}"),
            },
            labels={POD_IDENTITY_LABEL: "enabled"},
            volume=name,
            mount_path=path,
            token_name=name,
            audience="pods.eks.amazonaws.com",
            expiration_s=jittered() if expiration_s == DEFAULT_EXPIRATION_S else expiration_s,
            regional_sts=regional_sts,
        )
    role = annotations.get(ROLE_KEY)
    if not role:
        return None
    path = "/var/run/secrets/eks.amazonaws.com/serviceaccount"
    return CredentialInjection(
        credentials={"AWS_ROLE_ARN": role, "AWS_WEB_IDENTITY_TOKEN_FILE": _token_file(pod, f"{path}/token")},
        labels={},
        volume="aws-iam-token",
        mount_path=path,
        token_name="token",  # noqa: S106 - a file name
        audience=annotations.get(f"{PREFIX}/audience", "sts.amazonaws.com"),
        expiration_s=expiration_s,
        regional_sts=regional_sts,
    )


def _expiration_s(pod: Mapping[str, Any], annotations: Mapping[str, str]) -> int:
    """The lifetime of the token: the pod's annotation, then the ServiceAccount's, then the default. Other texts have no effect."""
    of_pod, of_account = _annotations(pod).get(_EXPIRATION_KEY), annotations.get(_EXPIRATION_KEY)
    given = next((int(text) for text in (of_pod, of_account) if text is not None and _is_seconds(text)), DEFAULT_EXPIRATION_S)
    return max(given, _SHORTEST_S)


def _is_seconds(text: str) -> bool:
    return bool(_INTEGER.match(text)) and -_LONGEST_S - 1 <= int(text) <= _LONGEST_S


def _boolean(text: str | None, *, default: bool) -> bool:
    return default if text not in _TRUE | _FALSE else text in _TRUE


def _token_file(pod: Mapping[str, Any], path: str) -> str:
    """The token's path for the containers' system. Pods choose Windows by node selector, under either name of the label."""
    selector = pod["spec"].get("nodeSelector") or {}
    is_windows = "windows" in (selector.get("kubernetes.io/os"), selector.get("beta.kubernetes.io/os"))
    return "C:" + path.replace("/", "\\") if is_windows else path


def _container(container: Mapping[str, Any], found: CredentialInjection, region: str) -> dict[str, Any]:
    """The container with what it lacks: regional STS, both region variables or none, both credential variables or none, and the mount."""
    env, mounts = container.get("env") or [], container.get("volumeMounts") or []
    defined = {each["name"] for each in env}
    has_credentials, has_region = bool(defined & found.credentials.keys()), not defined.isdisjoint(_REGION_VARIABLES)
    if has_credentials and has_region and _STS_VARIABLE in defined:
        return dict(container)
    added: dict[str, str] = {}
    if found.regional_sts and _STS_VARIABLE not in defined:
        added[_STS_VARIABLE] = "regional"
    if not has_region:
        added |= dict.fromkeys(_REGION_VARIABLES, region)
    if not has_credentials:
        added |= found.credentials
    if not any(each["name"] == found.volume for each in mounts):
        mounts = [*mounts, {"name": found.volume, "readOnly": True, "mountPath": found.mount_path}]
    variables = [{"name": name, "value": value} for name, value in added.items()]
    return {**container, "env": [*env, *variables], "volumeMounts": mounts}


def _label_operations(pod: Mapping[str, Any], found: CredentialInjection) -> list[Operation]:
    if not found.labels:
        return []
    if pod["metadata"].get("labels") is None:
        return [{"op": "add", "path": "/metadata/labels", "value": dict(found.labels)}]
    return [{"op": "add", "path": f"/metadata/labels/{key.replace('/', '~1')}", "value": value} for key, value in found.labels.items()]


def _volume_operations(pod: Mapping[str, Any], found: CredentialInjection) -> list[Operation]:
    """The volume of the token, unless the pod has a volume of that name, whatever it holds."""
    volumes = pod["spec"].get("volumes")
    if any(each["name"] == found.volume for each in volumes or ()):
        return []
    source = {"audience": found.audience, "expirationSeconds": found.expiration_s, "path": found.token_name}
    volume = {"name": found.volume, "projected": {"sources": [{"serviceAccountToken": source}], "defaultMode": 420}}
    if volumes is None:
        return [{"op": "add", "path": "/spec/volumes", "value": [volume]}]
    return [{"op": "add", "path": "/spec/volumes/0", "value": volume}]


def _skipped_containers(pod: Mapping[str, Any]) -> frozenset[str]:
    """The names in the pod's annotation, one line of comma-separated values. A blank is part of a name; a malformed line skips none."""
    text = _annotations(pod).get(f"{PREFIX}/skip-containers", "")
    try:
        return frozenset(next(csv.reader(text.splitlines(), strict=True), ()))
    except csv.Error:
        return frozenset()


def _annotations(pod: Mapping[str, Any]) -> Mapping[str, str]:
    return pod["metadata"].get("annotations") or {}
