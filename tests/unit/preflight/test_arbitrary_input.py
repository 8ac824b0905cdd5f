"""For any input, a reader returns a result or raises its own error."""

import contextlib
import json
from typing import Any

import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from preflight import eksctl
from preflight.cloudformation import reader as cloudformation
from preflight.context import Context
from preflight.finding import MalformedFile
from preflight.formats import FORMATS
from preflight.outputs.document import document
from preflight.outputs.sarif import sarif
from preflight.report import FileReport, PreflightReport
from preflight.terraform import reader as terraform
from tests.unit.preflight.fixture_files import findings_in

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
ROLE = "arn:aws:iam::111122223333:role/r"
WORDS = st.sampled_from(
    [
        "vpc-cni",
        "aws_eks_addon",
        "aws_iam_role",
        "aws_eks_cluster",
        "c",
        "managed",
        ROLE,
        "OVERWRITE",
        "aws-node",
        "kube-system",
        "module.eks",
    ]
)


def json_of(keys: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    return st.recursive(
        SCALARS | WORDS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys | st.text(max_size=4), inner, max_size=5),
        max_leaves=20,
    )


ATTRIBUTES = st.sampled_from(
    [
        "addon_name",
        "addon_version",
        "service_account_role_arn",
        "pod_identity_association",
        "cluster_name",
        "resolve_conflicts",
        "preserve",
        "arn",
        "name",
        "namespace",
        "resolve_conflicts_on_update",
        "service_account",
        "role_arn",
        "identity",
        "oidc",
        "issuer",
        "assume_role_policy",
    ]
)
PARTS = st.sampled_from(
    [
        "resources",
        "module_calls",
        "child_modules",
        "module",
        "expressions",
        "references",
        "constant_value",
        "outputs",
        "expression",
        "source",
        "addons",
        "values",
        "root_module",
        "address",
        "mode",
        "type",
        "depends_on",
        "addon",
    ]
)
ANY = json_of(PARTS | ATTRIBUTES)


@st.composite
def changes(draw: st.DrawFn) -> Any:
    values = st.dictionaries(ATTRIBUTES, ANY, max_size=6) | ANY
    addon = {"addon_name": "vpc-cni", "cluster_name": "c"}
    change = {
        "actions": draw(st.lists(st.sampled_from(["create", "update", "delete", "no-op", "forget", "read"]), max_size=2) | ANY),
        "before": draw(st.none() | values | values.map(lambda item: addon | item if isinstance(item, dict) else item)),
        "after": draw(st.none() | values | values.map(lambda item: addon | item if isinstance(item, dict) else item)),
        "after_unknown": draw(st.dictionaries(ATTRIBUTES, st.just(value=True) | ANY, max_size=3) | ANY),
    }
    kinds = st.sampled_from(["aws_eks_addon", "aws_iam_role", "aws_eks_cluster", "aws_eks_node_group", "aws_eks_pod_identity_association"])
    return {"address": draw(SCALARS | WORDS), "module_address": draw(SCALARS | WORDS), "type": draw(kinds), "name": "n", "change": change}


@st.composite
def plans(draw: st.DrawFn) -> Any:
    return {
        "format_version": "1.2",
        "resource_changes": draw(st.lists(changes() | ANY, max_size=4)),
        "prior_state": draw(st.fixed_dictionaries({"values": st.fixed_dictionaries({"root_module": ANY})}) | ANY),
        "configuration": draw(st.fixed_dictionaries({"root_module": ANY}) | ANY),
    }


@settings(max_examples=120)
@given(plans())
def test_any_plan_is_answered_and_can_be_written(plan: Any) -> None:
    found = terraform.read(json.dumps(plan), "plan.json")
    report = PreflightReport(files=(FileReport(file="plan.json", kind="terraform-plan", findings=found),))
    json.dumps([document(report), sarif(report)])


@settings(max_examples=120)
@given(st.sampled_from(sorted(FORMATS)), ANY)
def test_any_json_is_answered_or_refused(kind: str, value: Any) -> None:
    answered_or_refused(kind, json.dumps(value))


