"""The same few files in every spelling: comments, encodings, tabs, anchors, merge keys, duplicate keys.

CloudFormation documents YAML 1.1: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-formats.html
eksctl decodes strictly: https://github.com/eksctl-io/eksctl/blob/main/pkg/eks/api.go
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.unit.preflight.outcomes import outcome
from tests.unit.preflight.plan_builder import CNI_POLICY, ISSUER, WORKER_POLICY, PlanBuilder, irsa_trust, role_arn

if TYPE_CHECKING:
    from pathlib import Path

A = role_arn("cni")
HEAD = "apiVersion: eksctl.io/v1alpha5\nkind: ClusterConfig\nmetadata: {name: kite, region: eu-central-1}\n"
BARE = f"managedNodeGroups: [{{name: a, iam: {{attachPolicyARNs: [{WORKER_POLICY}]}}}}]\n"
OIDC = "iam: {withOIDC: true}\n"
ADDON = f"addons: [{{name: vpc-cni, serviceAccountRoleARN: {A}}}]\n"
FLOW = (
    f"{{apiVersion: eksctl.io/v1alpha5, kind: ClusterConfig, metadata: {{name: kite, region: eu-central-1}}, "
    f"iam: {{withOIDC: true}}, addons: [{{name: vpc-cni, serviceAccountRoleARN: {A}}}]}}"
)
CONFIG_JSON = json.dumps(
    {
        "apiVersion": "eksctl.io/v1alpha5",
        "kind": "ClusterConfig",
        "metadata": {"name": "kite", "region": "eu-central-1"},
        "iam": {"withOIDC": True},
        "addons": [{"name": "vpc-cni", "serviceAccountRoleARN": A}],
    },
    indent=2,
)
TEMPLATE = json.dumps(
    {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "see https://kite // not a comment",
        "Resources": {
            "Cni": {"Type": "AWS::EKS::Addon", "Properties": {"AddonName": "vpc-cni", "ClusterName": "kite", "ServiceAccountRoleArn": A}}
        },
    },
    indent=2,
)
TEMPLATE_LINES = TEMPLATE.splitlines()
PLAN = PlanBuilder().addon(before={"service_account_role_arn": A}, after={"service_account_role_arn": A}).json()
MANIFEST = (
    f"apiVersion: eks.services.k8s.aws/v1alpha1\nkind: Addon\nmetadata: {{name: cni}}\n"
    f"spec: {{name: vpc-cni, clusterName: kite, serviceAccountRoleARN: {A}}}\n"
)


def with_line(number: int, text: str) -> str:
    """The JSON template with one more line after this one."""
    return "\n".join([*TEMPLATE_LINES[:number], text, *TEMPLATE_LINES[number:]])


ADDON_RESOURCE = "Resources:\n  Cni: {Type: AWS::EKS::Addon, Properties: {AddonName: vpc-cni, ClusterName: kite, %s}}\n"
ROLE = (
    f"  Role: {{Type: AWS::IAM::Role, Properties: {{AssumeRolePolicyDocument: {json.dumps(irsa_trust())}, "
    f"ManagedPolicyArns: [{CNI_POLICY}]}}}}\n"
)
CONFIG, OPEN = HEAD + OIDC + ADDON, HEAD + OIDC
CASES: dict[str, tuple[str | bytes, list[str] | str]] = {
    "flow on one line": (FLOW, []),
    "flow template, url unquoted": (
        (
            "{Resources: {P: {Type: AWS::IAM::OIDCProvider, Properties: {Url: https://ISSUER}}, Cni: {Type: AWS::EKS::Addon, "
            "Properties: {AddonName: vpc-cni, ClusterName: kite, ServiceAccountRoleArn: ROLE}}}}"
        )
        .replace("ISSUER", ISSUER)
        .replace("ROLE", A),
        [],
    ),
    "flow, quoted keys, url unquoted": (
        (
            '{"Resources": {"P": {"Type": "AWS::IAM::OIDCProvider", "Properties": {"Url": https://ISSUER}}, '
            '"Cni": {"Type": "AWS::EKS::Addon", "Properties": {"AddonName": "vpc-cni", "ServiceAccountRoleArn": ROLE}}}}'
        )
        .replace("ISSUER", ISSUER)
        .replace("ROLE", A),
        [],
    ),
    "flow with hash comments": (FLOW.replace(", iam", ',\n # the "provider" {of // it}\n iam'), []),
    "hash comment at end of flow": (FLOW + " # done\n", []),
    "hash hides the role": (
        HEAD + BARE + OIDC.replace("true", "false") + f"addons: [{{name: vpc-cni # , serviceAccountRoleARN: {A}\n}}]\n",
        ["role-missing"],
    ),
    "hash without space is text": (CONFIG.replace("role/cni", "role/cni#1"), ["role-not-arn"]),
    "hash in quotes": (CONFIG.replace("name: vpc-cni,", 'name: vpc-cni, tags: {note: "a # b"},'), []),
    "JSON template": (TEMPLATE, []),
    "comment before JSON": ("// made by hand\n" + TEMPLATE, "1:1"),
    "block comment before JSON": ("/* made\n by hand */\n" + TEMPLATE, "1:1"),
    "line comment inside": (with_line(3, "    // the add-on"), "4:5"),
    "line comment after value": (TEMPLATE.replace('"kite",', '"kite", // blue'), "9:32"),
    "block comment inside": (with_line(4, "  /* x */"), "5:3"),
    "block comment of two lines": (with_line(5, "  /* x\n y */"), "6:3"),
    "comment and trailing comma": (TEMPLATE.replace('role/cni"', 'role/cni", // note'), "10:72"),
    "comment with quote": (with_line(3, "    // it's \"here"), "4:5"),
    "escaped quotes before comment": (TEMPLATE.replace("not a comment", 'a \\"//\\" b').replace('"vpc-cni",', '"vpc-cni", // x'), "8:33"),
    "hash comment in JSON": (with_line(3, "# note"), []),
    "JSON eksctl with comment": (CONFIG_JSON.replace('"iam"', '// irsa\n  "iam"'), "8:3"),
    "trailing separator": (CONFIG + "---\n", []),
    "trailing separator and comment": (CONFIG + "---\n# end\n", []),
    "leading separators": ("---\n---\n" + CONFIG, []),
    "leading comment and directive": ("# a\n%YAML 1.1\n---\n" + CONFIG, []),
    "document end": (CONFIG + "...\n", []),
    "document end and separator": (CONFIG + "...\n---\n...\n", []),
    "null document behind": (CONFIG + "--- ~\n", []),
    "trailing separator of template": (ADDON_RESOURCE % f"ServiceAccountRoleArn: {A}" + "---\n", []),
    "trailing separator of manifest": ("---\n" + MANIFEST + "---\n", []),
    "two documents": (CONFIG + "---\n" + HEAD, "7:1"),
    "only separators": ("---\n---\n", "unreadable"),
    "only comments": ("# a\n# b\n", "unreadable"),
    "tab before comment": (CONFIG.replace("}]\n", "}]\t# note\n"), []),
    "tab in flow": (CONFIG.replace(", ", ",\t"), []),
    "tab as indentation": (HEAD + "iam:\n\twithOIDC: true\n" + ADDON, "5:1"),
    "CRLF": ((CONFIG).replace("\n", "\r\n"), []),
    "CR": ((CONFIG).replace("\n", "\r"), []),
    "CRLF JSON": (TEMPLATE.replace("\n", "\r\n"), []),
    "CRLF and comment": (with_line(3, "    // x").replace("\n", "\r\n"), "4:5"),
    "BOM eksctl": (b"\xef\xbb\xbf" + (CONFIG).encode(), []),
    "BOM JSON": (b"\xef\xbb\xbf" + TEMPLATE.encode(), []),
    "BOM plan": (b"\xef\xbb\xbf" + PLAN.encode(), []),
    "BOM and separator": (b"\xef\xbb\xbf---\n" + (CONFIG).encode(), []),
    "BOM as text": ("\ufeff" + PLAN, []),
    "UTF-16 LE plan": (PLAN.encode("utf-16"), []),
    "UTF-16 BE eksctl": (b"\xfe\xff" + (CONFIG).encode("utf-16-be"), []),
    "UTF-16 LE without mark": (TEMPLATE.encode("utf-16-le"), []),
    "UTF-16 BE without mark": (PLAN.encode("utf-16-be"), []),
    "UTF-32": (PLAN.encode("utf-32"), []),
    "UTF-16 CRLF template": (TEMPLATE.replace("\n", "\r\n").encode("utf-16"), []),
    "Latin-1": ((HEAD + "# caf\xe9\n" + OIDC + ADDON).encode("latin-1"), "unreadable"),
    "emoji in comment": (HEAD + "# \U0001f986 kite\n" + OIDC + ADDON, []),
    "control character": (HEAD + "# \x07\n" + OIDC + ADDON, "4:3"),
    "anchor and merge": (
        OPEN + f"addons:\n  - &base {{name: vpc-cni, serviceAccountRoleARN: {A}}}\n  - {{<<: *base, name: coredns}}\n",
        [],
    ),
    "merge gives the role": (OPEN + "managedNodeGroups:\n  - &a {name: a, minSize: 1}\n  - {<<: *a, name: b}\n" + ADDON, []),
    "merge of two, first wins": (
        OPEN
        + (
            f"nodeGroups: [&x {{name: a, iam: &i {{attachPolicyARNs: [{CNI_POLICY}]}}}}, &y {{name: b, "
            f"iam: {{attachPolicyARNs: [{WORKER_POLICY}]}}}}, {{<<: [*x, *y], name: c}}]\n"
        )
        + ADDON,
        [],
    ),
    "unknown top key for anchors": (HEAD + "x-common: &c {name: vpc-cni}\n" + OIDC + "addons: [*c]\n", ["settings-refused"]),
    "alias of a list": (
        OPEN
        + (
            f"managedNodeGroups: [{{name: a, iam: {{attachPolicyARNs: &p [{CNI_POLICY}]}}}}]\n"
            f"addons: [{{name: vpc-cni, attachPolicyARNs: *p}}]\n"
        ),
        [],
    ),
    "merge without alias": (OPEN + f"addons: [{{name: vpc-cni, <<: {{serviceAccountRoleARN: {A}}}}}]\n", []),
    "merge after own key": (OPEN + f"addons: [{{serviceAccountRoleARN: {A}, <<: {{name: vpc-cni, serviceAccountRoleARN: todo}}}}]\n", []),
    "unknown alias": (HEAD + "addons: [*nothing]\n", "4:10"),
    "duplicate in flow": (OPEN + f"addons: [{{name: vpc-cni, serviceAccountRoleARN: {A}, name: vpc-cni}}]\n", ["duplicate-key"]),
    "duplicate with quotes": (
        OPEN + f'addons: [{{name: vpc-cni, "serviceAccountRoleARN": {A}, serviceAccountRoleARN: {A}}}]\n',
        ["duplicate-key"],
    ),
    "duplicate in JSON": (CONFIG_JSON.replace('"iam"', '"addons": [],\n  "iam"'), ["duplicate-key"]),
    "duplicate resource": (TEMPLATE.replace('"Cni"', '"Cni": {"Type": "AWS::SNS::Topic"}, "Cni"'), ["duplicate-key"]),
    "duplicate property in flow": (ADDON_RESOURCE % f"ServiceAccountRoleArn: {A}, ServiceAccountRoleArn: {A}", ["duplicate-key"]),
    "duplicate tag key in list is none": (
        ADDON_RESOURCE % f"ServiceAccountRoleArn: {A}, Tags: [{{Key: a, Value: b}}, {{Key: a, Value: c}}]",
        [],
    ),
    "duplicate in a manifest": (MANIFEST.replace("clusterName: kite", "clusterName: kite, clusterName: heron"), ["duplicate-key"]),
    "duplicate in another resource": (
        (ADDON_RESOURCE % f"ServiceAccountRoleArn: {A}") + "  T: {Type: AWS::SNS::Topic, Properties: {TopicName: a, TopicName: b}}\n",
        ["duplicate-key"],
    ),
    "true as text": (HEAD + "iam: {withOIDC: 'true'}\n" + ADDON, ["settings-refused"]),
    "yes": (HEAD + "iam: {withOIDC: yes}\n" + ADDON, []),
    "explicit key": (OPEN + f"addons:\n- ? name\n  : vpc-cni\n  ? serviceAccountRoleARN\n  : {A}\n", []),
    "block scalar with comment signs": (
        OPEN
        + (
            f'addons:\n- name: vpc-cni\n  serviceAccountRoleARN: {A}\n  configurationValues: |\n    {{"a": 1}} // x\n    --- # y\n'
            "    /* z */\n"
        ),
        [],
    ),
    "folded ARN": (OPEN + 'addons: [{name: vpc-cni, serviceAccountRoleARN: "arn:aws:iam::210987654321:\\\n    role/cni"}]\n', []),
    "block ARN": (OPEN + f"addons:\n- name: vpc-cni\n  serviceAccountRoleARN: >-\n    {A}\n", []),
    "block ARN with newline": (OPEN + f"addons:\n- name: vpc-cni\n  serviceAccountRoleARN: |\n    {A}\n", ["role-not-arn"]),
    "tagged text": (OPEN + f"addons: [{{name: !!str vpc-cni, serviceAccountRoleARN: {A}}}]\n", []),
    "GetAtt in flow": (ADDON_RESOURCE % "ServiceAccountRoleArn: !GetAtt Role.Arn" + ROLE, []),
    "GetAtt as list": (ADDON_RESOURCE % "ServiceAccountRoleArn: !GetAtt [Role, Arn]" + ROLE, []),
    "GetAtt in full": (ADDON_RESOURCE % "ServiceAccountRoleArn: {Fn::GetAtt: Role.Arn}" + ROLE, []),
    "Ref in full": (ADDON_RESOURCE % "ServiceAccountRoleArn: {Ref: Role}" + ROLE, ["role-not-arn"]),
    "unrendered template": (OPEN + "addons: [{name: vpc-cni, serviceAccountRoleARN: {{ role_arn }}}]\n", "5:50"),
    "unrendered in quotes": (OPEN + "addons: [{name: vpc-cni, serviceAccountRoleARN: '{{ role_arn }}'}]\n", ["role-not-arn"]),
    "unrendered statement": (HEAD + "{% if x %}\n" + OIDC + ADDON, "4:2"),
    "plan with a comment": (PLAN.replace('"resource_changes"', '\n// x\n"resource_changes"', 1), "2:1"),
    "plan with a hash comment": (PLAN.replace('"resource_changes"', '\n# x\n"resource_changes"', 1), "2:1"),
    "plan twice": (PLAN + "\n" + PLAN, "2:1"),
    "plan after a line of the wrapper": ("[command]/usr/bin/terraform show -json tfplan\n" + PLAN, "1:1"),
    "plan cut": (PLAN[: len(PLAN) // 2], "1:322"),
    "state": (json.dumps({"format_version": "1.0", "terraform_version": "1.9", "values": {"root_module": {}}}), "1:1"),
    "human plan": ("Terraform will perform the following actions:\n  # aws_eks_addon.cni\n", "1:1"),
    "no changes": ("No changes. Your infrastructure matches the configuration.\n", "1:1"),
    "eksctl's own tags in a template": (
        ADDON_RESOURCE % f"ServiceAccountRoleArn: {A}, Tags: [{{Key: alpha.eksctl.io/version, Value: b}}]",
        [],
    ),
}


@pytest.mark.parametrize(("content", "expected"), CASES.values(), ids=CASES)
def test_each_spelling_has_the_expected_outcome(content: str | bytes, expected: list[str] | str, tmp_path: Path) -> None:
    assert outcome(tmp_path, content) == expected
