"""cfn-lint as an independent judge of the intrinsic functions that give the add-on its role.

The command does not import it: it loads for seconds and installs 37 MB, for a few functions of one resource type.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from cfnlint.api import lint

from preflight.cloudformation.reader import read
from preflight.rules import Level

if TYPE_CHECKING:
    from collections.abc import Callable

ISSUER = "oidc.eks.eu-west-1.amazonaws.com/id/AAAA"
BY_POD_IDENTITY = {"Effect": "Allow", "Principal": {"Service": "pods.eks.amazonaws.com"}, "Action": ["sts:AssumeRole", "sts:TagSession"]}
BY_SERVICE_ACCOUNT = {
    "Effect": "Allow",
    "Principal": {"Federated": f"arn:aws:iam::111122223333:oidc-provider/{ISSUER}"},
    "Action": "sts:AssumeRoleWithWebIdentity",
    "Condition": {"StringEquals": {f"{ISSUER}:sub": "system:serviceaccount:kube-system:aws-node"}},
}


def by_association(role: object) -> dict[str, Any]:
    return {"PodIdentityAssociations": [{"ServiceAccount": "aws-node", "RoleArn": role}]}


def by_annotation(role: object) -> dict[str, Any]:
    return {"ServiceAccountRoleArn": role}


def template_with(properties: dict[str, Any]) -> str:
    policy = {"Version": "2012-10-17", "Statement": [BY_POD_IDENTITY, BY_SERVICE_ACCOUNT]}
    managed = ["arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy"]
    role = {"Type": "AWS::IAM::Role", "Properties": {"ManagedPolicyArns": managed, "AssumeRolePolicyDocument": policy}}
    addon = {"Type": "AWS::EKS::Addon", "Properties": {"AddonName": "vpc-cni", "ClusterName": "prod-blue", **properties}}
    return json.dumps({"Resources": {"Role": role, "Cni": addon}})


@pytest.mark.parametrize(
    ("value", "is_right"),
    [
        ({"Fn::GetAtt": ["Role", "Arn"]}, True),
        ({"Ref": "Role"}, False),
        ({"Fn::GetAtt": ["Role", "RoleId"]}, False),
        ({"Fn::GetAtt": ["Rolle", "Arn"]}, False),
    ],
)
@pytest.mark.parametrize("form", [by_association, by_annotation])
def test_preflight_and_cfn_lint_agree_about_a_role(form: Callable[[object], dict[str, Any]], value: object, is_right: bool) -> None:
    template = template_with(form(value))
    errors = [match for match in lint(template, regions=["eu-west-1"]) if match.rule.id.startswith("E")]
    findings = [finding for finding in read(template, "template.json") if finding.rule.level is Level.ERROR]
    assert (not errors, not findings) == (is_right, is_right), (errors, findings)