@settings(max_examples=120)
@given(st.sampled_from(sorted(FORMATS)), st.text(max_size=60))
@example("eksctl", "kind: ClusterConfig\n? [a]\n: b")
@example("eksctl", "kind: ClusterConfig\naddons: [<<: 1]")
@example("eksctl", "<<: [1, 2]")
@example("template", "Resources: {Fn::ForEach::x: [!Ref a, !Foo b, {A: !If [1]}]}")
@example("template", "Resources: !Ref x")
@example("eksctl", "a: 0b_\nb: 190:20:30\nc: 2020-99-99")
def test_any_text_is_answered_or_refused(kind: str, text: str) -> None:
    answered_or_refused(kind, text)


TEMPLATE_KEYS = st.sampled_from(
    [
        "Type",
        "Properties",
        "AddonName",
        "ClusterName",
        "ServiceAccountRoleArn",
        "PodIdentityAssociations",
        "ResolveConflicts",
        "DependsOn",
        "Metadata",
        "Ref",
        "Fn::If",
        "Fn::Sub",
        "Fn::GetAtt",
        "Fn::Join",
        "Condition",
        "Fn::Transform",
    ]
)


@settings(max_examples=120)
@given(st.dictionaries(st.sampled_from(["A", "B", "Fn::ForEach::X"]), json_of(TEMPLATE_KEYS), max_size=3), json_of(TEMPLATE_KEYS))
def test_any_template_is_answered(resources: dict[str, Any], properties: Any) -> None:
    addon = {"Type": "AWS::EKS::Addon", "Properties": {"AddonName": "vpc-cni", "ServiceAccountRoleArn": properties}}
    group = {"Type": "AWS::EKS::Nodegroup", "Properties": properties}
    role = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": properties}}
    own = {"Type": "AWS::EKS::Addon", "Properties": {"AddonName": "vpc-cni", "ServiceAccountRoleArn": {"Fn::GetAtt": ["Role", "Arn"]}}}
    parameters = {"A": properties}
    template = {"Resources": {**resources, "Cni": addon, "Nodes": group, "Role": role, "Own": own}, "Parameters": parameters}
    cloudformation.read(
        json.dumps(template), "t.json", Context(providers={"blue": "arn:aws:iam::111122223333:oidc-provider/oidc.eks/id/A"})
    )
    cloudformation.read(yaml.safe_dump(template), "t.yaml")


@settings(max_examples=120)
@given(
    json_of(
        st.sampled_from(["Statement", "Version", "Effect", "Principal", "Federated", "Action", "Condition", "StringEquals", "${A}:sub"])
    )
)
def test_any_trust_policy_of_a_template_is_answered(policy: Any) -> None:
    statement = {"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity", "Principal": policy, "Condition": policy}
    for written in (policy, {"Statement": policy}, {"Statement": [policy, statement]}, {"Fn::Sub": json.dumps(policy)}):
        role = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": written}}
        addon = {
            "Type": "AWS::EKS::Addon",
            "Properties": {"AddonName": "vpc-cni", "ServiceAccountRoleArn": {"Fn::GetAtt": ["Role", "Arn"]}},
        }
        found = cloudformation.read(json.dumps({"Resources": {"Role": role, "Cni": addon}}), "t.json")
        assert {item.rule.name for item in found} <= {"trust-wrong", "trust-unknown", "policy-missing"}


EKSCTL_KEYS = st.sampled_from(
    [
        "name",
        "serviceAccountRoleARN",
        "attachPolicyARNs",
        "attachPolicy",
        "wellKnownPolicies",
        "podIdentityAssociations",
        "resolveConflicts",
        "useDefaultPodIdentityAssociations",
        "withOIDC",
        "enabled",
        "namespace",
        "serviceAccountName",
    ]
)


@settings(max_examples=120)
@given(json_of(EKSCTL_KEYS), json_of(EKSCTL_KEYS), json_of(EKSCTL_KEYS))
def test_any_eksctl_file_is_answered(addon: Any, iam: Any, config: Any) -> None:
    mine = {"name": "vpc-cni"} | (addon if isinstance(addon, dict) else {"attachPolicy": addon})
    file = {"kind": "ClusterConfig", "addons": [mine, addon], "iam": iam, "addonsConfig": config, "autoModeConfig": config}
    eksctl.read(yaml.safe_dump(file), "c.yaml")


def answered_or_refused(kind: str, text: str) -> None:
    with contextlib.suppress(MalformedFile):
        findings_in(kind, text, "f")
