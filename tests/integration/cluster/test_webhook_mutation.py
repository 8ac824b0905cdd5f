"""The mutation of pods by the identity webhook, as measured at the real one."""

from __future__ import annotations

from typing import Any

import pytest
from jsonpatch import JsonPatch

from sandbox.cluster import aws_node
from sandbox.webhook.mutation import mutate

ROLE = "arn:aws:iam::111122223333:role/demo-vpc-cni"
DOMAIN = "eks.amazonaws.com"
ANNOTATED = {f"{DOMAIN}/role-arn": ROLE}
ASSOCIATION = {"roleArn": "arn:aws:iam::111122223333:role/associated"}
REGION = "eu-west-1"
TOKEN = "/var/run/secrets/eks.amazonaws.com/serviceaccount/token"
AGENT_TOKEN = "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount/eks-pod-identity-token"
STS = {"AWS_STS_REGIONAL_ENDPOINTS": "regional"}
REGIONS = {"AWS_DEFAULT_REGION": REGION, "AWS_REGION": REGION}
WEB_IDENTITY = {"AWS_ROLE_ARN": ROLE, "AWS_WEB_IDENTITY_TOKEN_FILE": TOKEN}
AGENT = {
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/v1/credentials",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": AGENT_TOKEN,
}
DRAWN_S = 80000


def _pod(**spec: Any) -> dict[str, Any]:
    """A pod with the container `app`."""
    container = {"name": "app", "env": [{"name": name, "value": value} for name, value in spec.pop("env", {}).items()]}
    container |= {"volumeMounts": spec.pop("mounts")} if "mounts" in spec else {}
    metadata = {key: spec.pop(key) for key in ("labels", "annotations") if key in spec}
    return {"metadata": {"name": "p", **metadata}, "spec": {"containers": [container], **spec}}


def _mutated(pod: dict[str, Any], annotations: dict[str, str], association: dict[str, str] | None = None) -> dict[str, Any]:
    patch = mutate(pod, annotations, association, region=REGION, jittered=lambda: DRAWN_S)
    patched: dict[str, Any] = JsonPatch(patch).apply(pod)
    return patched


def _env(pod: dict[str, Any], index: int = 0) -> dict[str, str]:
    return {each["name"]: each["value"] for each in pod["spec"]["containers"][index].get("env", ())}


def _token(pod: dict[str, Any]) -> dict[str, Any]:
    (source,) = pod["spec"]["volumes"][0]["projected"]["sources"]
    token: dict[str, Any] = source["serviceAccountToken"]
    return token


ENVIRONMENTS: dict[str, tuple[dict[str, Any], dict[str, str], dict[str, str] | None, dict[str, str]]] = {
    "web identity": ({}, {}, None, STS | REGIONS | WEB_IDENTITY),
    "pod identity": ({}, {}, ASSOCIATION, STS | REGIONS | AGENT),
    "own role": ({"env": {"AWS_ROLE_ARN": "own"}}, {}, None, {"AWS_ROLE_ARN": "own"} | STS | REGIONS),
    "own token file": (
        {"env": {"AWS_WEB_IDENTITY_TOKEN_FILE": "own"}},
        {},
        None,
        {"AWS_WEB_IDENTITY_TOKEN_FILE": "own"} | STS | REGIONS,
    ),
    "own role and an association": ({"env": {"AWS_ROLE_ARN": "own"}}, {}, ASSOCIATION, {"AWS_ROLE_ARN": "own"} | STS | REGIONS | AGENT),
    "own agent address": (
        {"env": {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "own"}},
        {},
        ASSOCIATION,
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "own"} | STS | REGIONS,
    ),
    "one region variable": ({"env": {"AWS_REGION": "us-east-1"}}, {}, None, {"AWS_REGION": "us-east-1"} | STS | WEB_IDENTITY),
    "own sts endpoint": (
        {"env": {"AWS_STS_REGIONAL_ENDPOINTS": "legacy"}},
        {},
        None,
        {"AWS_STS_REGIONAL_ENDPOINTS": "legacy"} | REGIONS | WEB_IDENTITY,
    ),
    "regional True": ({}, {f"{DOMAIN}/sts-regional-endpoints": "True"}, None, STS | REGIONS | WEB_IDENTITY),
    "regional 0": ({}, {f"{DOMAIN}/sts-regional-endpoints": "0"}, None, REGIONS | WEB_IDENTITY),
    "regional 0 and an association": ({}, {f"{DOMAIN}/sts-regional-endpoints": "0"}, ASSOCIATION, REGIONS | AGENT),
    "regional no": ({}, {f"{DOMAIN}/sts-regional-endpoints": "no"}, None, STS | REGIONS | WEB_IDENTITY),
    "volume of that name": ({"volumes": [{"name": "aws-iam-token", "emptyDir": {}}]}, {}, None, STS | REGIONS | WEB_IDENTITY),
    "mount of that name": ({"mounts": [{"name": "aws-iam-token", "mountPath": "/x"}]}, {}, None, STS | REGIONS | WEB_IDENTITY),
    "skipped": ({"annotations": {f"{DOMAIN}/skip-containers": "other,app"}}, {}, None, {}),
    "skipped with a blank": ({"annotations": {f"{DOMAIN}/skip-containers": "other, app"}}, {}, None, STS | REGIONS | WEB_IDENTITY),
    "skipped by a malformed line": ({"annotations": {f"{DOMAIN}/skip-containers": '"app'}}, {}, None, STS | REGIONS | WEB_IDENTITY),
    "windows": (
        {"nodeSelector": {"kubernetes.io/os": "windows"}},
        {},
        None,
        STS | REGIONS | {"AWS_ROLE_ARN": ROLE, "AWS_WEB_IDENTITY_TOKEN_FILE": "C:" + TOKEN.replace("/", "\\")},
    ),
    "windows by the old label": (
        {"nodeSelector": {"beta.kubernetes.io/os": "windows"}},
        {},
        ASSOCIATION,
        STS | REGIONS | AGENT | {"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "C:" + AGENT_TOKEN.replace("/", "\\")},
    ),
}


