"""Manifests of ACK and Crossplane, compositions, and previews of Pulumi, in their variations."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.unit.preflight.outcomes import outcome
from tests.unit.preflight.plan_builder import (
    CNI_POLICY,
    EC2_TRUST,
    ISSUER,
    POD_TRUST,
    WORKER_POLICY,
    irsa_trust,
    role_arn,
)

if TYPE_CHECKING:
    from pathlib import Path

ARN, OTHER_ARN = role_arn("cni"), role_arn("other")
WRONG = irsa_trust("system:serviceaccount:default:aws-node")
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


def manifest(version: Any, kind: Any, name: Any, spec: Any, **meta: Any) -> Any:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, **meta}, "spec": spec}


def ack(kind: Any, name: Any, spec: Any, group: str = "eks", **meta: Any) -> Any:
    return manifest(f"{group}.services.k8s.aws/v1alpha1", kind, name, spec, **meta)


def crossplane(
    kind: Any, name: Any, spec: Any, group: str = "eks", *, version: str = "aws.upbound.io/v1beta1", more: Any = None, **meta: Any
) -> Any:
    return manifest(f"{group}.{version}", kind, name, {"forProvider": spec, **(more or {})}, **meta)


def manifests(*docs: Any) -> Any:
    return "---\n".join(yaml.safe_dump(d, sort_keys=False) for d in docs)


ACK_ADDON = {"name": "vpc-cni", "clusterName": "kite"}
CROSSPLANE_ADDON = {"addonName": "vpc-cni", "clusterName": "kite", "region": "eu-central-1"}
ACK_REFERENCE = {"serviceAccountRoleRef": {"from": {"name": "cni"}}}
CROSSPLANE_REFERENCE = {"serviceAccountRoleArnRef": {"name": "cni"}}


def ack_role(trust: Any = None, policies: Any = (CNI_POLICY,), **p: Any) -> Any:
    return ack(
        "Role",
        "cni",
        {"name": "cni", "assumeRolePolicyDocument": json.dumps(trust or irsa_trust()), "policies": list(policies), **p},
        "iam",
    )


def crossplane_role(trust: Any = None, policies: Any = (CNI_POLICY,), name: str = "cni", **p: Any) -> Any:
    return crossplane(
        "Role", name, {"assumeRolePolicy": json.dumps(trust or irsa_trust()), "managedPolicyArns": list(policies), **p}, "iam"
    )


def ack_nodes(*p: Any) -> Any:
    return (
        ack("Nodegroup", "ng", {"name": "ng", "clusterName": "kite", "nodeRoleRef": {"from": {"name": "node"}}}),
        ack("Role", "node", {"name": "node", "assumeRolePolicyDocument": json.dumps(EC2_TRUST), "policies": list(p)}, "iam"),
    )


def crossplane_nodes(*p: Any) -> Any:
    return (
        crossplane("NodeGroup", "ng", {"clusterName": "kite", "nodeRoleArnRef": {"name": "node"}}),
        crossplane_role(EC2_TRUST, p, "node"),
    )


ALLOWING_EC2 = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["ec2:*"], "Resource": "*"}]}


def composition(*resources: Any, pipeline: bool = False) -> Any:
    listed = [
        {
            "name": f"r{i}",
            "base": b,
            "patches": [{"type": "FromCompositeFieldPath", "fromFieldPath": "spec.x", "toFieldPath": t} for t in patches],
        }
        for i, (b, *patches) in enumerate(resources)
    ]
    spec = (
        {
            "mode": "Pipeline",
            "pipeline": [
                {
                    "step": "a",
                    "functionRef": {"name": "function-patch-and-transform"},
                    "input": {"apiVersion": "pt.fn.crossplane.io/v1beta1", "kind": "Resources", "resources": listed},
                }
            ],
        }
        if pipeline
        else {"resources": listed}
    )
    return manifest(
        "apiextensions.crossplane.io/v1", "Composition", "kite", {"compositeTypeRef": {"apiVersion": "a/v1", "kind": "X"}, **spec}
    )


def base(kind: Any, spec: Any, group: str = "eks") -> Any:
    return {"apiVersion": f"{group}.aws.upbound.io/v1beta1", "kind": kind, "spec": {"forProvider": spec}}


CLUSTER = crossplane("Cluster", "kite", {"region": "eu-central-1"})
# Pulumi
CNI, ROLE, ATTACHMENT, NODE_GROUP, CLUSTER_TYPE, PROVIDER = (
    "aws:eks/addon:Addon",
    "aws:iam/role:Role",
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
    "aws:eks/nodeGroup:NodeGroup",
    "aws:eks/cluster:Cluster",
    "aws:iam/openIdConnectProvider:OpenIdConnectProvider",
)


def urn(kind: Any, name: Any, parent: str = "") -> Any:
    return f"urn:pulumi:prod::platform::{parent}{kind}::{name}"


def step(op: Any, kind: Any, name: Any, new: Any = None, old: Any = None, *, deps: Any = None, parent: str = "", **state: Any) -> Any:
    s = {"op": op, "urn": urn(kind, name, parent)}
    if old is not None:
        s["oldState"] = {"urn": s["urn"], "inputs": old, "outputs": old, **state}
    if new is not None:
        s["newState"] = {
            "urn": s["urn"],
            "inputs": new,
            "propertyDependencies": {k: [v] if isinstance(v, str) else v for k, v in (deps or {}).items()},
        }
    return s


def preview(*steps: Any) -> Any:
    return json.dumps({"config": {}, "steps": list(steps)}, indent=1)


ADDON = {"addonName": "vpc-cni", "clusterName": "kite"}
WITH_ROLE = {"serviceAccountRoleArn": ARN}
SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "plaintext": json.dumps(ARN)}
CASES: dict[str, tuple[Any, ...]] = {
    "ACK list": (
        manifests({"apiVersion": "v1", "kind": "List", "items": [ack("Addon", "cni", ACK_ADDON | {"serviceAccountRoleARN": ARN})]}),
        [],
    ),
    "ACK list, no role": (manifests({"apiVersion": "v1", "kind": "List", "items": [ack("Addon", "cni", ACK_ADDON)]}), ["role-missing"]),
    "ACK among others": (
        manifests(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}},
            ack("Addon", "cni", ACK_ADDON | {"serviceAccountRoleARN": ARN}),
        ),
        [],
    ),
    "ACK other add-on": (manifests(ack("Addon", "dns", {"name": "coredns", "clusterName": "kite"})), []),
    "ACK nodes with the policy": (manifests(ack("Addon", "cni", ACK_ADDON), *ack_nodes(CNI_POLICY)), []),
    "ACK nodes without": (manifests(ack("Addon", "cni", ACK_ADDON), *ack_nodes(WORKER_POLICY)), ["role-missing"]),
    "ACK nodes of another role": (
        manifests(ack("Addon", "cni", ACK_ADDON), ack("Nodegroup", "ng", {"name": "ng", "clusterName": "kite", "nodeRole": role_arn("x")})),
        ["role-unknown"],
    ),
    "ACK cluster reference": (
        manifests(
            ack("Addon", "cni", {"name": "vpc-cni", "clusterRef": {"from": {"name": "kite"}}, "serviceAccountRoleARN": ARN}),
            ack("Cluster", "kite", {"name": "kite"}),
        ),
        [],
    ),
    "ACK inline policies": (
        manifests(ack("Addon", "cni", ACK_ADDON | ACK_REFERENCE), ack_role(policies=(), inlinePolicies={"a": json.dumps(ALLOWING_EC2)})),
        [],
    ),
    "ACK policy references": (
        manifests(
            ack("Addon", "cni", ACK_ADDON | ACK_REFERENCE),
            ack_role(policies=(), policyRefs=[{"from": {"name": "p"}}]),
            ack("Policy", "p", {"name": "p", "policyDocument": json.dumps(ALLOWING_EC2)}, "iam"),
        ),
        [],
    ),
    "ACK no policy": (manifests(ack("Addon", "cni", ACK_ADDON | ACK_REFERENCE), ack_role(policies=())), ["policy-missing"]),
    "ACK wrong trust": (manifests(ack("Addon", "cni", ACK_ADDON | ACK_REFERENCE), ack_role(WRONG)), ["trust-wrong"]),
    "ACK ARN as text of a role here": (
        manifests(ack("Addon", "cni", ACK_ADDON | {"serviceAccountRoleARN": ARN}), ack_role(WRONG)),
        ["trust-wrong"],
    ),
    "ACK association in the add-on": (
        manifests(ack("Addon", "cni", ACK_ADDON | {"podIdentityAssociations": [{"serviceAccount": "aws-node", "roleARN": ARN}]})),
        [],
    ),
    "ACK association by reference": (
        manifests(
            ack(
                "Addon",
                "cni",
                ACK_ADDON | {"podIdentityAssociations": [{"serviceAccount": "aws-node", "roleRef": {"from": {"name": "cni"}}}]},
            ),
            ack_role(POD_TRUST),
        ),
        [],
    ),
    "ACK association for another": (
        manifests(ack("Addon", "cni", ACK_ADDON | {"podIdentityAssociations": [{"serviceAccount": "cni", "roleARN": ARN}]})),
        ["association-mismatch", "role-missing"],
    ),
    "ACK association resource by reference": (
        manifests(
            ack("Addon", "cni", ACK_ADDON),
            ack(
                "PodIdentityAssociation",
                "a",
                {
                    "clusterRef": {"from": {"name": "kite"}},
                    "namespace": "kube-system",
                    "serviceAccount": "aws-node",
                    "roleRef": {"from": {"name": "cni"}},
                },
            ),
            ack_role(POD_TRUST),
        ),
        [],
    ),
    "ACK association resource with an IRSA role": (
        manifests(
            ack("Addon", "cni", ACK_ADDON),
            ack(
                "PodIdentityAssociation",
                "a",
                {"clusterName": "kite", "namespace": "kube-system", "serviceAccount": "aws-node", "roleRef": {"from": {"name": "cni"}}},
            ),
            ack_role(),
        ),
        ["trust-wrong"],
    ),
    "ACK read-only": (manifests(ack("Addon", "cni", ACK_ADDON, annotations={"services.k8s.aws/read-only": "true"})), []),
    "ACK adopted": (manifests(ack("Addon", "cni", ACK_ADDON, annotations={"services.k8s.aws/adoption-policy": "adopt"})), ["role-missing"]),
    "ACK empty role": (manifests(ack("Addon", "cni", ACK_ADDON | {"serviceAccountRoleARN": ""})), ["role-missing"]),
    "ACK Fargate alone": (manifests(ack("Addon", "cni", ACK_ADDON), ack("FargateProfile", "f", {"clusterName": "kite", "name": "f"})), []),
    "Crossplane namespaced": (
        manifests(crossplane("Addon", "cni", CROSSPLANE_ADDON | {"serviceAccountRoleArn": ARN}, version="aws.m.upbound.io/v1beta1")),
        [],
    ),
    "Crossplane namespaced, no role": (
        manifests(crossplane("Addon", "cni", CROSSPLANE_ADDON, version="aws.m.upbound.io/v1beta1")),
        ["role-missing"],
    ),
    "Crossplane classic": (
        manifests(crossplane("Addon", "cni", CROSSPLANE_ADDON | {"serviceAccountRoleArn": ARN}, version="aws.crossplane.io/v1alpha1")),
        [],
    ),
    "Crossplane observed": (manifests(crossplane("Addon", "cni", CROSSPLANE_ADDON, more={"managementPolicies": ["Observe"]})), []),
    "Crossplane managed in full": (
        manifests(crossplane("Addon", "cni", CROSSPLANE_ADDON, more={"managementPolicies": ["*"]})),
        ["role-missing"],
    ),
    "Crossplane paused": (manifests(crossplane("Addon", "cni", CROSSPLANE_ADDON, annotations={"crossplane.io/paused": "true"})), []),
    "Crossplane role at creation": (
        manifests(crossplane("Addon", "cni", CROSSPLANE_ADDON, more={"initProvider": {"serviceAccountRoleArn": ARN}})),
        [],
    ),
    "Crossplane observed role": (
        manifests(
            crossplane("Addon", "cni", CROSSPLANE_ADDON | CROSSPLANE_REFERENCE),
            crossplane("Role", "cni", {}, "iam", more={"managementPolicies": ["Observe"]}),
        ),
        [],
    ),
    "Crossplane attachment by reference": (
        manifests(
            crossplane("Addon", "cni", CROSSPLANE_ADDON | CROSSPLANE_REFERENCE),
            crossplane_role(policies=()),
            crossplane("RolePolicyAttachment", "a", {"policyArn": CNI_POLICY, "roleRef": {"name": "cni"}}, "iam"),
        ),
        [],
    ),
    "Crossplane attachment of another policy": (
        manifests(
            crossplane("Addon", "cni", CROSSPLANE_ADDON | CROSSPLANE_REFERENCE),
            crossplane_role(policies=()),
            crossplane("RolePolicyAttachment", "a", {"policyArn": WORKER_POLICY, "roleRef": {"name": "cni"}}, "iam"),
        ),
        ["policy-missing"],
    ),
    "Crossplane attachment by selector": (
        manifests(
            crossplane("Addon", "cni", CROSSPLANE_ADDON | CROSSPLANE_REFERENCE),
            crossplane_role(policies=()),
            crossplane("RolePolicyAttachment", "a", {"policyArn": CNI_POLICY, "roleSelector": {"matchLabels": {"a": "b"}}}, "iam"),
        ),
        [],
    ),
    "Crossplane inline policy": (
        manifests(
            crossplane("Addon", "cni", CROSSPLANE_ADDON | CROSSPLANE_REFERENCE),
            crossplane_role(policies=(), inlinePolicy=[{"name": "a", "policy": json.dumps(ALLOWING_EC2)}]),
        ),
        [],
    ),
    "Crossplane nodes with the policy": (manifests(crossplane("Addon", "cni", CROSSPLANE_ADDON), *crossplane_nodes(CNI_POLICY)), []),
    "Crossplane nodes without": (
        manifests(crossplane("Addon", "cni", CROSSPLANE_ADDON), *crossplane_nodes(WORKER_POLICY)),
        ["role-missing"],
    ),
    "Crossplane cluster without a plug-in": (
        manifests(crossplane("Cluster", "kite", {"bootstrapSelfManagedAddons": False})),
        ["no-network-plugin"],
    ),
    "Crossplane association": (
        manifests(
            crossplane("Addon", "cni", CROSSPLANE_ADDON | {"podIdentityAssociation": [{"serviceAccount": "aws-node", "roleArn": ARN}]})
        ),
        [],
    ),
    "Crossplane association resource": (
        manifests(
            crossplane("Addon", "cni", CROSSPLANE_ADDON),
            crossplane(
                "PodIdentityAssociation",
                "a",
                {"clusterName": "kite", "namespace": "kube-system", "serviceAccount": "aws-node", "roleArn": ARN},
            ),
        ),
        [],
    ),
    "Crossplane external name": (
        manifests(
            crossplane("Addon", "cni", CROSSPLANE_ADDON | {"serviceAccountRoleArn": role_arn("kite-cni")}),
            {**crossplane_role(WRONG), "metadata": {"name": "cni", "annotations": {"crossplane.io/external-name": "kite-cni"}}},
        ),
        ["trust-wrong"],
    ),
    "Composition, role": (manifests(composition((base("Addon", CROSSPLANE_ADDON | {"serviceAccountRoleArn": ARN}),))), []),
    "Composition, role patched": (
        manifests(composition((base("Addon", CROSSPLANE_ADDON), "spec.forProvider.serviceAccountRoleArn"))),
        ["role-unknown"],
    ),
    "Composition, no role": (manifests(composition((base("Addon", CROSSPLANE_ADDON), "spec.forProvider.clusterName"))), ["role-missing"]),
    "Composition, pipeline": (manifests(composition((base("Addon", CROSSPLANE_ADDON),), pipeline=True)), ["role-missing"]),
    "Composition, selector": (
        manifests(
            composition(
                (base("Addon", CROSSPLANE_ADDON | {"serviceAccountRoleArnSelector": {"matchControllerRef": True}}),),
                (base("Role", {"assumeRolePolicy": json.dumps(irsa_trust()), "managedPolicyArns": [CNI_POLICY]}, "iam"),),
            )
        ),
        [],
    ),
    # Pulumi
    "Pulumi component": (
        preview(step("create", CNI, "kite-vpc-cni", ADDON | WITH_ROLE, parent="eks:index:Cluster$eks:index:VpcCniAddon$")),
        [],
    ),
    "Pulumi component, no role": (
        preview(step("create", CNI, "kite-vpc-cni", ADDON, parent="eks:index:Cluster$eks:index:VpcCniAddon$")),
        ["role-missing"],
    ),
    "Pulumi replace": (
        preview(
            step("create-replacement", CNI, "cni", ADDON | WITH_ROLE, ADDON | WITH_ROLE),
            step("replace", CNI, "cni", ADDON | WITH_ROLE, ADDON | WITH_ROLE),
            step("delete-replaced", CNI, "cni", None, ADDON | WITH_ROLE),
        ),
        ["addon-removed"],
    ),
    "Pulumi delete, retained": (preview(step("delete", CNI, "cni", None, ADDON | WITH_ROLE, retainOnDelete=True)), []),
    "Pulumi delete with preserve": (preview(step("delete", CNI, "cni", None, ADDON | WITH_ROLE | {"preserve": True})), []),
    "Pulumi delete all": (
        preview(
            step("delete", CNI, "cni", None, ADDON | WITH_ROLE),
            step("delete", CLUSTER_TYPE, "kite", None, {"name": "kite"}),
            step("delete", ROLE, "cni", None, {"name": "cni", "arn": ARN}),
        ),
        [],
    ),
    "Pulumi import": (preview(step("import", CNI, "cni", ADDON | WITH_ROLE)), []),
    "Pulumi refresh": (preview(step("refresh", CNI, "cni", ADDON | WITH_ROLE, ADDON | WITH_ROLE)), []),
    "Pulumi tags only": (
        preview(
            step("update", CNI, "cni", ADDON | {"tags": {"a": "b"}}, ADDON),
            step(
                "same",
                NODE_GROUP,
                "ng",
                {"clusterName": "kite", "nodeRoleArn": role_arn("node")},
                {"clusterName": "kite", "nodeRoleArn": role_arn("node")},
            ),
            step(
                "same",
                ROLE,
                "node",
                {"name": "node", "assumeRolePolicy": json.dumps(EC2_TRUST)},
                {"name": "node", "arn": role_arn("node"), "assumeRolePolicy": json.dumps(EC2_TRUST)},
            ),
        ),
        [],
    ),
    "Pulumi secret": (preview(step("create", CNI, "cni", ADDON | {"serviceAccountRoleArn": SECRET})), []),
    "Pulumi hidden secret": (preview(step("create", CNI, "cni", ADDON | {"serviceAccountRoleArn": "[secret]"})), []),
    "Pulumi unknown of nothing": (preview(step("create", CNI, "cni", ADDON | {"serviceAccountRoleArn": UNKNOWN})), ["role-unknown"]),
    "Pulumi managed policies": (
        preview(
            step("create", CNI, "cni", ADDON | {"serviceAccountRoleArn": UNKNOWN}, deps={"serviceAccountRoleArn": urn(ROLE, "cni")}),
            step("create", ROLE, "cni", {"assumeRolePolicy": json.dumps(irsa_trust()), "managedPolicyArns": [CNI_POLICY]}),
        ),
        [],
    ),
    "Pulumi trust as an object": (
        preview(
            step("create", CNI, "cni", ADDON | {"serviceAccountRoleArn": UNKNOWN}, deps={"serviceAccountRoleArn": urn(ROLE, "cni")}),
            step("create", ROLE, "cni", {"assumeRolePolicy": WRONG, "managedPolicyArns": [CNI_POLICY]}),
        ),
        ["trust-wrong"],
    ),
    "Pulumi trust known later": (
        preview(
            step("create", CNI, "cni", ADDON | {"serviceAccountRoleArn": UNKNOWN}, deps={"serviceAccountRoleArn": urn(ROLE, "cni")}),
            step("create", PROVIDER, "o", {"url": UNKNOWN, "clientIdLists": ["sts.amazonaws.com"]}),
            step(
                "create",
                ROLE,
                "cni",
                {"assumeRolePolicy": UNKNOWN, "managedPolicyArns": [CNI_POLICY]},
                deps={"assumeRolePolicy": urn(PROVIDER, "o")},
            ),
        ),
        [],
    ),
    "Pulumi attachment deleted": (
        preview(
            step("same", CNI, "cni", ADDON | WITH_ROLE, ADDON | WITH_ROLE),
            step(
                "same",
                ROLE,
                "cni",
                {"name": "cni", "assumeRolePolicy": json.dumps(irsa_trust())},
                {"name": "cni", "arn": ARN, "assumeRolePolicy": json.dumps(irsa_trust())},
            ),
            step("delete", ATTACHMENT, "a", None, {"role": "cni", "policyArn": CNI_POLICY}),
        ),
        ["policy-missing"],
    ),
    "Pulumi inline policies": (
        preview(
            step("create", CNI, "cni", ADDON | {"serviceAccountRoleArn": UNKNOWN}, deps={"serviceAccountRoleArn": urn(ROLE, "cni")}),
            step(
                "create",
                ROLE,
                "cni",
                {"assumeRolePolicy": json.dumps(irsa_trust()), "inlinePolicies": [{"name": "a", "policy": json.dumps(ALLOWING_EC2)}]},
            ),
        ),
        [],
    ),
    "Pulumi audience dropped": (
        preview(
            step("same", CNI, "cni", ADDON | WITH_ROLE, ADDON | WITH_ROLE),
            step("update", PROVIDER, "o", {"url": ISSUER, "clientIdLists": ["x"]}, {"url": ISSUER, "clientIdLists": ["sts.amazonaws.com"]}),
        ),
        ["oidc-provider-removed"],
    ),
    "Pulumi Fargate alone": (
        preview(step("create", CNI, "cni", ADDON), step("create", "aws:eks/fargateProfile:FargateProfile", "f", {"clusterName": "kite"})),
        [],
    ),
    "Pulumi no plug-in": (
        preview(step("create", CLUSTER_TYPE, "kite", {"name": "kite", "bootstrapSelfManagedAddons": False})),
        ["no-network-plugin"],
    ),
    "Pulumi no plug-in, Cilium": (
        preview(
            step("create", CLUSTER_TYPE, "kite", {"name": "kite", "bootstrapSelfManagedAddons": False}),
            step("create", "kubernetes:helm.sh/v3:Release", "c", {"chart": "cilium"}),
        ),
        [],
    ),
    "Pulumi Auto Mode": (
        preview(
            step("create", CLUSTER_TYPE, "kite", {"name": "kite", "bootstrapSelfManagedAddons": False, "computeConfig": {"enabled": True}})
        ),
        [],
    ),
    "Pulumi native, association": (
        preview(
            step(
                "create",
                "aws-native:eks:Addon",
                "cni",
                ADDON | {"podIdentityAssociations": [{"serviceAccount": "aws-node", "roleArn": ARN}]},
            )
        ),
        [],
    ),
    "Pulumi native, role wrong": (
        preview(
            step(
                "create",
                "aws-native:eks:Addon",
                "cni",
                ADDON | {"serviceAccountRoleArn": UNKNOWN},
                deps={"serviceAccountRoleArn": urn("aws-native:iam:Role", "cni")},
            ),
            step("create", "aws-native:iam:Role", "cni", {"assumeRolePolicyDocument": WRONG, "managedPolicyArns": [CNI_POLICY]}),
        ),
        ["trust-wrong"],
    ),
    "Pulumi comment": (preview(step("same", CNI, "cni", ADDON | WITH_ROLE, ADDON | WITH_ROLE)).replace('"steps"', '// x\n "steps"'), "3:2"),
    "Pulumi diagnostics around": (
        json.dumps(
            {
                "config": {},
                "steps": [step("same", CNI, "cni", ADDON | WITH_ROLE, ADDON | WITH_ROLE)],
                "diagnostics": [{"message": "x"}],
                "duration": 1,
                "changeSummary": {"same": 1},
            }
        ),
        [],
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_each_file_has_the_expected_outcome(case: tuple[Any, ...], tmp_path: Path) -> None:
    *contents, expected = case
    assert outcome(tmp_path, *contents) == expected
