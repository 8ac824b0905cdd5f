"""Pulumi previews and Kubernetes manifests of ACK and Crossplane."""

from __future__ import annotations

import json
from typing import Any

import pytest

from preflight.finding import MalformedFile
from preflight.formats import kind_of
from preflight.rules import Level
from tests.unit.preflight.fixture_files import findings_in
from tests.unit.preflight.plan_builder import CNI_POLICY, EC2_TRUST, POD_TRUST, WORKER_POLICY, irsa_trust, role_arn

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
ADDON = {"addonName": "vpc-cni", "clusterName": "kite"}
ROLE = {"serviceAccountRoleArn": role_arn("cni")}


def serious(kind: str, text: str) -> list[str]:
    assert kind_of(text) == kind
    return sorted({finding.rule.name for finding in findings_in(kind, text) if finding.level in (Level.ERROR, Level.UNKNOWN)})


# --- Pulumi


def urn(kind: str, name: str) -> str:
    return f"urn:pulumi:prod::platform::{kind}::{name}"


def step(
    op: str, kind: str, name: str, new: dict[str, Any] | None = None, old: dict[str, Any] | None = None, **dependencies: str
) -> dict[str, Any]:
    found: dict[str, Any] = {"op": op, "urn": urn(kind, name)}
    if old is not None:
        found["oldState"] = {"urn": found["urn"], "inputs": old, "outputs": old}
    if new is not None:
        found["newState"] = {
            "urn": found["urn"],
            "inputs": new,
            "propertyDependencies": {key: [value] for key, value in dependencies.items()},
        }
    return found


CNI, IAM_ROLE, ATTACHMENT = "aws:eks/addon:Addon", "aws:iam/role:Role", "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
GROUP = "aws:eks/nodeGroup:NodeGroup"


def new_role(trust: dict[str, Any], policy: str = CNI_POLICY) -> list[dict[str, Any]]:
    role = urn(IAM_ROLE, "cni")
    return [
        step("create", CNI, "cni", ADDON | {"serviceAccountRoleArn": UNKNOWN}, serviceAccountRoleArn=role),
        step("create", IAM_ROLE, "cni", {"assumeRolePolicy": json.dumps(trust)}),
        step("create", ATTACHMENT, "cni", {"role": UNKNOWN, "policyArn": policy}, role=role),
    ]


def nodes(policy: str) -> list[dict[str, Any]]:
    role = urn(IAM_ROLE, "node")
    return [
        step("create", GROUP, "ng", {"clusterName": "kite", "nodeRoleArn": UNKNOWN}, nodeRoleArn=role),
        step("create", IAM_ROLE, "node", {"assumeRolePolicy": json.dumps(EC2_TRUST)}),
        step("create", ATTACHMENT, "node", {"role": UNKNOWN, "policyArn": policy}, role=role),
    ]


PULUMI: dict[str, tuple[list[dict[str, Any]], list[str]]] = {
    "role kept": ([step("update", CNI, "cni", ADDON | ROLE, ADDON | ROLE)], []),
    "role dropped": ([step("update", CNI, "cni", ADDON, ADDON | ROLE)], ["role-dropped"]),
    "created without a role": ([step("create", CNI, "cni", ADDON)], ["role-missing"]),
    "nodes with the policy": ([step("create", CNI, "cni", ADDON), *nodes(CNI_POLICY)], []),
    "nodes without the policy": ([step("create", CNI, "cni", ADDON), *nodes(WORKER_POLICY)], ["role-missing"]),
    "new role": (new_role(irsa_trust()), []),
    "new role without the policy": (new_role(irsa_trust(), WORKER_POLICY), ["policy-missing"]),
    "new role with the wrong trust": (new_role(POD_TRUST), ["trust-wrong"]),
    "association": (
        [step("create", CNI, "cni", ADDON | {"podIdentityAssociations": [{"serviceAccount": "aws-node", "roleArn": role_arn("x")}]})],
        [],
    ),
    "deleted": ([step("delete", CNI, "cni", None, ADDON | ROLE)], ["addon-removed"]),
    "same": ([step("same", CNI, "cni", ADDON | ROLE, ADDON | ROLE)], []),
    "native provider drops the role": ([step("update", "aws-native:eks:Addon", "cni", ADDON, ADDON | ROLE)], ["role-dropped"]),
}


@pytest.mark.parametrize(("steps", "expected"), PULUMI.values(), ids=PULUMI)
def test_each_preview_has_the_expected_errors(steps: list[dict[str, Any]], expected: list[str]) -> None:
    assert serious("pulumi-preview", json.dumps({"config": {}, "steps": steps})) == expected