@pytest.mark.parametrize(("spec", "annotations", "association", "expected"), ENVIRONMENTS.values(), ids=ENVIRONMENTS)
def test_the_environment_of_a_container(
    spec: dict[str, Any], annotations: dict[str, str], association: dict[str, str] | None, expected: dict[str, str]
) -> None:
    assert _env(_mutated(_pod(**spec), ANNOTATED | annotations, association)) == expected


EXPIRATION = f"{DOMAIN}/token-expiration"
EXPIRATIONS: dict[str, tuple[str | None, str | None, int, int]] = {
    "none": (None, None, 86400, DRAWN_S),
    "service account": (None, "3600", 3600, 3600),
    "pod": ("7200", "3600", 7200, 7200),
    "below ten minutes": (None, "599", 600, 600),
    "negative": ("-1", None, 600, 600),
    "above a day": ("90000", None, 90000, 90000),
    "the default in words": ("86400", "3600", 86400, DRAWN_S),
    "no number": (None, "1h", 86400, DRAWN_S),
    "no number in the pod": ("1h", "3600", 3600, 3600),
    "underscore": ("7_200", None, 86400, DRAWN_S),
    "blank": (" 7200", None, 86400, DRAWN_S),
    "empty": ("", None, 86400, DRAWN_S),
    "too long a number": ("9223372036854775808", None, 86400, DRAWN_S),
}


@pytest.mark.parametrize(("of_pod", "of_account", "web_identity", "pod_identity"), EXPIRATIONS.values(), ids=EXPIRATIONS)
def test_the_life_time_of_a_token(of_pod: str | None, of_account: str | None, web_identity: int, pod_identity: int) -> None:
    pod = _pod(annotations={} if of_pod is None else {EXPIRATION: of_pod})
    annotations = ANNOTATED | ({} if of_account is None else {EXPIRATION: of_account})
    lifetimes = [_token(_mutated(pod, annotations, association))["expirationSeconds"] for association in (None, ASSOCIATION)]
    assert lifetimes == [web_identity, pod_identity]


VOLUMES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "no volumes": ({}, ["aws-iam-token"]),
    "empty list": ({"volumes": []}, ["aws-iam-token"]),
    "others": ({"volumes": [{"name": "data"}]}, ["aws-iam-token", "data"]),
    "one of that name": ({"volumes": [{"name": "data"}, {"name": "aws-iam-token"}]}, ["data", "aws-iam-token"]),
}


@pytest.mark.parametrize(("spec", "expected"), VOLUMES.values(), ids=VOLUMES)
def test_the_volumes_of_a_pod(spec: dict[str, Any], expected: list[str]) -> None:
    pod = _mutated(_pod(**spec), ANNOTATED)
    assert [each["name"] for each in pod["spec"]["volumes"]] == expected
    (mount,) = pod["spec"]["containers"][0]["volumeMounts"]
    assert mount == {"name": "aws-iam-token", "readOnly": True, "mountPath": TOKEN.removesuffix("/token")}


@pytest.mark.parametrize("labels", [{}, {"app": "web"}, None], ids=["empty", "one", "none"])
def test_pod_identity_labels_the_pod(labels: dict[str, str] | None) -> None:
    pod = _pod() if labels is None else _pod(labels=labels)
    assert _mutated(pod, ANNOTATED, ASSOCIATION)["metadata"]["labels"] == {**(labels or {}), f"{DOMAIN}/pod-identity": "enabled"}
    assert _mutated(pod, ANNOTATED)["metadata"].get("labels") == labels


def test_a_pod_without_a_role_is_left_alone() -> None:
    assert mutate(_pod(), {"eks.amazon.com/role-arn": ROLE}, region=REGION) == []


def test_every_container_of_the_plug_in_gets_the_role() -> None:
    template = aws_node.daemon_set()["spec"]["template"]
    pod = {"metadata": {"name": "p", "labels": template["metadata"]["labels"]}, "spec": template["spec"]}
    spec = _mutated(pod, ANNOTATED)["spec"]
    for container in (*spec["containers"], *spec["initContainers"]):
        assert {each["name"]: each.get("value") for each in container["env"]}.items() >= WEB_IDENTITY.items()
    assert _token(_mutated(pod, ANNOTATED)) == {"audience": "sts.amazonaws.com", "expirationSeconds": 86400, "path": "token"}


def test_the_audience_can_be_chosen_for_web_identity_alone() -> None:
    chosen = ANNOTATED | {f"{DOMAIN}/audience": "other"}
    audiences = [_token(_mutated(_pod(), chosen, association))["audience"] for association in (None, ASSOCIATION)]
    assert audiences == ["other", "pods.eks.amazonaws.com"]


@pytest.mark.parametrize("association", [None, ASSOCIATION], ids=["web identity", "pod identity"])
def test_mutating_again_changes_nothing_by_a_patch_that_is_not_empty(association: dict[str, str] | None) -> None:
    once = _mutated(_pod(), ANNOTATED, association)
    assert mutate(once, ANNOTATED, association, region=REGION)
    assert _mutated(once, ANNOTATED, association) == once
