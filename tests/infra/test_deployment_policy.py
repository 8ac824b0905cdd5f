"""The policy of the documentation covers every resource type of the templates, fits IAM's limit, and grants no more services."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from tests.infra.templates import ROOT, Template

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

POLICY: Final[Mapping[str, Any]] = json.loads((ROOT / "docs" / "deployment-policy.json").read_text(encoding="utf-8"))
MAX_CHARACTERS: Final = 6_144
"""Of a managed policy, without white space. Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""
SERVICES: Final = {"CloudWatch": "cloudwatch"}
CREATED_BY: Final = {
    "AWS::EKS::AccessEntry": "eks:CreateAccessEntry",
    "AWS::IAM::Role": "iam:CreateRole",
    "AWS::IAM::ManagedPolicy": "iam:CreatePolicy",
    "AWS::KMS::Key": "kms:CreateKey",
    "AWS::Logs::LogGroup": "logs:CreateLogGroup",
    "AWS::Logs::SubscriptionFilter": "logs:PutSubscriptionFilter",
    "AWS::CloudWatch::Alarm": "cloudwatch:PutMetricAlarm",
    "AWS::CloudWatch::Dashboard": "cloudwatch:PutDashboard",
}
"""The call that creates a resource, for services of which the policy names single actions."""
BESIDE_THE_RESOURCES: Final = {"ec2", "s3", "ssm"}
"""The network is described, and CDK's bucket and version are read."""


def actions() -> Iterator[str]:
    for statement in POLICY["Statement"]:
        yield from [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]


def service(resource_type: str) -> str:
    return resource_type.split("::")[1].lower()


def resource_types(maximal: Mapping[str, Template]) -> set[str]:
    return {resource["Type"] for template in maximal.values() for resource in template["Resources"].values()}


def test_the_policy_allows_the_creation_of_every_resource(maximal: Mapping[str, Template]) -> None:
    allowed = set(actions())
    missing = {
        name for name in resource_types(maximal) if f"{service(name)}:*" not in allowed and CREATED_BY.get(name, "no call") not in allowed
    }
    assert missing == set()


def test_the_policy_names_no_other_service(maximal: Mapping[str, Template]) -> None:
    named = {action.split(":")[0] for action in actions()}
    assert named == {service(name) for name in resource_types(maximal)} | BESIDE_THE_RESOURCES


def test_each_role_and_function_of_a_template_has_a_name_that_the_policy_covers(maximal: Mapping[str, Template]) -> None:
    assert all(name.startswith("EksIrsaRemediator") for name in maximal)
    named = [
        (resource["Type"], value)
        for template in maximal.values()
        for resource in template["Resources"].values()
        for key, value in resource.get("Properties", {}).items()
        if key in ("FunctionName", "RoleName", "TopicName", "QueueName", "TableName") and resource["Type"].count("::") == 2
    ]
    fixed = [value for kind, value in named if isinstance(value, str) and kind in ("AWS::Lambda::Function", "AWS::SNS::Topic")]
    assert fixed
    assert [value for value in fixed if not re.match("eks-irsa-remediator|EksIrsaRemediator", value)] == []


def test_roles_are_passed_to_services_of_the_template_alone() -> None:
    (statement,) = [item for item in POLICY["Statement"] if item["Action"] == "iam:PassRole"]
    assert "lambda.amazonaws.com" in statement["Condition"]["StringEquals"]["iam:PassedToService"]
    assert statement["Resource"] == "arn:aws:iam::*:role/EksIrsaRemediator*"


def test_the_policy_fits_one_managed_policy() -> None:
    assert len(json.dumps(POLICY, separators=(",", ":"))) <= MAX_CHARACTERS
