"""ClusterConfigs with what eksctl does to aws-node in each, or refuses.

Source: https://github.com/eksctl-io/eksctl at 99984ad: pkg/actions/addon and pkg/apis/eksctl.io/v1alpha5/validation.go
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.unit.preflight.outcomes import outcome
from tests.unit.preflight.plan_builder import (
    ACCOUNT,
    CNI_POLICY,
    EC2_TRUST,
    WORKER_POLICY,
    PlanBuilder,
    irsa_trust,
    role_arn,
)

if TYPE_CHECKING:
    from pathlib import Path

ARN = role_arn("cni")
ROLE_ARN = "serviceAccountRoleARN"
OIDC = {"iam": {"withOIDC": True}}
DEFAULT_NODES = {"managedNodeGroups": [{"name": "a"}]}
BARE_NODES = {"managedNodeGroups": [{"name": "a", "iam": {"attachPolicyARNs": [WORKER_POLICY]}}]}
AGENT = {"name": "eks-pod-identity-agent"}


def config(addon: Any = None, *others: Any, **extra: Any) -> Any:
    listed = ([{"name": "vpc-cni", **addon}] if addon is not None else []) + list(others)
    return yaml.safe_dump(
        {
            "apiVersion": "eksctl.io/v1alpha5",
            "kind": "ClusterConfig",
            "metadata": {"name": "kite", "region": "eu-central-1"},
            **extra,
            **({"addons": listed} if listed else {}),
        },
        sort_keys=False,
    )


def association(**p: Any) -> Any:
    return {"namespace": "kube-system", "serviceAccountName": "aws-node", "permissionPolicyARNs": [CNI_POLICY], **p}


IPV6 = {"kubernetesNetworkConfig": {"ipFamily": "IPv6"}}
COREDNS, PROXY = {"name": "coredns"}, {"name": "kube-proxy"}


def allowing(*a: Any) -> Any:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": list(a), "Resource": "*"}]}


WRONG = irsa_trust("system:serviceaccount:default:aws-node")
CASES: dict[str, tuple[Any, ...]] = {
    # create without OIDC: the role is ignored; with default nodes they have the policy
    "role, OIDC false, default nodes": (config({ROLE_ARN: ARN}, iam={"withOIDC": False}, **DEFAULT_NODES), []),
    "role, OIDC false, bare nodes": (config({ROLE_ARN: ARN}, iam={"withOIDC": False}, **BARE_NODES), ["role-missing"]),
    "role, OIDC false, bare self-managed nodes": (
        config({ROLE_ARN: ARN}, nodeGroups=[{"name": "a", "iam": {"attachPolicyARNs": [WORKER_POLICY]}}]),
        ["role-missing"],
    ),
    "attachPolicy without OIDC, bare": (config({"attachPolicy": allowing("ec2:*")}, **BARE_NODES), ["role-missing"]),
    "attachPolicy with OIDC": (
        config({"attachPolicy": allowing("ec2:AssignPrivateIpAddresses", "ec2:AttachNetworkInterface")}, **OIDC, **BARE_NODES),
        [],
    ),
    "attachPolicy with OIDC, other actions": (config({"attachPolicy": allowing("s3:GetObject")}, **OIDC, **BARE_NODES), ["policy-missing"]),
    "attachPolicy with NotAction": (
        config(
            {"attachPolicy": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}]}},
            **OIDC,
            **BARE_NODES,
        ),
        [],
    ),
    "attachPolicyARNs of the account": (config({"attachPolicyARNs": [f"arn:aws:iam::{ACCOUNT}:policy/mine"]}, **OIDC, **BARE_NODES), []),
    "attachPolicyARNs in China": (config({"attachPolicyARNs": ["arn:aws-cn:iam::aws:policy/AmazonEKS_CNI_Policy"]}, **OIDC), []),
    "attachPolicyARNs empty, OIDC": (config({"attachPolicyARNs": []}, **OIDC, **BARE_NODES), []),
    "wellKnownPolicies with OIDC": (config({"wellKnownPolicies": {"autoScaler": True}}, **OIDC), ["policy-missing"]),
    "wellKnownPolicies all false, OIDC": (config({"wellKnownPolicies": {"autoScaler": False}}, **OIDC), []),
    "wellKnownPolicies without OIDC, default nodes": (
        config({"wellKnownPolicies": {"autoScaler": True}}, **DEFAULT_NODES),
        ["policy-missing"],
    ),
    "role and policies": (config({ROLE_ARN: ARN, "attachPolicyARNs": [CNI_POLICY]}, **OIDC), ["settings-refused"]),
    "role and well-known": (config({ROLE_ARN: ARN, "wellKnownPolicies": {"certManager": True}}, **OIDC), ["settings-refused"]),
    "role and all-false well-known": (config({ROLE_ARN: ARN, "wellKnownPolicies": {"certManager": False}}, **OIDC), []),
    "policies and associations": (
        config({"attachPolicyARNs": [CNI_POLICY], "podIdentityAssociations": [association()]}, AGENT, **OIDC),
        ["settings-refused"],
    ),
    "role and empty associations": (config({ROLE_ARN: ARN, "podIdentityAssociations": []}, **OIDC), []),
    # associations
    "associations empty, no role, bare": (config({"podIdentityAssociations": []}, **BARE_NODES), ["role-dropped"]),
    "useDefaultPodIdentityAssociations": (config({"useDefaultPodIdentityAssociations": True}, AGENT, **BARE_NODES), []),
    "useDefault false, bare": (config({"useDefaultPodIdentityAssociations": False}, AGENT, **BARE_NODES), ["role-missing"]),
    "useDefault beside a role with OIDC": (
        config({"useDefaultPodIdentityAssociations": True, ROLE_ARN: ARN}, AGENT, **OIDC),
        ["settings-refused"],
    ),
    "auto apply beside a role without OIDC, bare": (
        config({ROLE_ARN: ARN}, AGENT, addonsConfig={"autoApplyPodIdentityAssociations": True}, **BARE_NODES),
        ["role-missing"],
    ),
    "auto apply beside well-known all false": (
        config({"wellKnownPolicies": {"autoScaler": False}}, AGENT, addonsConfig={"autoApplyPodIdentityAssociations": True}, **BARE_NODES),
        [],
    ),
    "auto apply, bare": (config({}, AGENT, addonsConfig={"autoApplyPodIdentityAssociations": True}, **BARE_NODES), []),
    "association with a role": (
        config(
            {"podIdentityAssociations": [{"namespace": "kube-system", "serviceAccountName": "aws-node", "roleARN": ARN}]},
            AGENT,
            **BARE_NODES,
        ),
        [],
    ),
    "association with a placeholder": (
        config(
            {
                "podIdentityAssociations": [
                    {"namespace": "kube-system", "serviceAccountName": "aws-node", "roleARN": "arn:aws:iam::ACCOUNT_ID:role/x"}
                ]
            },
            AGENT,
            **BARE_NODES,
        ),
        ["role-not-arn"],
    ),
    "association with another policy": (
        config({"podIdentityAssociations": [association(permissionPolicyARNs=[WORKER_POLICY])]}, AGENT),
        ["policy-missing"],
    ),
    "association with an inline policy": (
        config(
            {
                "podIdentityAssociations": [
                    {"namespace": "kube-system", "serviceAccountName": "aws-node", "permissionPolicy": allowing("ec2:*")}
                ]
            },
            AGENT,
        ),
        [],
    ),
    "association with well-known policies alone": (
        config(
            {
                "podIdentityAssociations": [
                    {"namespace": "kube-system", "serviceAccountName": "aws-node", "wellKnownPolicies": {"autoScaler": True}}
                ]
            },
            AGENT,
        ),
        ["settings-refused"],
    ),
    "association without a namespace": (
        config({"podIdentityAssociations": [{"serviceAccountName": "aws-node", "permissionPolicyARNs": [CNI_POLICY]}]}, AGENT),
        ["settings-refused"],
    ),
    "association without a ServiceAccount": (
        config({"podIdentityAssociations": [{"namespace": "kube-system", "permissionPolicyARNs": [CNI_POLICY]}]}, AGENT),
        ["settings-refused"],
    ),
    "two associations, one right": (
        config({"podIdentityAssociations": [association(), association(serviceAccountName="b")]}, AGENT),
        ["association-mismatch"],
    ),
    "association under iam": (config({}, AGENT, iam={"podIdentityAssociations": [association()]}, **BARE_NODES), []),
    "association under iam for another": (
        config({}, AGENT, iam={"podIdentityAssociations": [association(serviceAccountName="b")]}, **BARE_NODES),
        ["role-missing"],
    ),
    "association under iam without the policy": (
        config({}, AGENT, iam={"podIdentityAssociations": [association(permissionPolicyARNs=[WORKER_POLICY])]}, **BARE_NODES),
        ["policy-missing"],
    ),
    "association under iam with a placeholder": (
        config(
            {},
            AGENT,
            iam={"podIdentityAssociations": [{"namespace": "kube-system", "serviceAccountName": "aws-node", "roleARN": "TODO"}]},
            **BARE_NODES,
        ),
        ["role-not-arn"],
    ),
    "agent in upper case": (config({"podIdentityAssociations": [association()]}, {"name": "EKS-Pod-Identity-Agent"}), []),
    # what eksctl refuses
    "IPv6 without OIDC and agent": (config({}, COREDNS, PROXY, **IPV6, **DEFAULT_NODES), ["settings-refused"]),
    "IPv6 with OIDC": (config({}, COREDNS, PROXY, **IPV6, **DEFAULT_NODES, **OIDC), []),
    "IPv6 without coredns": (config({}, PROXY, **IPV6, **OIDC), ["settings-refused"]),
    "IPv6 with the agent and no association": (config({}, COREDNS, AGENT, **IPV6, **DEFAULT_NODES), ["settings-refused"]),
    "IPv6 with the agent and an association": (
        config({"useDefaultPodIdentityAssociations": True}, COREDNS, AGENT, **IPV6, **DEFAULT_NODES),
        [],
    ),
    "IPv6 in Auto Mode": (config(autoModeConfig={"enabled": True}, **IPV6), []),
    "service accounts without OIDC": (
        config(
            {}, iam={"serviceAccounts": [{"metadata": {"name": "a", "namespace": "b"}, "attachPolicyARNs": [CNI_POLICY]}]}, **DEFAULT_NODES
        ),
        ["settings-refused"],
    ),
    "service accounts with OIDC": (
        config(
            {},
            iam={"withOIDC": True, "serviceAccounts": [{"metadata": {"name": "a", "namespace": "b"}, "attachPolicyARNs": [CNI_POLICY]}]},
            **DEFAULT_NODES,
        ),
        [],
    ),
    "Karpenter without OIDC": (config({}, karpenter={"version": "1.0"}, **DEFAULT_NODES), ["settings-refused"]),
    "Karpenter with OIDC": (config({}, karpenter={"version": "1.0"}, **OIDC), []),
    "key of the association in another case": (
        config({"podIdentityAssociations": [{"namespace": "kube-system", "serviceAccountName": "aws-node", "roleArn": ARN}]}, AGENT),
        ["settings-refused"],
    ),
    "version as a number": (config({ROLE_ARN: ARN, "version": 1.19}, **OIDC), []),
    "resolveConflicts overwrite": (config({ROLE_ARN: ARN, "resolveConflicts": "overwrite"}, **OIDC), []),
    # nodes
    "OIDC, default nodes, no add-on role needed": (config({}, **OIDC, **DEFAULT_NODES), []),
    "node policies with the CNI policy": (
        config({}, managedNodeGroups=[{"name": "a", "iam": {"attachPolicyARNs": [WORKER_POLICY, CNI_POLICY]}}]),
        [],
    ),
    "node policies with a policy of the account": (
        config({}, managedNodeGroups=[{"name": "a", "iam": {"attachPolicyARNs": [WORKER_POLICY, f"arn:aws:iam::{ACCOUNT}:policy/net"]}}]),
        ["role-unknown"],
    ),
    "node inline policy": (
        config({}, managedNodeGroups=[{"name": "a", "iam": {"attachPolicyARNs": [WORKER_POLICY], "attachPolicy": allowing("ec2:*")}}]),
        [],
    ),
    "node add-on policies alone": (config({}, managedNodeGroups=[{"name": "a", "iam": {"withAddonPolicies": {"ebs": True}}}]), []),
    "one group bare, one default": (
        config({}, managedNodeGroups=[{"name": "a"}, {"name": "b", "iam": {"attachPolicyARNs": [WORKER_POLICY]}}]),
        ["role-missing"],
    ),
    "instance profile": (
        config({}, nodeGroups=[{"name": "a", "iam": {"instanceProfileARN": f"arn:aws:iam::{ACCOUNT}:instance-profile/x"}}]),
        ["role-unknown"],
    ),
    "instance role made in a plan": (
        config({}, managedNodeGroups=[{"name": "a", "iam": {"instanceRoleARN": role_arn("node")}}]),
        PlanBuilder().role("node", EC2_TRUST, new=True, policies=(CNI_POLICY,)).json(),
        [],
    ),
    "instance role made in a plan, bare": (
        config({}, managedNodeGroups=[{"name": "a", "iam": {"instanceRoleARN": role_arn("node")}}]),
        PlanBuilder().role("node", EC2_TRUST, new=True, policies=(WORKER_POLICY,)).json(),
        ["role-missing"],
    ),
    "Fargate and no role": (config({}, fargateProfiles=[{"name": "f", "selectors": [{"namespace": "a"}]}]), []),
    "Fargate and bare nodes": (
        config({}, fargateProfiles=[{"name": "f", "selectors": [{"namespace": "a"}]}], **BARE_NODES),
        ["role-missing"],
    ),
    "Auto Mode and vpc-cni": (config({}, autoModeConfig={"enabled": True}), []),
    "Auto Mode, vpc-cni and bare nodes": (config({}, autoModeConfig={"enabled": True}, **BARE_NODES), ["role-missing"]),
    "Auto Mode off, bare": (config({}, autoModeConfig={"enabled": False}, **BARE_NODES), ["role-missing"]),
    "default add-ons off, no vpc-cni": (config(addonsConfig={"disableDefaultAddons": True}), []),
    "no add-ons, OIDC": (config(**OIDC, **DEFAULT_NODES), []),
    "no add-ons, bare nodes, no OIDC": (config(**BARE_NODES), ["role-unknown"]),
    "no add-ons, bare nodes, OIDC": (config(**BARE_NODES, **OIDC), []),
    "no add-ons, bare nodes, association under iam": (
        config(None, AGENT, iam={"podIdentityAssociations": [association()]}, **BARE_NODES),
        [],
    ),
    "no add-ons, default add-ons off, bare nodes": (config(addonsConfig={"disableDefaultAddons": True}, **BARE_NODES), []),
    # roles of other files
    "role made in a plan": (config({ROLE_ARN: ARN}, **OIDC), PlanBuilder().role(new=True).json(), []),
    "role made in a plan, wrong": (config({ROLE_ARN: ARN}, **OIDC), PlanBuilder().role(trust=WRONG, new=True).json(), ["trust-wrong"]),
    "role made in a plan, no policy": (
        config({ROLE_ARN: ARN}, **OIDC),
        PlanBuilder().role(policies=(), new=True).json(),
        ["policy-missing"],
    ),
    "association role made in a plan, IRSA": (
        config({"podIdentityAssociations": [{"namespace": "kube-system", "serviceAccountName": "aws-node", "roleARN": ARN}]}, AGENT),
        PlanBuilder().role(new=True).json(),
        ["trust-wrong"],
    ),
    "policy of a version": (
        config({"attachPolicy": allowing("ec2:AssignPrivateIpAddresses"), "version": "v1.22.1-eksbuild.1"}, **OIDC),
        ["calls-missing"],
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_each_file_has_the_expected_outcome(case: tuple[Any, ...], tmp_path: Path) -> None:
    *contents, expected = case
    assert outcome(tmp_path, *contents) == expected
