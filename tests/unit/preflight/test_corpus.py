"""A corpus of small files, each with the errors and unknowns that preflight must find in it, and no others.

The files follow the structure of public modules and examples: terraform-aws-modules/eks and -iam, eks-blueprints, the examples of eksctl,
and the CloudFormation samples of the EKS documentation.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from lambdas.contract.call_needs import MANAGED_POLICIES
from preflight.rules import Level
from preflight.run import InputFile, check_files, parse_files
from tests.unit.preflight.plan_builder import (
    ACCOUNT,
    CNI_POLICY,
    EC2_TRUST,
    ISSUER,
    POD_TRUST,
    WORKER_POLICY,
    PlanBuilder,
    irsa_trust,
    role_arn,
)

COPY_OF_V5 = {
    "role": "cni",
    "policy": json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": {
                "Effect": "Allow",
                "Action": sorted(next(p.grants for p in MANAGED_POLICIES if (p.policy, p.version) == ("AmazonEKS_CNI_Policy", 5))),
                "Resource": "*",
            },
        }
    ),
}
V19, V20 = {"addon_version": "v1.19.0-eksbuild.1"}, {"addon_version": "v1.20.0-eksbuild.1"}
ROLE, OTHER = {"service_account_role_arn": role_arn("cni")}, {"service_account_role_arn": role_arn("other")}
REF = {"service_account_role_arn": "aws_iam_role.cni.arn"}
UNKNOWN_ROLE: dict[str, Any] = {"after": {}, "unknown": ("service_account_role_arn",), "refs": REF}
EKS_MODULE = "terraform-aws-modules/eks/aws"


def association(service_account: str, role: str = role_arn("cni")) -> dict[str, Any]:
    return {"pod_identity_association": [{"service_account": service_account, "role_arn": role}]}


def association_resource(cluster: str = "kite", account: str = "aws-node", namespace: str = "kube-system") -> dict[str, Any]:
    return {"cluster_name": cluster, "namespace": namespace, "service_account": account, "role_arn": role_arn("cni")}


def plan() -> PlanBuilder:
    return PlanBuilder()


def module_plan(*policies: str, auto: bool = False, irsa: bool = False) -> PlanBuilder:
    """A new cluster by terraform-aws-modules/eks: names and ARNs are known after the apply."""
    group = 'module.eks.module.eks_managed_node_group["a"]'
    after = {"name": "kite", "bootstrap_self_managed_addons": False, "compute_config": [{"enabled": auto}] if auto else []}
    builder = (
        plan()
        .add("module.eks.aws_eks_cluster.this[0]", after=after, unknown=("arn", "identity"))
        .add(
            'module.eks.aws_eks_addon.before_compute["vpc-cni"]',
            after={"addon_name": "vpc-cni", "pod_identity_association": []} | ({} if irsa else {"service_account_role_arn": None}),
            unknown=("cluster_name", "addon_version", *(("service_account_role_arn",) if irsa else ())),
            refs={"cluster_name": "aws_eks_cluster.this[0].id", "service_account_role_arn": "each.value.service_account_role_arn"},
        )
        .add(f"{group}.aws_iam_role.this[0]", after={"assume_role_policy": json.dumps(EC2_TRUST)}, unknown=("arn", "name"))
        .add(
            f"{group}.aws_eks_node_group.this[0]",
            after={},
            unknown=("cluster_name", "node_role_arn"),
            refs={"node_role_arn": "aws_iam_role.this[0].arn"},
        )
    )
    for policy in policies:
        name = policy.rsplit("/", 1)[-1]
        builder.add(f'{group}.aws_iam_role_policy_attachment.this["{name}"]', after={"policy_arn": policy}, unknown=("role",))
    builder.call("eks", EKS_MODULE, addons="module.irsa.arn" if irsa else {"vpc-cni": {"before_compute": True}})
    return builder


def irsa_module(builder: PlanBuilder, subject: str, *, policy: bool = True) -> PlanBuilder:
    """The role by terraform-aws-modules/iam: its policy document is a deferred data source."""
    statement = {
        "effect": "Allow",
        "actions": ["sts:AssumeRoleWithWebIdentity"],
        "principals": [{"type": "Federated"}],
        "condition": [{"test": "StringEquals", "values": [subject]}, {"test": "StringEquals", "values": ["sts.amazonaws.com"]}],
    }
    builder.add("module.irsa.data.aws_iam_policy_document.assume[0]", after={"statement": [statement]}, actions=("read",), mode="data")
    builder.add(
        "module.irsa.aws_iam_role.this[0]",
        after={"name": "kite-cni"},
        unknown=("arn", "assume_role_policy", "managed_policy_arns"),
        refs={"assume_role_policy": "data.aws_iam_policy_document.assume[0].json"},
    )
    if policy:
        builder.add(
            "module.irsa.aws_iam_role_policy_attachment.this[0]",
            after={"role": "kite-cni"},
            unknown=("policy_arn",),
            refs={"policy_arn": "aws_iam_policy.this[0].arn"},
        )
    return builder.call(
        "irsa", "terraform-aws-modules/iam/aws//modules/iam-role-for-service-accounts", outputs={"arn": "aws_iam_role.this[0].arn"}
    )


AWS_NODE = "system:serviceaccount:kube-system:aws-node"
INLINE = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["ec2:Assign*", "ec2:Describe*"], "Resource": "*"}]}
INLINE_JSON = json.dumps(INLINE)
NO_CNI_POLICY = ("arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess",)

NEW_ASSOCIATION = {key: value for key, value in association_resource().items() if key != "role_arn"}


def two_new_clusters(provider: str) -> PlanBuilder:
    """Two new clusters with a provider each, and a role for the first whose deferred trust policy refers to one of the providers."""
    builder = plan().cluster(new=True).add("aws_eks_cluster.other", after={"name": "heron"}, unknown=("arn", "identity"))
    for name, cluster in (("own", "main"), ("foreign", "other")):
        issuer = {"url": f"aws_eks_cluster.{cluster}.identity[0].oidc[0].issuer"}
        values = {"client_id_list": ["sts.amazonaws.com"]}
        builder.add(f"aws_iam_openid_connect_provider.{name}", after=values, unknown=("arn", "url"), refs=issuer)
    statement = {
        "effect": "Allow",
        "actions": ["sts:AssumeRoleWithWebIdentity"],
        "principals": [{"type": "Federated"}],
        "condition": [{"test": "StringEquals", "values": [AWS_NODE]}],
    }
    refs = {"statement": f"aws_iam_openid_connect_provider.{provider}.arn"}
    builder.add("data.aws_iam_policy_document.a", after={"statement": [statement]}, actions=("read",), mode="data", refs=refs)
    refs = {"assume_role_policy": "data.aws_iam_policy_document.a.json"}
    builder.add("aws_iam_role.cni", after={"name": "cni"}, unknown=("arn", "assume_role_policy"), refs=refs)
    return builder.attach("cni", new=True).addon(**UNKNOWN_ROLE)


TERRAFORM: dict[str, tuple[PlanBuilder, list[str]]] = {
    "deferred trust in the provider of the cluster": (two_new_clusters("own"), []),
    "deferred trust in the provider of another cluster": (two_new_clusters("foreign"), ["trust-wrong"]),
    "Fargate alone": (plan().addon(after={}).add("aws_eks_fargate_profile.f", after={"cluster_name": "kite"}), []),
    "policy detached from a role in another state": (plan().addon(before=ROLE, after=ROLE).attach("cni", gone=True), ["policy-missing"]),
    "policy detached from another role": (plan().addon(before=ROLE, after=ROLE).attach("other", gone=True), []),
    "association deleted": (
        plan().addon(before=V19, after=V19).add("aws_eks_pod_identity_association.a", before=association_resource()),
        ["role-dropped"],
    ),
    "association of another cluster deleted": (
        plan().addon(before=V19, after=V19).add("aws_eks_pod_identity_association.a", before=association_resource("heron")),
        [],
    ),
    "association alone, with an IRSA role": (
        plan().role().add("aws_eks_pod_identity_association.a", after=association_resource()),
        ["trust-wrong"],
    ),
    "association alone, right": (
        plan().role(trust=POD_TRUST).add("aws_eks_pod_identity_association.a", after=association_resource()),
        [],
    ),
    "association with a placeholder": (plan().addon(after=association("aws-node", "<role>")), ["role-not-arn"]),
    "version change, node role in another state": (
        plan()
        .addon(before=V19, after=V20)
        .add("aws_eks_node_group.ng", after={"cluster_name": "kite", "node_role_arn": role_arn("elsewhere")}),
        ["role-unknown"],
    ),
    # the role of nodes
    "new add-on, nodes with the policy": (plan().addon(after={}).nodes(CNI_POLICY, WORKER_POLICY), []),
    "new add-on, nodes without the policy": (plan().addon(after={}).nodes(WORKER_POLICY), ["role-missing"]),
    "new add-on, no nodes": (plan().addon(after={}), ["role-missing"]),
    "new nodes by reference, with the policy": (plan().addon(after={}).nodes(CNI_POLICY, new=True), []),
    "new nodes by reference, without": (plan().addon(after={}).nodes(WORKER_POLICY, new=True), ["role-missing"]),
    "IPv6 policy of the account on nodes": (plan().addon(after={}).nodes(f"arn:aws:iam::{ACCOUNT}:policy/AmazonEKS_CNI_IPv6_Policy"), []),
    "node role in another state": (
        plan().addon(after={}).add("aws_eks_node_group.ng", after={"cluster_name": "kite", "node_role_arn": role_arn("elsewhere")}),
        ["role-unknown"],
    ),
    "inline policy on nodes": (
        plan().addon(after={}).nodes(WORKER_POLICY).add("aws_iam_role_policy.p", after={"role": "node", "policy": json.dumps(INLINE)}),
        [],
    ),
    "node policy detached, add-on without role": (
        plan().addon(before=V19, after=V19).nodes(WORKER_POLICY).attach("node", gone=True),
        ["policy-missing"],
    ),
    "version change on nodes with the policy": (plan().addon(before=V19, after=V20).nodes(CNI_POLICY), []),
    "module, default": (module_plan(CNI_POLICY, WORKER_POLICY), []),
    "module, IPv6 default": (module_plan(f"arn:aws:iam::{ACCOUNT}:policy/AmazonEKS_CNI_IPv6_Policy"), []),
    "module, iam_role_attach_cni_policy = false": (module_plan(WORKER_POLICY), ["role-missing"]),
    "module, Auto Mode beside add-on": (module_plan(WORKER_POLICY, auto=True), []),
    "module with IRSA, right": (irsa_module(module_plan(WORKER_POLICY, irsa=True), AWS_NODE), []),
    "module with IRSA, wrong ServiceAccount": (
        irsa_module(module_plan(WORKER_POLICY, irsa=True), "system:serviceaccount:kube-system:vpc-cni"),
        ["trust-wrong"],
    ),
    "module with IRSA, role without policy": (
        irsa_module(module_plan(WORKER_POLICY, irsa=True), AWS_NODE, policy=False),
        ["policy-missing"],
    ),
    # what the provider does
    "tags only, nodes without the policy": (plan().addon(before=V19, after=V19 | {"tags": {"a": "b"}}).nodes(WORKER_POLICY), []),
    "resolve_conflicts_on_update only": (plan().addon(before=V19, after=V19 | {"resolve_conflicts_on_update": "PRESERVE"}), []),
    "configuration_values, nodes without the policy": (
        plan().addon(before=V19, after=V19 | {"configuration_values": "{}"}).nodes(WORKER_POLICY),
        ["role-missing"],
    ),
    "role kept": (plan().cluster().addon(before=V19 | ROLE, after=V20 | ROLE).role(), []),
    "role dropped": (plan().addon(before=V19 | ROLE, after=V20).nodes(CNI_POLICY), ["role-dropped"]),
    "role changed": (plan().addon(before=ROLE, after=OTHER), []),
    "everything destroyed": (plan().cluster(gone=True).addon(before=ROLE).role(gone=True).nodes(CNI_POLICY, gone=True), []),
    "only the add-on destroyed": (plan().cluster().addon(before=ROLE).nodes(CNI_POLICY), ["addon-removed"]),
    "destroyed with preserve": (plan().cluster().addon(before=ROLE | {"preserve": True}), []),
    "cluster without a plug-in": (plan().cluster(new=True, bootstrap_self_managed_addons=False).nodes(new=True), ["no-network-plugin"]),
    "cluster with Cilium instead": (
        plan().cluster(new=True, bootstrap_self_managed_addons=False).add("helm_release.c", after={"chart": "cilium", "name": "cilium"}),
        [],
    ),
    "Auto Mode cluster": (plan().cluster(new=True, bootstrap_self_managed_addons=False, compute_config=[{"enabled": True}]), []),
    "default cluster": (plan().cluster(new=True), []),
    # the role itself
    "new role, right": (plan().cluster().addon(**UNKNOWN_ROLE).role(new=True), []),
    "new role, no policy": (plan().cluster().addon(**UNKNOWN_ROLE).role(new=True, policies=()), ["policy-missing"]),
    "new role, another policy": (plan().cluster().addon(**UNKNOWN_ROLE).role(new=True, policies=NO_CNI_POLICY), ["policy-missing"]),
    "new role, custom policy of the account": (
        plan().cluster().addon(**UNKNOWN_ROLE).role(new=True, policies=(f"arn:aws:iam::{ACCOUNT}:policy/kite-network",)),
        [],
    ),
    "new role, wrong subject": (
        plan().cluster().addon(**UNKNOWN_ROLE).role(trust=irsa_trust("system:serviceaccount:default:aws-node"), new=True),
        ["trust-wrong"],
    ),
    "new role, wrong audience": (
        plan().cluster().addon(**UNKNOWN_ROLE).role(trust=irsa_trust(audience="sts.eu-central-1.amazonaws.com"), new=True),
        ["trust-wrong"],
    ),
    "new role, issuer of another cluster": (
        plan().cluster().addon(**UNKNOWN_ROLE).role(trust=irsa_trust(issuer=ISSUER.replace("0A1B", "FFFF")), new=True),
        ["trust-wrong"],
    ),
    "new role and cluster, issuer written out": (plan().cluster(new=True).addon(**UNKNOWN_ROLE).role(new=True), ["trust-wrong"]),
    "cluster elsewhere, right subject": (plan().addon(**UNKNOWN_ROLE).role(new=True), []),
    "cluster elsewhere, wrong subject": (
        plan().addon(**UNKNOWN_ROLE).role(trust=irsa_trust("system:serviceaccount:kube-system:cni"), new=True),
        ["trust-wrong"],
    ),
    "ARN as text of a new role": (
        plan().cluster().addon(after=ROLE).role(trust=irsa_trust("system:serviceaccount:a:b"), new=True),
        ["trust-wrong"],
    ),
    "ARN as text of a new role, right": (plan().cluster().addon(after=ROLE).role(new=True), []),
    "Pod Identity role for the ServiceAccount": (plan().addon(**UNKNOWN_ROLE).role(trust=POD_TRUST, new=True), ["trust-wrong"]),
    "policy detached": (plan().cluster().addon(before=ROLE, after=ROLE).role(policies=()).attach("cni", gone=True), ["policy-missing"]),
    "policy replaced by another that grants": (
        plan()
        .cluster()
        .addon(before=ROLE, after=ROLE)
        .role(policies=())
        .attach("cni", gone=True)
        .attach("cni", "arn:aws:iam::aws:policy/AmazonEC2FullAccess"),
        [],
    ),
    "role deleted": (plan().cluster().addon(before=ROLE, after=ROLE).role(gone=True), ["role-removed"]),
    "provider deleted": (plan().cluster().addon(before=ROLE, after=ROLE).role().provider(gone=True), ["oidc-provider-removed"]),
    "audience dropped": (
        plan().cluster().addon(before=ROLE, after=ROLE).role().provider(audiences=("sts.kite",)),
        ["oidc-provider-removed"],
    ),
    "provider kept": (plan().cluster().addon(before=ROLE, after=ROLE).role().provider(), []),
    "placeholder": (plan().addon(after={"service_account_role_arn": "arn:aws:iam::<account>:role/cni"}), ["role-not-arn"]),
    "name instead of ARN": (plan().addon(after={"service_account_role_arn": "kite-cni"}), ["role-not-arn"]),
    "ARN of a policy": (plan().addon(after={"service_account_role_arn": CNI_POLICY}), ["role-not-arn"]),
    "version whose calls the managed policy grants": (
        plan().cluster().addon(before=V19 | ROLE, after=ROLE | {"addon_version": "v1.22.1-eksbuild.1"}).role(),
        [],
    ),
    "version that needs a call": (
        plan()
        .cluster()
        .addon(before=V19 | ROLE, after=ROLE | {"addon_version": "v1.22.1-eksbuild.1"})
        .role(policies=())
        .add("aws_iam_role_policy.copy", before=COPY_OF_V5, after=COPY_OF_V5, refs={"role": "aws_iam_role.cni.name"}),
        ["calls-missing"],
    ),
    # Pod Identity
    "association": (plan().addon(after=association("aws-node")).role(trust=POD_TRUST), []),
    "association for another ServiceAccount": (plan().addon(after=association("vpc-cni")).nodes(CNI_POLICY), ["association-mismatch"]),
    "association with an IRSA role": (plan().addon(after=association("aws-node")).role(), ["trust-wrong"]),
    "association resource": (plan().addon(after={}).add("aws_eks_pod_identity_association.a", after=association_resource()), []),
    "association resource of another cluster": (
        plan().addon(after={}).add("aws_eks_pod_identity_association.a", after=association_resource("heron")),
        ["role-missing"],
    ),
    "association resource in another namespace": (
        plan().addon(after={}).add("aws_eks_pod_identity_association.a", after=association_resource(namespace="default")),
        ["role-missing"],
    ),
    "association resource with a new role": (
        plan()
        .addon(after={})
        .role(trust=POD_TRUST, new=True)
        .add("aws_eks_pod_identity_association.a", after=NEW_ASSOCIATION, unknown=("role_arn",), refs={"role_arn": "aws_iam_role.cni.arn"}),
        [],
    ),
    "association resource with a new IRSA role": (
        plan()
        .addon(after={})
        .role(new=True)
        .add("aws_eks_pod_identity_association.a", after=NEW_ASSOCIATION, unknown=("role_arn",), refs={"role_arn": "aws_iam_role.cni.arn"}),
        ["trust-wrong"],
    ),
    # AWSCC
    "AWSCC, role dropped": (
        plan().add(
            "awscc_eks_addon.c",
            before={"addon_name": "vpc-cni", "cluster_name": "kite", **ROLE},
            after={"addon_name": "vpc-cni", "cluster_name": "kite"},
        ),
        ["role-dropped"],
    ),
    "AWSCC, role kept": (
        plan().add("awscc_eks_addon.c", before={"addon_name": "vpc-cni", **ROLE}, after={"addon_name": "vpc-cni", "tags": [], **ROLE}),
        [],
    ),
}


def cluster_config(addon: dict[str, Any] | None = None, **extra: Any) -> str:
    addons = [{"name": "vpc-cni", **addon}] if addon is not None else []
    agent = extra.pop("agent", False)
    listed = [*addons, *([{"name": "eks-pod-identity-agent"}] if agent else [])]
    config = {"apiVersion": "eksctl.io/v1alpha5", "kind": "ClusterConfig", "metadata": {"name": "kite", "region": "eu-central-1"}, **extra}
    return yaml.safe_dump(config | ({"addons": listed} if listed else {}), sort_keys=False)


OIDC = {"iam": {"withOIDC": True}}
GROUP: dict[str, Any] = {"managedNodeGroups": [{"name": "a"}]}
BARE_GROUP = {"managedNodeGroups": [{"name": "a", "iam": {"attachPolicyARNs": [WORKER_POLICY]}}]}
PIA = {"namespace": "kube-system", "serviceAccountName": "aws-node", "permissionPolicyARNs": [CNI_POLICY]}

EKSCTL: dict[str, tuple[str, list[str]]] = {
    "role with OIDC": (cluster_config({"serviceAccountRoleARN": role_arn("cni")}, **OIDC), []),
    "role without OIDC, default nodes": (cluster_config({"serviceAccountRoleARN": role_arn("cni")}, **GROUP), []),
    "role without OIDC, bare nodes": (cluster_config({"serviceAccountRoleARN": role_arn("cni")}, **BARE_GROUP), ["role-missing"]),
    "nothing, default nodes": (cluster_config({}, **GROUP), []),
    "nothing, bare nodes": (cluster_config({}, **BARE_GROUP), ["role-missing"]),
    "nothing, nodes with an instance role": (
        cluster_config({}, managedNodeGroups=[{"name": "a", "iam": {"instanceRoleARN": role_arn("node")}}]),
        ["role-unknown"],
    ),
    "nothing, no nodes": (cluster_config({}), []),
    "policies without OIDC, no nodes": (cluster_config({"attachPolicyARNs": [CNI_POLICY]}), []),
    "association without role and policies": (
        cluster_config({"podIdentityAssociations": [{"namespace": "kube-system", "serviceAccountName": "aws-node"}]}, agent=True),
        ["settings-refused"],
    ),
    "association with role and policies": (
        cluster_config({"podIdentityAssociations": [PIA | {"roleARN": role_arn("cni")}]}, agent=True),
        ["settings-refused"],
    ),
    "unknown key of a node group": (
        cluster_config({}, managedNodeGroups=[{"name": "a", "instanceTypez": "m5.large"}]),
        ["settings-refused"],
    ),
    "unknown key of the policies of nodes": (
        cluster_config({}, managedNodeGroups=[{"name": "a", "iam": {"attachPolicyArns": [CNI_POLICY]}}]),
        ["settings-refused"],
    ),
    "unknown key of metadata": (cluster_config({}, metadata={"name": "kite", "regoin": "eu-central-1"}), ["settings-refused"]),
    "add-ons as a mapping": (cluster_config(addons={"vpc-cni": {}}, **GROUP), ["settings-refused"]),
    "taints as a mapping": (cluster_config({}, nodeGroups=[{"name": "a", "taints": {"k": "v:NoSchedule"}}]), []),
    "settings of many kinds": (
        cluster_config(
            {"version": 1.19, "configurationValues": "{}", "tags": {"a": "b"}},
            vpc={"cidr": "10.0.0.0/16", "nat": {"gateway": "Single"}, "subnets": {"private": {"eu-central-1a": {"id": "subnet-1"}}}},
            managedNodeGroups=[{"name": "a", "minSize": 1, "taints": [{"key": "k", "effect": "NoSchedule"}], "labels": {"a": "b"}}],
            identityProviders=[{"name": "a", "type": "oidc", "issuerURL": "https://kite", "clientID": "b"}],
        ),
        [],
    ),
    "nothing with OIDC": (cluster_config({}, **OIDC, **BARE_GROUP), []),
    "policies with OIDC": (cluster_config({"attachPolicyARNs": [CNI_POLICY]}, **OIDC), []),
    "other policies with OIDC": (cluster_config({"attachPolicyARNs": list(NO_CNI_POLICY)}, **OIDC), ["policy-missing"]),
    "policies without OIDC, default nodes": (cluster_config({"attachPolicyARNs": [CNI_POLICY]}, **GROUP), []),
    "inline IPv6 policy": (
        cluster_config(
            {
                "attachPolicy": {
                    "Version": "2012-10-17",
                    "Statement": [{"Effect": "Allow", "Action": ["ec2:AssignIpv6Addresses"], "Resource": "*"}],
                }
            },
            **OIDC,
        ),
        [],
    ),
    "association": (cluster_config({"podIdentityAssociations": [PIA]}, agent=True), []),
    "association without the agent": (cluster_config({"podIdentityAssociations": [PIA]}), []),
    "association for another ServiceAccount": (
        cluster_config({"podIdentityAssociations": [PIA | {"serviceAccountName": "cni"}]}, agent=True),
        ["association-mismatch"],
    ),
    "association in another namespace": (
        cluster_config({"podIdentityAssociations": [PIA | {"namespace": "default"}]}, agent=True),
        ["association-mismatch"],
    ),
    "automatic associations": (cluster_config({}, agent=True, addonsConfig={"autoApplyPodIdentityAssociations": True}), []),
    "role beside association": (
        cluster_config({"serviceAccountRoleARN": role_arn("cni"), "podIdentityAssociations": [PIA]}, **OIDC),
        ["settings-refused"],
    ),
    "key in another case": (cluster_config({"serviceAccountRoleArn": role_arn("cni")}, **OIDC), ["settings-refused"]),
    "key of iam in another case": (cluster_config({}, iam={"withOidc": True}, **GROUP), ["settings-refused"]),
    "placeholder": (cluster_config({"serviceAccountRoleARN": "arn:aws:iam::${ACCOUNT_ID}:role/cni"}, **OIDC), ["role-not-arn"]),
    "our own placeholder": (
        cluster_config({"serviceAccountRoleARN": "<ARN of the role for kube-system/aws-node>"}, **OIDC),
        ["role-not-arn"],
    ),
    "key twice": (cluster_config({"serviceAccountRoleARN": role_arn("cni")}, **OIDC) + "iam:\n  withOIDC: false\n", ["duplicate-key"]),
    "Auto Mode": (cluster_config(autoModeConfig={"enabled": True}), []),
    "no add-on": (cluster_config(**GROUP), []),
    "trailing separator": (cluster_config({"serviceAccountRoleARN": role_arn("cni")}, **OIDC) + "---\n", []),
    "Fargate alone": (cluster_config({}, fargateProfiles=[{"name": "a", "selectors": [{"namespace": "a"}]}]), []),
    "Karpenter nodes": (cluster_config({}, karpenter={"version": "1.0"}, **OIDC), []),
}


def template(resources: str, head: str = "") -> str:
    return f"""{head}
