"""A response of a double that does not fit the service model is an error."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.aws.http_messages import Request
from sandbox.aws.model_check import ModelMismatch, checked
from sandbox.aws.service_model import operation_of, service_model

if TYPE_CHECKING:
    from sandbox.aws.local_aws import LocalAws

_GOOD = {"addon": {"addonName": "vpc-cni", "status": "ACTIVE", "createdAt": datetime(2026, 1, 1, tzinfo=UTC), "tags": {"a": "b"}}}


def _output(operation: str) -> Any:
    return service_model("eks").operation_model(operation).output_shape


def test_a_valid_response_becomes_json() -> None:
    assert checked(_output("DescribeAddon"), _GOOD)["addon"]["createdAt"] == 1767225600.0


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"serviceAccountRoleARN": "x"}, "no such member"),
        ({"status": "GREEN"}, "is none of"),
        ({"createdAt": "2026-01-01"}, "expected timestamp"),
        ({"tags": {"a": 1}}, "expected string"),
        ({"health": {"issues": [{"kode": "x"}]}}, "kode"),
        ({"health": {"issues": {}}}, "expected list"),
        ({"addonName": None}, "expected string"),
        ({"addonName": True}, "expected string"),
    ],
)
def test_an_invalid_response_names_the_member(change: dict[str, Any], told: str) -> None:
    with pytest.raises(ModelMismatch, match=told):
        checked(_output("DescribeAddon"), {"addon": {**_GOOD["addon"], **change}})


def test_a_missing_required_member_is_reported() -> None:
    shape = service_model("eks").operation_model("UpdateAddon").input_shape
    with pytest.raises(ModelMismatch, match=r"addonName: required"):
        checked(shape, {"clusterName": "demo"})


def test_an_invalid_response_of_the_double_fails_the_call(aws: LocalAws, eks: Any) -> None:
    aws.eks.state.cluster("demo").addons["vpc-cni"]["serviceAccountRole"] = "x"
    with pytest.raises(ModelMismatch, match="serviceAccountRole"):
        aws.eks(Request("GET", "/clusters/demo/addons/vpc-cni", headers=_SIGNED))


_SIGNED = {"authorization": "AWS4-HMAC-SHA256 Credential=K/20260101/eu-west-1/eks/aws4_request, SignedHeaders=host, Signature=0"}


@pytest.mark.parametrize(
    ("method", "path", "operation", "params"),
    [
        ("GET", "/addons/supported-versions", "DescribeAddonVersions", {}),
        ("GET", "/clusters/a/addons/b", "DescribeAddon", {"name": "a", "addonName": "b"}),
        ("POST", "/clusters/a/addons/b/update", "UpdateAddon", {"name": "a", "addonName": "b"}),
        ("GET", "/clusters/a/access-entries/arn%3Ax%2Fy", "DescribeAccessEntry", {"name": "a", "principalArn": "arn:x/y"}),
        ("DELETE", "/clusters/a/pod-identity-associations/i", "DeletePodIdentityAssociation", {"name": "a", "associationId": "i"}),
    ],
)
def test_a_path_is_routed_by_the_model(method: str, path: str, operation: str, params: dict[str, str]) -> None:
    found = operation_of(service_model("eks"), Request(method, path))
    assert found is not None
    assert (found[0].name, found[1]) == (operation, params)