def test_a_preview_names_resources_as_pulumi_does() -> None:
    (finding,) = findings_in("pulumi-preview", json.dumps({"steps": PULUMI["created without a role"][0]}))
    assert (finding.resource, finding.add) == ("cni", ())


# --- manifests


def ack(kind: str, name: str, spec: dict[str, Any], group: str = "eks") -> str:
    document = {"apiVersion": f"{group}.services.k8s.aws/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}
    return json.dumps(document) + "\n---\n"


def crossplane(kind: str, name: str, spec: dict[str, Any], group: str = "eks") -> str:
    document = {"apiVersion": f"{group}.aws.upbound.io/v1beta1", "kind": kind, "metadata": {"name": name}, "spec": {"forProvider": spec}}
    return json.dumps(document) + "\n---\n"


ACK_ADDON = {"name": "vpc-cni", "clusterName": "kite"}


def ack_role(trust: dict[str, Any], policies: list[str]) -> str:
    return ack("Role", "cni", {"name": "cni", "assumeRolePolicyDocument": json.dumps(trust), "policies": policies}, "iam")


MANIFESTS: dict[str, tuple[str, list[str]]] = {
    "ACK, role": (ack("Addon", "cni", ACK_ADDON | {"serviceAccountRoleARN": role_arn("cni")}), []),
    "ACK, no role": (ack("Addon", "cni", ACK_ADDON), ["role-missing"]),
    "ACK, placeholder": (ack("Addon", "cni", ACK_ADDON | {"serviceAccountRoleARN": "arn:aws:iam::<id>:role/cni"}), ["role-not-arn"]),
    "ACK, reference": (
        ack("Addon", "cni", ACK_ADDON | {"serviceAccountRoleRef": {"from": {"name": "cni"}}}) + ack_role(irsa_trust(), [CNI_POLICY]),
        [],
    ),
    "ACK, reference to a Pod Identity role": (
        ack("Addon", "cni", ACK_ADDON | {"serviceAccountRoleRef": {"from": {"name": "cni"}}}) + ack_role(POD_TRUST, [CNI_POLICY]),
        ["trust-wrong"],
    ),
    "ACK, reference to a role without the policy": (
        ack("Addon", "cni", ACK_ADDON | {"serviceAccountRoleRef": {"from": {"name": "cni"}}}) + ack_role(irsa_trust(), [WORKER_POLICY]),
        ["policy-missing"],
    ),
    "ACK, association": (
        ack("Addon", "cni", ACK_ADDON)
        + ack(
            "PodIdentityAssociation",
            "cni",
            {"clusterName": "kite", "namespace": "kube-system", "serviceAccount": "aws-node", "roleARN": role_arn("cni")},
        ),
        [],
    ),
    "Crossplane, role": (crossplane("Addon", "cni", ADDON | ROLE), []),
    "Crossplane, no role": (crossplane("Addon", "cni", ADDON), ["role-missing"]),
    "Crossplane, reference": (
        crossplane("Addon", "cni", ADDON | {"serviceAccountRoleArnRef": {"name": "cni"}})
        + crossplane("Role", "cni", {"assumeRolePolicy": json.dumps(irsa_trust()), "managedPolicyArns": [CNI_POLICY]}, "iam"),
        [],
    ),
    "Crossplane, wrong trust": (
        crossplane("Addon", "cni", ADDON | {"serviceAccountRoleArnRef": {"name": "cni"}})
        + crossplane(
            "Role",
            "cni",
            {"assumeRolePolicy": json.dumps(irsa_trust("system:serviceaccount:a:b")), "managedPolicyArns": [CNI_POLICY]},
            "iam",
        ),
        ["trust-wrong"],
    ),
    "Crossplane, selector": (
        crossplane("Addon", "cni", ADDON | {"serviceAccountRoleArnSelector": {"matchLabels": {"a": "b"}}}),
        ["role-unknown"],
    ),
}


@pytest.mark.parametrize(("text", "expected"), MANIFESTS.values(), ids=MANIFESTS)
def test_each_manifest_has_the_expected_errors(text: str, expected: list[str]) -> None:
    assert serious("manifest", text) == expected


def test_findings_of_manifests_point_at_the_manifest() -> None:
    text = ack("Cluster", "kite", {"name": "kite"}) + ack("Addon", "cni", ACK_ADDON)
    (finding,) = findings_in("manifest", text)
    assert (finding.rule.name, finding.resource, finding.line) == ("role-missing", "Addon/cni", 3)


@pytest.mark.parametrize(
    ("kind", "text"), [("pulumi-preview", "{}"), ("pulumi-preview", '{"steps": 1}'), ("manifest", "kind: Pod"), ("manifest", "[1]")]
)
def test_other_files_are_refused(kind: str, text: str) -> None:
    with pytest.raises(MalformedFile):
        findings_in(kind, text)
