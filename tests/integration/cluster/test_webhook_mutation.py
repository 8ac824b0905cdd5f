"""The mutation of pods by the identity webhook."""

from __future__ import annotations

from typing import Any

import pytest
from jsonpatch import JsonPatch

from sandbox.cluster import aws_node
from sandbox.webhook.mutation import mutate

ROLE = "arn:aws:iam::111122223333:role/demo-vpc-cni"
ANNOTATED = {"eks.amazonaws.com/role-arn": ROLE}
ASSOCIATION = {"roleArn": "arn:aws:iam::111122223333:role/associated"}


def _pod() -> dict[str, Any]:
    template = aws_node.daemon_set()["spec"]["template"]
    return {"metadata": {"name": "p", "namespace": "kube-system", "labels": template["metadata"]["labels"]}, "spec": template["spec"]}


def _mutated(pod: dict[str, Any], annotations: dict[str, str], association: dict[str, str] | None = None) -> dict[str, Any]:
    patched: dict[str, Any] = JsonPatch(mutate(pod, annotations, association, region="eu-west-1")).apply(pod)
    return patched


def _env(container: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each.get("value", "") for each in container["env"]}


def test_a_pod_without_a_role_is_left_alone() -> None:
    assert mutate(_pod(), {"eks.amazon.com/role-arn": ROLE}) == []


def test_every_container_gets_the_role_the_token_and_the_region() -> None:
    spec = _mutated(_pod(), ANNOTATED)["spec"]
    for container in (*spec["containers"], *spec["initContainers"]):
        assert (
            _env(container).items()
            >= {
                "AWS_ROLE_ARN": ROLE,
                "AWS_WEB_IDENTITY_TOKEN_FILE": "/var/run/secrets/eks.amazonaws.com/serviceaccount/token",
                "AWS_REGION": "eu-west-1",
                "AWS_DEFAULT_REGION": "eu-west-1",
            }.items()
        )
        assert container["volumeMounts"][-1] == {
            "name": "aws-iam-token",
            "readOnly": True,
            "mountPath": "/var/run/secrets/eks.amazonaws.com/serviceaccount",
        }


def test_the_token_is_projected_for_sts_and_lives_a_day() -> None:
    volumes = {each["name"]: each for each in _mutated(_pod(), ANNOTATED)["spec"]["volumes"]}
    (source,) = volumes["aws-iam-token"]["projected"]["sources"]
    assert source["serviceAccountToken"] == {"audience": "sts.amazonaws.com", "expirationSeconds": 86400, "path": "token"}
    assert "cni-bin-dir" in volumes


def test_a_pod_without_volumes_gets_its_first() -> None:
    pod = _pod()
    del pod["spec"]["volumes"]
    assert [each["name"] for each in _mutated(pod, ANNOTATED)["spec"]["volumes"]] == ["aws-iam-token"]


@pytest.mark.parametrize(
    ("key", "value", "variable"),
    [("eks.amazonaws.com/sts-regional-endpoints", "true", {"AWS_STS_REGIONAL_ENDPOINTS": "regional"})],
)
def test_annotations_change_the_injected_variables(key: str, value: str, variable: dict[str, str]) -> None:
    assert _env(_mutated(_pod(), ANNOTATED | {key: value})["spec"]["containers"][0]).items() >= variable.items()
    assert not _env(_mutated(_pod(), ANNOTATED)["spec"]["containers"][0]).keys() & variable.keys()


def test_audience_and_life_time_can_be_chosen() -> None:
    chosen = ANNOTATED | {"eks.amazonaws.com/audience": "other", "eks.amazonaws.com/token-expiration": "3600"}
    token = _mutated(_pod(), chosen)["spec"]["volumes"][0]["projected"]["sources"][0]["serviceAccountToken"]
    assert (token["audience"], token["expirationSeconds"]) == ("other", 3600)


def test_a_container_that_has_a_role_keeps_it() -> None:
    pod = _pod()
    pod["spec"]["containers"][0]["env"].append({"name": "AWS_ROLE_ARN", "value": "mine"})
    first, second = _mutated(pod, ANNOTATED)["spec"]["containers"]
    assert _env(first)["AWS_ROLE_ARN"] == "mine"
    assert "AWS_WEB_IDENTITY_TOKEN_FILE" not in _env(first)
    assert _env(second)["AWS_ROLE_ARN"] == ROLE


def test_a_region_that_is_set_is_not_set_again() -> None:
    pod = _pod()
    pod["spec"]["containers"][0]["env"].append({"name": "AWS_REGION", "value": "us-east-1"})
    names = [each["name"] for each in _mutated(pod, ANNOTATED)["spec"]["containers"][0]["env"]]
    assert names.count("AWS_REGION") == 1


def test_containers_can_be_skipped() -> None:
    pod = _pod()
    pod["metadata"]["annotations"] = {"eks.amazonaws.com/skip-containers": "aws-eks-nodeagent, other"}
    first, second = _mutated(pod, ANNOTATED)["spec"]["containers"]
    assert "AWS_ROLE_ARN" in _env(first)
    assert "AWS_ROLE_ARN" not in _env(second)


def test_an_association_takes_precedence_over_the_annotation() -> None:
    spec = _mutated(_pod(), ANNOTATED, ASSOCIATION)["spec"]
    env = _env(spec["containers"][0])
    assert "AWS_ROLE_ARN" not in env
    assert env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] == "http://169.254.170.23/v1/credentials"
    assert env["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"].endswith("/eks-pod-identity-token")
    token = spec["volumes"][0]["projected"]["sources"][0]["serviceAccountToken"]
    assert token["audience"] == "pods.eks.amazonaws.com"


def test_mutating_again_changes_nothing() -> None:
    once = _mutated(_pod(), ANNOTATED)
    assert mutate(once, ANNOTATED) == []