Resources:
  Cluster: {{Type: "AWS::EKS::Cluster", Properties: {{Name: kite, RoleArn: "{role_arn("plane")}"}}}}
{resources}
"""


def cfn_addon(more: str = "") -> str:
    return (
        f'  Cni: {{Type: "AWS::EKS::Addon", Properties: {{AddonName: vpc-cni, ClusterName: !Ref Cluster{", " + more if more else ""}}}}}\n'
    )


def cfn_role(name: str = "Role", trust: dict[str, Any] | None = None, policies: tuple[str, ...] = (CNI_POLICY,)) -> str:
    properties = {"AssumeRolePolicyDocument": trust or irsa_trust(), "ManagedPolicyArns": list(policies)}
    return f'  {name}: {{Type: "AWS::IAM::Role", Properties: {json.dumps(properties)}}}\n'


def cfn_nodes(*policies: str) -> str:
    group = (
        '  Nodes: {Type: "AWS::EKS::Nodegroup", DependsOn: Cni, Properties: {ClusterName: !Ref Cluster, NodeRole: !GetAtt NodeRole.Arn}}\n'
    )
    return group + cfn_role("NodeRole", EC2_TRUST, policies)


def cfn_association(cluster: str) -> str:
    properties = {"ClusterName": cluster, "Namespace": "kube-system", "ServiceAccount": "aws-node", "RoleArn": role_arn("cni")}
    return f'  A: {{Type: "AWS::EKS::PodIdentityAssociation", Properties: {json.dumps(properties)}}}\n'


GIVEN = "ServiceAccountRoleArn: !GetAtt Role.Arn"
MAPS = (
    "Mappings: {M: {dev: {arn: '%s'}, prod: {arn: '"
    + role_arn("cni")
    + "'}}}\nParameters: {E: {Type: String, AllowedValues: [dev, prod]}}\n"
)
MAPPED = "ServiceAccountRoleArn: !FindInMap [M, !Ref E, arn]"

TEMPLATES: dict[str, tuple[str, list[str]]] = {
    "role": (template(cfn_addon(GIVEN) + cfn_role()), []),
    "role without policy": (template(cfn_addon(GIVEN) + cfn_role(policies=())), ["policy-missing"]),
    "role with another policy": (template(cfn_addon(GIVEN) + cfn_role(policies=NO_CNI_POLICY)), ["policy-missing"]),
    "role with an inline policy": (
        template(
            cfn_addon(GIVEN)
            + cfn_role(policies=())
            + f'  P: {{Type: "AWS::IAM::Policy", Properties: {{PolicyName: p, Roles: [!Ref Role], PolicyDocument: {INLINE_JSON}}}}}\n'
        ),
        [],
    ),
    "role with the wrong subject": (
        template(cfn_addon(GIVEN) + cfn_role(trust=irsa_trust("system:serviceaccount:kube-system:vpc-cni"))),
        ["trust-wrong"],
    ),
    "Pod Identity role for the ServiceAccount": (template(cfn_addon(GIVEN) + cfn_role(trust=POD_TRUST)), ["trust-wrong"]),
    "Ref of a role": (template(cfn_addon("ServiceAccountRoleArn: !Ref Role") + cfn_role()), ["role-not-arn"]),
    "Sub of a role": (template(cfn_addon('ServiceAccountRoleArn: !Sub "${Role}"') + cfn_role()), ["role-not-arn"]),
    "Sub of the ARN": (template(cfn_addon('ServiceAccountRoleArn: !Sub "${Role.Arn}"') + cfn_role()), []),
    "RoleId of a role": (template(cfn_addon("ServiceAccountRoleArn: !GetAtt Role.RoleId") + cfn_role()), ["role-not-arn"]),
    "ARN by account": (template(cfn_addon('ServiceAccountRoleArn: !Sub "arn:aws:iam::${AWS::AccountId}:role/cni"')), []),
    "Ref of a role in one branch": (
        template(cfn_addon("ServiceAccountRoleArn: !If [C, !Ref Role, !GetAtt Role.Arn]") + cfn_role()),
        ["role-not-arn"],
    ),
    "Join of a role": (template(cfn_addon('ServiceAccountRoleArn: !Join ["", [!Ref Role]]') + cfn_role()), ["role-not-arn"]),
    "ARN joined from a name": (
        template(cfn_addon('ServiceAccountRoleArn: !Join ["", ["arn:aws:iam::", !Ref "AWS::AccountId", ":role/cni"]]')),
        [],
    ),
    "Ref of a cluster": (template(cfn_addon("ServiceAccountRoleArn: !Ref Cluster")), ["role-not-arn"]),
    "Ref of nothing": (template(cfn_addon("ServiceAccountRoleArn: !Ref Nothing")), ["role-not-arn"]),
    "Ref of nothing, with a macro": (template(cfn_addon("ServiceAccountRoleArn: !Ref Nothing"), "Transform: [Mine]"), []),
    "ARN in Parameter Store": (template(cfn_addon('ServiceAccountRoleArn: "{{resolve:ssm:/cni/role}}"')), []),
    "export of another stack": (template(cfn_addon("ServiceAccountRoleArn: !ImportValue cni-role")), []),
    "parameter that may be empty": (
        template(
            cfn_addon("ServiceAccountRoleArn: !Ref P"), f'Parameters: {{P: {{Type: String, AllowedValues: ["", "{role_arn("cni")}"]}}}}'
        ),
        ["role-unknown"],
    ),
    "mapping without the key of one": (
        template(cfn_addon(MAPPED), (MAPS % "").replace("dev: {arn", "dev: {other")),
        ["role-unknown"],
    ),
    "mapping with a default": (
        template(
            cfn_addon(f'ServiceAccountRoleArn: !FindInMap [M, !Ref E, arn, {{DefaultValue: "{role_arn("cni")}"}}]'),
            (MAPS % "").replace("dev: {arn", "dev: {other"),
        ),
        [],
    ),
    "include beside the type": (
        template(
            cfn_addon().replace("Properties:", '"Fn::Transform": {Name: "AWS::Include", Parameters: {Location: "s3://b/k"}}, Properties:')
        ),
        ["role-unknown"],
    ),
    "include of resources": (template('  "Fn::Transform": {Name: "AWS::Include", Parameters: {Location: "s3://b/k"}}'), ["addon-unknown"]),
    "association with the name of a role": (
        template(cfn_addon("PodIdentityAssociations: [{ServiceAccount: aws-node, RoleArn: !Ref Role}]") + cfn_role(trust=POD_TRUST)),
        ["role-not-arn"],
    ),
    "association alone, with an IRSA role": (
        template(cfn_association("kite").replace(f'"{role_arn("cni")}"', '{"Fn::GetAtt": ["Role", "Arn"]}') + cfn_role()),
        ["trust-wrong"],
    ),
    "placeholder": (template(cfn_addon('ServiceAccountRoleArn: "arn:aws:iam::ACCOUNT_ID:role/cni"')), ["role-not-arn"]),
    "parameter with a placeholder as default": (
        template(cfn_addon("ServiceAccountRoleArn: !Ref P"), 'Parameters: {P: {Type: String, Default: "arn:aws:iam::<ACCOUNT>:role/cni"}}'),
        ["role-unknown"],
    ),
    "parameter without a default": (template(cfn_addon("ServiceAccountRoleArn: !Ref P"), "Parameters: {P: {Type: String}}"), []),
    "nodes with the policy": (template(cfn_addon() + cfn_nodes(CNI_POLICY)), []),
    "nodes without the policy": (template(cfn_addon() + cfn_nodes(WORKER_POLICY)), ["role-missing"]),
    "nothing": (template(cfn_addon()), ["role-missing"]),
    "mapping empty for one": (template(cfn_addon(MAPPED), MAPS % ""), ["role-unknown"]),
    "mapping full": (template(cfn_addon(MAPPED), MAPS % role_arn("dev")), []),
    "mapping with a placeholder": (template(cfn_addon(MAPPED), MAPS % "TODO"), ["role-not-arn"]),
    "include inside properties": (
        template(cfn_addon('"Fn::Transform": {Name: "AWS::Include", Parameters: {Location: "s3://b/k"}}')),
        ["role-unknown"],
    ),
    "association": (
        template(cfn_addon() + cfn_association("kite")),
        [],
    ),
    "association of another cluster": (
        template(cfn_addon() + cfn_association("heron")),
        ["role-missing"],
    ),
    "association for another ServiceAccount": (
        template(cfn_addon(f'PodIdentityAssociations: [{{ServiceAccount: cni, RoleArn: "{role_arn("cni")}"}}]')),
        ["association-mismatch", "role-missing"],
    ),
    "cluster without a plug-in": (
        'Resources:\n  Cluster: {Type: "AWS::EKS::Cluster", Properties: {Name: kite, BootstrapSelfManagedAddons: false}}\n',
        ["no-network-plugin"],
    ),
    "Auto Mode": (
        'Resources:\n  Cluster: {Type: "AWS::EKS::Cluster", Properties: {ComputeConfig: {Enabled: true}}}\n',
        [],
    ),
}

CASES = [
    *(("terraform-plan", name, builder.json(), expected) for name, (builder, expected) in TERRAFORM.items()),
    *(("eksctl", name, text, expected) for name, (text, expected) in EKSCTL.items()),
    *(("template", name, text, expected) for name, (text, expected) in TEMPLATES.items()),
]


def serious(*inputs: tuple[str, str]) -> list[str]:
    """The names of errors and unknowns in files that are given together; an error of reading is a failure of the test."""
    reports = check_files(parse_files([InputFile(kind=kind, name=f"{index}", text=text) for index, (kind, text) in enumerate(inputs)]))
    assert [report.error for report in reports] == [""] * len(inputs)
    found = [finding for report in reports for finding in report.findings if finding.level in (Level.ERROR, Level.UNKNOWN)]
    return sorted({finding.rule.name for finding in found})


@pytest.mark.parametrize(("kind", "name", "text", "expected"), CASES, ids=[f"{kind}: {name}" for kind, name, _, _ in CASES])
def test_each_file_has_the_expected_errors_and_no_others(kind: str, name: str, text: str, expected: list[str]) -> None:
    assert serious((kind, text)) == sorted(expected)


def test_the_corpus_has_right_and_wrong_files_of_each_kind() -> None:
    assert len(CASES) >= 60
    for kind in ("terraform-plan", "eksctl", "template"):
        assert {bool(expected) for case_kind, _, _, expected in CASES if case_kind == kind} == {True, False}


ADDON_ALONE = template(cfn_addon())
NODES_ALONE = "Resources:\n" + cfn_nodes("%s").replace("!Ref Cluster", "kite").replace(" DependsOn: Cni,", "")
ASSOCIATION, FOREIGN_ASSOCIATION = (f"Resources:\n{cfn_association(cluster)}" for cluster in ("kite", "heron"))


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (("template", ADDON_ALONE), ("template", ASSOCIATION), []),
        (("template", ADDON_ALONE), ("template", FOREIGN_ASSOCIATION), ["role-missing"]),
        (("terraform-plan", plan().addon(after={}).json()), ("template", ASSOCIATION), []),
        (("eksctl", cluster_config({}, **BARE_GROUP)), ("template", ASSOCIATION), []),
        (("template", ADDON_ALONE), ("template", NODES_ALONE % CNI_POLICY), []),
        (("template", ADDON_ALONE), ("template", NODES_ALONE % WORKER_POLICY), ["role-missing"]),
        (("template", ADDON_ALONE), ("eksctl", cluster_config(**GROUP)), []),
        (("terraform-plan", plan().addon(after={}).json()), ("terraform-plan", plan().nodes(CNI_POLICY).json()), []),
        (("terraform-plan", plan().addon(after={}).json()), ("terraform-plan", plan().nodes(WORKER_POLICY).json()), ["role-missing"]),
    ],
    ids=[
        "association of the cluster",
        "association of another cluster",
        "plan and template",
        "eksctl and template",
        "nodes with the policy",
        "nodes without the policy",
        "template and nodes of eksctl",
        "nodes of another plan",
        "bare nodes of another plan",
    ],
)
def test_files_that_are_given_together_are_checked_together(first: tuple[str, str], second: tuple[str, str], expected: list[str]) -> None:
    assert serious(first, second) == expected
