"""Templates with conditions, rules, loops, functions and nested stacks, and files that are given together.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.preflight.outcomes import outcome
from tests.unit.preflight.plan_builder import (
    ACCOUNT,
    CNI_POLICY,
    EC2_TRUST,
    PlanBuilder,
    irsa_trust,
    role_arn,
)

if TYPE_CHECKING:
    from pathlib import Path

ARN = role_arn("cni")


def template(resources: Any, **blocks: Any) -> Any:
    return json.dumps({**blocks, "Resources": resources})


def addon(**p: Any) -> Any:
    return {"Type": "AWS::EKS::Addon", "Properties": {"AddonName": "vpc-cni", "ClusterName": "kite", **p}}


def under_condition(body: Any, condition: Any) -> Any:
    return {**body, "Condition": condition}


def role(trust: Any = None, policies: Any = (CNI_POLICY,), **p: Any) -> Any:
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {"AssumeRolePolicyDocument": trust or irsa_trust(), "ManagedPolicyArns": list(policies), **p},
    }


def association(**p: Any) -> Any:
    return {
        "Type": "AWS::EKS::PodIdentityAssociation",
        "Properties": {"ClusterName": "kite", "Namespace": "kube-system", "ServiceAccount": "aws-node", "RoleArn": ARN, **p},
    }


def nodes(role: str = "Node", **p: Any) -> Any:
    return {
        "Type": "AWS::EKS::Nodegroup",
        "DependsOn": "Cni",
        "Properties": {"ClusterName": "kite", "NodeRole": {"Fn::GetAtt": [role, "Arn"]}, **p},
    }


def ref(n: Any) -> Any:
    return {"Ref": n}


def get_att(n: Any, a: str = "Arn") -> Any:
    return {"Fn::GetAtt": [n, a]}


def choose(c: Any, a: Any, b: Any) -> Any:
    return {"Fn::If": [c, a, b]}


NO_VALUE = ref("AWS::NoValue")


def equals(a: Any, b: Any) -> Any:
    return {"Fn::Equals": [a, b]}


def negated(c: Any) -> Any:
    return {"Fn::Not": [c]}


EMPTY = {"RoleArn": {"Type": "String", "Default": ""}}
GIVEN = {"Given": negated(equals(ref("RoleArn"), ""))}
MAKE = {"Make": equals(ref("RoleArn"), "")}
ROLE_ARN = "ServiceAccountRoleArn"
WRONG = irsa_trust("system:serviceaccount:kube-system:vpc-cni")


def node_role(*p: Any) -> Any:
    return role(EC2_TRUST, p)


CLUSTER = {"Type": "AWS::EKS::Cluster", "Properties": {"Name": "kite", "RoleArn": ARN}}
BARE_CLUSTER = {"Type": "AWS::EKS::Cluster", "Properties": {"Name": "kite", "BootstrapSelfManagedAddons": False}}
EXTENSIONS = {"Transform": "AWS::LanguageExtensions"}


def loop(var: Any, values: Any, body: Any) -> Any:
    return [var, values, body]


def looped(**p: Any) -> Any:
    return {"Type": "AWS::EKS::Addon", "Properties": {"ClusterName": "kite", **p}}


INCLUDE = {"Name": "AWS::Include", "Parameters": {"Location": "s3://b/k"}}
CASES: dict[str, tuple[Any, ...]] = {
    # conditions
    "given or made": (
        template(
            {"Cni": addon(**{ROLE_ARN: choose("Make", get_att("Role"), ref("RoleArn"))}), "Role": under_condition(role(), "Make")},
            Parameters=EMPTY,
            Conditions=MAKE,
        ),
        [],
    ),
    "given or made, negated": (
        template(
            {"Cni": addon(**{ROLE_ARN: choose("Given", ref("RoleArn"), get_att("Role"))}), "Role": under_condition(role(), "Make")},
            Parameters=EMPTY,
            Conditions=MAKE | GIVEN,
        ),
        [],
    ),
    "given or made, by reference": (
        template(
            {"Cni": addon(**{ROLE_ARN: choose("Given", ref("RoleArn"), get_att("Role"))}), "Role": role()},
            Parameters=EMPTY,
            Conditions=MAKE | {"Given": negated({"Condition": "Make"})},
        ),
        [],
    ),
    "given or made, the wrong way": (
        template(
            {"Cni": addon(**{ROLE_ARN: choose("Make", ref("RoleArn"), get_att("Role"))}), "Role": role()}, Parameters=EMPTY, Conditions=MAKE
        ),
        ["role-unknown"],
    ),
    "given or made, made wrong": (
        template(
            {"Cni": addon(**{ROLE_ARN: choose("Make", get_att("Role"), ref("RoleArn"))}), "Role": under_condition(role(WRONG), "Make")},
            Parameters=EMPTY,
            Conditions=MAKE,
        ),
        ["trust-wrong"],
    ),
    "given or nothing": (
        template({"Cni": addon(**{ROLE_ARN: choose("Given", ref("RoleArn"), NO_VALUE)})}, Parameters=EMPTY, Conditions=GIVEN),
        ["role-unknown"],
    ),
    "given or nothing, nodes with the policy": (
        template(
            {"Cni": addon(**{ROLE_ARN: choose("Given", ref("RoleArn"), NO_VALUE)}), "G": nodes(), "Node": node_role(CNI_POLICY)},
            Parameters=EMPTY,
            Conditions=GIVEN,
        ),
        [],
    ),
    "role in one environment": (
        template(
            {"Cni": addon(**{ROLE_ARN: choose("Prod", ARN, NO_VALUE)})},
            Parameters={"Env": {"Type": "String", "AllowedValues": ["dev", "prod"]}},
            Conditions={"Prod": equals(ref("Env"), "prod")},
        ),
        ["role-unknown"],
    ),
    "role in every environment": (
        template(
            {"Cni": addon(**{ROLE_ARN: choose("Prod", ARN, role_arn("dev"))})},
            Parameters={"Env": {"Type": "String"}},
            Conditions={"Prod": equals(ref("Env"), "prod")},
        ),
        [],
    ),
    "three environments, all named": (
        template(
            {"Cni": addon(**{ROLE_ARN: choose("Prod", ARN, choose("Dev", ARN, NO_VALUE))})},
            Parameters={"Env": {"Type": "String", "AllowedValues": ["dev", "prod"]}},
            Conditions={"Prod": equals(ref("Env"), "prod"), "Dev": equals(ref("Env"), "dev")},
        ),
        [],
    ),
    "three environments, one left": (
        template(
            {"Cni": addon(**{ROLE_ARN: choose("Prod", ARN, choose("Dev", ARN, NO_VALUE))})},
            Parameters={"Env": {"Type": "String", "AllowedValues": ["dev", "prod", "test"]}},
            Conditions={"Prod": equals(ref("Env"), "prod"), "Dev": equals(ref("Env"), "dev")},
        ),
        ["role-unknown"],
    ),
    "role or association": (
        template(
            {"Cni": addon(**{ROLE_ARN: choose("Irsa", ARN, NO_VALUE)}), "Pia": under_condition(association(), "Pods")},
            Parameters={"Mode": {"Type": "String", "AllowedValues": ["irsa", "pods"]}},
            Conditions={"Irsa": equals(ref("Mode"), "irsa"), "Pods": equals(ref("Mode"), "pods")},
        ),
        [],
    ),
    "role or association, negated": (
        template(
            {"Cni": addon(**{ROLE_ARN: choose("Irsa", ARN, NO_VALUE)}), "Pia": under_condition(association(), "Pods")},
            Parameters={"Mode": {"Type": "String"}},
            Conditions={"Irsa": equals(ref("Mode"), "irsa"), "Pods": negated({"Condition": "Irsa"})},
        ),
        [],
    ),
    "association in some cases alone": (
        template(
            {"Cni": addon(), "Pia": under_condition(association(), "Pods")},
            Parameters={"Mode": {"Type": "String"}},
            Conditions={"Pods": equals(ref("Mode"), "pods")},
        ),
        ["role-unknown"],
    ),
    "add-on and association under one condition": (
        template(
            {"Cni": under_condition(addon(), "Pods"), "Pia": under_condition(association(), "Pods")},
            Parameters={"Mode": {"Type": "String"}},
            Conditions={"Pods": equals(ref("Mode"), "pods")},
        ),
        [],
    ),
    "two add-ons under opposite conditions": (
        template(
            {
                "Cni": under_condition(addon(), "Pods"),
                "Pia": under_condition(association(), "Pods"),
                "Cni2": under_condition(addon(**{ROLE_ARN: ARN}), "Irsa"),
            },
            Parameters={"Mode": {"Type": "String"}},
            Conditions={"Pods": equals(ref("Mode"), "pods"), "Irsa": negated({"Condition": "Pods"})},
        ),
        [],
    ),
    "add-on under a condition, without a role": (
        template({"Cni": under_condition(addon(), "C")}, Parameters={"M": {"Type": "String"}}, Conditions={"C": equals(ref("M"), "a")}),
        ["role-missing"],
    ),
    "and, or": (
        template(
            {"Cni": addon(**{ROLE_ARN: choose("Both", ARN, choose("Neither", ARN, NO_VALUE))})},
            Parameters={"M": {"Type": "String"}, "N": {"Type": "String"}},
            Conditions={
                "X": equals(ref("M"), "a"),
                "Y": equals(ref("N"), "a"),
                "Both": {"Fn::And": [{"Condition": "X"}, {"Condition": "Y"}]},
                "Neither": negated({"Fn::Or": [{"Condition": "X"}, {"Condition": "Y"}]}),
            },
        ),
        ["role-unknown"],
    ),
    "or and its opposite": (
        template(
            {"Cni": addon(**{ROLE_ARN: choose("Any", ARN, choose("Neither", ARN, NO_VALUE))})},
            Parameters={"M": {"Type": "String"}, "N": {"Type": "String"}},
            Conditions={
                "X": equals(ref("M"), "a"),
                "Y": equals(ref("N"), "a"),
                "Any": {"Fn::Or": [{"Condition": "X"}, {"Condition": "Y"}]},
                "Neither": negated({"Condition": "Any"}),
            },
        ),
        [],
    ),
    "policies by condition": (
        template(
            {"Cni": addon(**{ROLE_ARN: get_att("Role")}), "Role": role(ManagedPolicyArns=[choose("C", CNI_POLICY, NO_VALUE)])},
            Parameters={"M": {"Type": "String"}},
            Conditions={"C": equals(ref("M"), "a")},
        ),
        ["policy-missing"],
    ),
    "IPv4 or IPv6 policy": (
        template(
            {
                "Cni": addon(**{ROLE_ARN: get_att("Role")}),
                "Role": role(
                    ManagedPolicyArns=[
                        choose("C", CNI_POLICY, {"Fn::Sub": "arn:aws:iam::${AWS::AccountId}:policy/AmazonEKS_CNI_IPv6_Policy"})
                    ]
                ),
            },
            Parameters={"M": {"Type": "String"}},
            Conditions={"C": equals(ref("M"), "a")},
        ),
        [],
    ),
    "node group under a condition": (
        template(
            {"Cni": addon(), "G": under_condition(nodes(), "C"), "Node": node_role(CNI_POLICY)},
            Parameters={"M": {"Type": "String"}},
            Conditions={"C": equals(ref("M"), "a")},
        ),
        ["role-unknown"],
    ),
    "empty properties of associations": (template({"Cni": addon(PodIdentityAssociations=[])}), ["role-missing"]),
    # rules
    "rule demands the parameter": (
        template(
            {"Cni": addon(**{ROLE_ARN: ref("RoleArn")})},
            Parameters=EMPTY,
            Rules={"R": {"Assertions": [{"Assert": negated(equals(ref("RoleArn"), ""))}]}},
        ),
        [],
    ),
    "rule under a condition": (
        template(
            {"Cni": addon(**{ROLE_ARN: ref("RoleArn")})},
            Parameters=EMPTY | {"E": {"Type": "String"}},
            Rules={"R": {"RuleCondition": equals(ref("E"), "prod"), "Assertions": [{"Assert": negated(equals(ref("RoleArn"), ""))}]}},
        ),
        ["role-unknown"],
    ),
    "rule lists the values": (
        template(
            {"Cni": addon(**{ROLE_ARN: ref("RoleArn")})},
            Parameters=EMPTY,
            Rules={"R": {"Assertions": [{"Assert": {"Fn::Contains": [[ARN, role_arn("b")], ref("RoleArn")]}}]}},
        ),
        [],
    ),
    "rule about another parameter": (
        template(
            {"Cni": addon(**{ROLE_ARN: ref("RoleArn")})},
            Parameters=EMPTY | {"E": {"Type": "String"}},
            Rules={"R": {"Assertions": [{"Assert": negated(equals(ref("E"), ""))}]}},
        ),
        ["role-unknown"],
    ),
    # functions
    "Sub with a map": (template({"Cni": addon(**{ROLE_ARN: {"Fn::Sub": ["${R}", {"R": get_att("Role")}]}}), "Role": role()}), []),
    "Sub with a map, Ref": (
        template({"Cni": addon(**{ROLE_ARN: {"Fn::Sub": ["${R}", {"R": ref("Role")}]}}), "Role": role()}),
        ["role-not-arn"],
    ),
    "Sub of a name alone": (template({"Cni": addon(**{ROLE_ARN: {"Fn::Sub": "${AWS::StackName}-cni"}})}), ["role-not-arn"]),
    "Sub of a name behind text": (template({"Cni": addon(**{ROLE_ARN: {"Fn::Sub": "cni-${AWS::Region}"}})}), ["role-not-arn"]),
    "Sub by role name of the template": (
        template(
            {
                "Cni": addon(**{ROLE_ARN: {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/kite-cni"}}),
                "Role": role(WRONG, RoleName="kite-cni"),
            }
        ),
        ["trust-wrong"],
    ),
    "Sub by Ref of the role": (
        template({"Cni": addon(**{ROLE_ARN: {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/${Role}"}}), "Role": role()}),
        [],
    ),
    "Sub with a parameter": (
        template(
            {"Cni": addon(**{ROLE_ARN: {"Fn::Sub": "arn:aws:iam::${AWS::AccountId}:role/${Name}"}})},
            Parameters={"Name": {"Type": "String"}},
        ),
        [],
    ),
    "Join with colons": (
        template({"Cni": addon(**{ROLE_ARN: {"Fn::Join": [":", ["arn", "aws", "iam", "", ref("AWS::AccountId"), "role/cni"]]}})}),
        [],
    ),
    "Join of a policy": (
        template({"Cni": addon(**{ROLE_ARN: {"Fn::Join": [":", ["arn", "aws", "iam", "", ref("AWS::AccountId"), "policy/cni"]]}})}),
        ["role-not-arn"],
    ),
    "Select of Split": (
        template(
            {"Cni": addon(**{ROLE_ARN: {"Fn::Select": [0, {"Fn::Split": [",", ref("Roles")]}]}})}, Parameters={"Roles": {"Type": "String"}}
        ),
        [],
    ),
    "map by region": (
        template(
            {"Cni": addon(**{ROLE_ARN: {"Fn::FindInMap": ["M", ref("AWS::Region"), "arn"]}})},
            Mappings={"M": {"eu-west-1": {"arn": ARN}, "us-east-1": {"arn": ARN}}},
        ),
        [],
    ),
    "map by region, one empty": (
        template(
            {"Cni": addon(**{ROLE_ARN: {"Fn::FindInMap": ["M", ref("AWS::Region"), "arn"]}})},
            Mappings={"M": {"eu-west-1": {"arn": ARN}, "us-east-1": {"arn": ""}}},
        ),
        ["role-unknown"],
    ),
    "map by account, a placeholder in the key that is not used": (
        template(
            {"Cni": addon(**{ROLE_ARN: {"Fn::FindInMap": ["M", "prod", "arn"]}})},
            Mappings={"M": {"prod": {"arn": ARN}, "dev": {"arn": "TODO"}}},
        ),
        [],
    ),
    "map whose name is a parameter": (
        template(
            {"Cni": addon(**{ROLE_ARN: {"Fn::FindInMap": [ref("Which"), "a", "arn"]}})},
            Mappings={"M": {"a": {"arn": ARN}}},
            Parameters={"Which": {"Type": "String"}},
            **EXTENSIONS,
        ),
        [],
    ),
    "map whose key is a Sub": (
        template(
            {"Cni": addon(**{ROLE_ARN: {"Fn::FindInMap": ["M", {"Fn::Sub": "${E}-a"}, "arn"]}})},
            Mappings={"M": {"x-a": {"arn": ARN}}},
            Parameters={"E": {"Type": "String"}},
            **EXTENSIONS,
        ),
        [],
    ),
    "map inside a Sub": (
        template(
            {"Cni": addon(**{ROLE_ARN: {"Fn::Sub": ["arn:aws:iam::${Id}:role/cni", {"Id": {"Fn::FindInMap": ["M", "a", "id"]}}]}})},
            Mappings={"M": {"a": {"id": ACCOUNT}}},
        ),
        [],
    ),
    "output of a nested stack": (
        template(
            {
                "Cni": addon(**{ROLE_ARN: get_att("Iam", "Outputs.RoleArn")}),
                "Iam": {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": "https://b/iam.yaml"}},
            }
        ),
        [],
    ),
    "attribute of a custom resource": (
        template({"Cni": addon(**{ROLE_ARN: get_att("Maker", "RoleArn")}), "Maker": {"Type": "Custom::Role", "Properties": {}}}),
        [],
    ),
    "ARN of a function": (
        template({"Cni": addon(**{ROLE_ARN: get_att("F")}), "F": {"Type": "AWS::Lambda::Function", "Properties": {}}}),
        ["role-not-arn"],
    ),
    "ARN of the cluster": (template({"Cni": addon(**{ROLE_ARN: get_att("C")}), "C": CLUSTER}), ["role-not-arn"]),
    "value of an SSM parameter": (
        template(
            {
                "Cni": addon(**{ROLE_ARN: get_att("P", "Value")}),
                "P": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": ARN}},
            }
        ),
        [],
    ),
    "parameter in Parameter Store": (
        template(
            {"Cni": addon(**{ROLE_ARN: ref("P")})},
            Parameters={"P": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/kite/cni-role"}},
        ),
        [],
    ),
    "import with Sub": (
        template({"Cni": addon(**{ROLE_ARN: {"Fn::ImportValue": {"Fn::Sub": "${Net}-role"}}})}, Parameters={"Net": {"Type": "String"}}),
        [],
    ),
    "secret": (template({"Cni": addon(**{ROLE_ARN: "{{resolve:secretsmanager:cni:SecretString:arn}}"})}), []),
    "pattern demands an ARN": (
        template({"Cni": addon(**{ROLE_ARN: ref("P")})}, Parameters={"P": {"Type": "String", "AllowedPattern": "arn:.+"}}),
        [],
    ),
    # loops
    "loop with the role for all": (
        template(
            {"Fn::ForEach::A": loop("Name", ["vpc-cni", "coredns"], {"Addon${Name}": looped(AddonName=ref("Name"), **{ROLE_ARN: ARN})})},
            **EXTENSIONS,
        ),
        [],
    ),
    "loop without a role": (
        template(
            {"Fn::ForEach::A": loop("Name", ["vpc-cni", "coredns"], {"Addon&{Name}": looped(AddonName={"Fn::Sub": "${Name}"})})},
            **EXTENSIONS,
        ),
        ["role-missing"],
    ),
    "loop, role by map": (
        template(
            {
                "Fn::ForEach::A": loop(
                    "Name",
                    ["vpc-cni", "coredns"],
                    {"Addon&{Name}": looped(AddonName=ref("Name"), **{ROLE_ARN: {"Fn::FindInMap": ["M", ref("Name"), "arn"]}})},
                )
            },
            Mappings={"M": {"vpc-cni": {"arn": ARN}, "coredns": {"arn": ""}}},
            **EXTENSIONS,
        ),
        [],
    ),
    "loop, role by map, empty for vpc-cni": (
        template(
            {
                "Fn::ForEach::A": loop(
                    "Name",
                    ["vpc-cni", "coredns"],
                    {"Addon&{Name}": looped(AddonName=ref("Name"), **{ROLE_ARN: {"Fn::FindInMap": ["M", ref("Name"), "arn"]}})},
                )
            },
            Mappings={"M": {"vpc-cni": {"arn": ""}, "coredns": {"arn": ARN}}},
            **EXTENSIONS,
        ),
        ["role-missing"],
    ),
    "loop over other add-ons": (
        template(
            {"Fn::ForEach::A": loop("Name", ["coredns", "kube-proxy"], {"Addon&{Name}": looped(AddonName=ref("Name"))})}, **EXTENSIONS
        ),
        [],
    ),
    "loop over a parameter": (
        template(
            {"Fn::ForEach::A": loop("Name", ref("Names"), {"Addon&{Name}": looped(AddonName=ref("Name"))})},
            Parameters={"Names": {"Type": "CommaDelimitedList"}},
            **EXTENSIONS,
        ),
        ["addon-unknown"],
    ),
    "loop over a parameter, vpc-cni beside": (
        template(
            {
                "Cni": addon(**{ROLE_ARN: ARN}),
                "Fn::ForEach::A": loop("N", ref("Names"), {"T&{N}": {"Type": "AWS::SNS::Topic", "Properties": {}}}),
            },
            Parameters={"Names": {"Type": "CommaDelimitedList"}},
            **EXTENSIONS,
        ),
        [],
    ),
    "loop over clusters": (
        template(
            {
                "Fn::ForEach::C": loop(
                    "C",
                    ["a", "b"],
                    {
                        "Cni${C}": {
                            "Type": "AWS::EKS::Addon",
                            "Properties": {"AddonName": "vpc-cni", "ClusterName": ref("C"), ROLE_ARN: get_att("Role${C}")},
                        },
                        "Role${C}": role(),
                    },
                )
            },
            **EXTENSIONS,
        ),
        [],
    ),
    "loop over clusters, roles wrong": (
        template(
            {
                "Fn::ForEach::C": loop(
                    "C",
                    ["a", "b"],
                    {
                        "Cni${C}": {
                            "Type": "AWS::EKS::Addon",
                            "Properties": {"AddonName": "vpc-cni", "ClusterName": ref("C"), ROLE_ARN: get_att("Role${C}")},
                        },
                        "Role${C}": role(WRONG),
                    },
                )
            },
            **EXTENSIONS,
        ),
        ["trust-wrong"],
    ),
    "loop in a loop": (
        template(
            {
                "Fn::ForEach::C": loop(
                    "C",
                    ["a", "b"],
                    {
                        "Fn::ForEach::N": loop(
                            "N",
                            ["vpc-cni", "coredns"],
                            {"Addon${C}&{N}": {"Type": "AWS::EKS::Addon", "Properties": {"AddonName": ref("N"), "ClusterName": ref("C")}}},
                        )
                    },
                )
            },
            **EXTENSIONS,
        ),
        ["role-missing"],
    ),
    "SAM template": (
        template(
            {"Cni": addon(**{ROLE_ARN: get_att("Role")}), "Role": role(), "F": {"Type": "AWS::Serverless::Function", "Properties": {}}},
            Transform="AWS::Serverless-2016-10-31",
        ),
        [],
    ),
    "SAM template, wrong": (
        template(
            {"Cni": addon(**{ROLE_ARN: get_att("Role")}), "Role": role(WRONG)},
            Transform=["AWS::LanguageExtensions", "AWS::Serverless-2016-10-31"],
        ),
        ["trust-wrong"],
    ),
    "include in a trust policy": (
        template({"Cni": addon(**{ROLE_ARN: get_att("Role")}), "Role": role({"Fn::Transform": INCLUDE})}),
        ["trust-unknown"],
    ),
    "include of policies": (
        template({"Cni": addon(**{ROLE_ARN: get_att("Role")}), "Role": role(ManagedPolicyArns={"Fn::Transform": INCLUDE})}),
        [],
    ),
    "include beside the role": (template({"Cni": addon(**{ROLE_ARN: ARN, "Fn::Transform": INCLUDE})}), []),
    # nested stacks and clusters without plug-ins
    "no plug-in, nested stack": (
        template({"C": BARE_CLUSTER, "Addons": {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": "https://b/k.yaml"}}}),
        ["addon-unknown"],
    ),
    "no plug-in, nested stack given": (
        template({"C": BARE_CLUSTER, "Addons": {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": "https://b/k.yaml"}}}),
        template({"Cni": addon(**{ROLE_ARN: ARN})}),
        [],
    ),
    "no plug-in, add-on in another template": (template({"C": BARE_CLUSTER}), template({"Cni": addon(**{ROLE_ARN: ARN})}), []),
    "no plug-in, add-on for another cluster": (
        template({"C": BARE_CLUSTER}),
        template({"Cni": addon(**{ROLE_ARN: ARN, "ClusterName": "heron"})}),
        ["no-network-plugin"],
    ),
    "no plug-in, chart of CDK": (
        template({"C": BARE_CLUSTER, "H": {"Type": "Custom::AWSCDK-EKS-HelmChart", "Properties": {"Chart": "cilium"}}}),
        [],
    ),
    "no plug-in, Helm type": (
        template({"C": BARE_CLUSTER, "H": {"Type": "AWSQS::Kubernetes::Helm", "Properties": {"Chart": "cilium/cilium"}}}),
        [],
    ),
    "Fargate alone": (template({"Cni": addon(), "F": {"Type": "AWS::EKS::FargateProfile", "Properties": {"ClusterName": "kite"}}}), []),
    "cluster of CDK, nodes with the policy": (
        template(
            {
                "C": {"Type": "Custom::AWSCDK-EKS-Cluster", "Properties": {}},
                "Cni": addon(ClusterName=ref("C")),
                "G": nodes(ClusterName=ref("C")),
                "Node": role(
                    EC2_TRUST,
                    (),
                    ManagedPolicyArns=[{"Fn::Join": ["", ["arn:", ref("AWS::Partition"), ":iam::aws:policy/AmazonEKS_CNI_Policy"]]}],
                ),
            }
        ),
        [],
    ),
    "node role by parameter": (
        template({"Cni": addon(), "G": nodes(NodeRole=ref("R"))}, Parameters={"R": {"Type": "String"}}),
        ["role-unknown"],
    ),
    "node role by its name": (
        template(
            {
                "Cni": addon(),
                "G": nodes(NodeRole={"Fn::Sub": "arn:aws:iam::${AWS::AccountId}:role/n"}),
                "Node": role(EC2_TRUST, (CNI_POLICY,), RoleName="n"),
            }
        ),
        [],
    ),
    "policy that names the role": (
        template(
            {
                "Cni": addon(**{ROLE_ARN: get_att("Role")}),
                "Role": role(policies=()),
                "P": {
                    "Type": "AWS::IAM::ManagedPolicy",
                    "Properties": {
                        "Roles": [ref("Role")],
                        "PolicyDocument": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}]},
                    },
                },
            }
        ),
        [],
    ),
    "role made in another template": (
        template({"Cni": addon(**{ROLE_ARN: role_arn("kite-cni")})}),
        template({"Role": role(RoleName="kite-cni")}),
        [],
    ),
    "role made in another template, wrong": (
        template({"Cni": addon(**{ROLE_ARN: role_arn("kite-cni")})}),
        template({"Role": role(WRONG, RoleName="kite-cni")}),
        ["trust-wrong"],
    ),
    "role made in another template, no policy": (
        template({"Cni": addon(**{ROLE_ARN: role_arn("kite-cni")})}),
        template({"Role": role(policies=(), RoleName="kite-cni")}),
        ["policy-missing"],
    ),
    "role made in a plan, wrong": (
        template({"Cni": addon(**{ROLE_ARN: role_arn("cni")})}),
        PlanBuilder().role(trust=WRONG, new=True).json(),
        ["trust-wrong"],
    ),
    "role made in a plan, right": (template({"Cni": addon(**{ROLE_ARN: role_arn("cni")})}), PlanBuilder().role(new=True).json(), []),
    "role of another account": (
        template({"Cni": addon(**{ROLE_ARN: role_arn("cni").replace(ACCOUNT, "111122223333")})}),
        PlanBuilder().role(trust=WRONG).json(),
        [],
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_each_file_has_the_expected_outcome(case: tuple[Any, ...], tmp_path: Path) -> None:
    *contents, expected = case
    assert outcome(tmp_path, *contents) == expected
