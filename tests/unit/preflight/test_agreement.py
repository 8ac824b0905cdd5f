"""A file that declares what the add-on record of a cluster holds, against the report on that cluster: both fail, or neither does."""

from __future__ import annotations

import json
from itertools import product
from typing import TYPE_CHECKING

import pytest
import yaml

from preflight.rules import Level
from preflight.run import InputFile, check_files, parse_files
from tests.unit.preflight.clusters import report_on_demo
from tests.unit.preflight.plan_builder import CNI_POLICY, PlanBuilder
from tests.world import role_arn

if TYPE_CHECKING:
    from collections.abc import Callable

BOUND, OTHER = role_arn("demo-vpc-cni"), role_arn("old-vpc-cni")
ROLES = (None, BOUND, OTHER)
WORLDS = [
    pytest.param(record, annotation, binding, id=f"record {record_id}, annotation {annotation_id}, binding {binding_id}")
    for (record_id, record), (annotation_id, annotation), (binding_id, binding) in product(
        zip(("none", "bound", "other"), ROLES, strict=True),
        zip(("none", "bound", "other"), ROLES, strict=True),
        (("none", None), ("bound", BOUND)),
    )
]


def plan(role: str | None) -> str:
    """A plan that updates the version, on nodes with the CNI policy."""
    given = {"service_account_role_arn": role, "cluster_name": "demo"}
    old, new = ({"addon_version": f"v1.{minor}.0-eksbuild.1"} for minor in (15, 16))
    nodes = {"cluster_name": "demo"}
    builder = PlanBuilder().addon(before=old | given, after=new | given).nodes(CNI_POLICY, new=True)
    return builder.json().replace('"cluster_name": "kite"', json.dumps(nodes)[1:-1])


def template(role: str | None) -> str:
    properties = {"AddonName": "vpc-cni", "ClusterName": "demo"} | ({"ServiceAccountRoleArn": role} if role else {})
    node_role = {"AssumeRolePolicyDocument": {}, "ManagedPolicyArns": [CNI_POLICY]}
    resources = {
        "Cni": {"Type": "AWS::EKS::Addon", "Properties": properties},
        "Nodes": {
            "Type": "AWS::EKS::Nodegroup",
            "DependsOn": "Cni",
            "Properties": {"ClusterName": "demo", "NodeRole": {"Fn::GetAtt": ["NodeRole", "Arn"]}},
        },
        "NodeRole": {"Type": "AWS::IAM::Role", "Properties": node_role},
    }
    return json.dumps({"Resources": resources})


def cluster_config(role: str | None) -> str:
    addon = {"name": "vpc-cni"} | ({"serviceAccountRoleARN": role} if role else {})
    head = {"apiVersion": "eksctl.io/v1alpha5", "kind": "ClusterConfig", "metadata": {"name": "demo", "region": "eu-west-1"}}
    return yaml.safe_dump({**head, "managedNodeGroups": [{"name": "a"}], "addons": [addon]})


@pytest.mark.parametrize(("record", "annotation", "binding"), WORLDS)
@pytest.mark.parametrize(
    ("kind", "file_of"), [("terraform-plan", plan), ("template", template), ("eksctl", cluster_config)], ids=["plan", "template", "eksctl"]
)
def test_file_and_cluster_agree(
    kind: str, file_of: Callable[[str | None], str], record: str | None, annotation: str | None, binding: str | None
) -> None:
    cluster = report_on_demo(
        {"addon": {"role_arn": record}, "annotation": annotation, "binding": binding, "pods": {"role": annotation}},
    )
    record_is_wrong = any(finding.rule.name in ("record-without-role", "record-differs") for finding in cluster.findings)
    (report,) = check_files(parse_files([InputFile(kind=kind, name="file", text=file_of(record))]), [cluster])
    assert report.error == ""
    assert any(finding.level is Level.ERROR for finding in report.findings) is record_is_wrong


@pytest.mark.parametrize(
    ("kind", "file_of"), [("terraform-plan", plan), ("template", template), ("eksctl", cluster_config)], ids=["plan", "template", "eksctl"]
)
def test_nodes_with_the_policy_are_a_note_for_both_where_no_role_is_named(kind: str, file_of: Callable[[str | None], str]) -> None:
    cluster = report_on_demo({"addon": {"role_arn": None}, "annotation": None, "binding": None, "pods": {"role": None}})
    (report,) = check_files(parse_files([InputFile(kind=kind, name="file", text=file_of(None))]), [cluster])
    assert [finding.rule.name for finding in cluster.findings] == ["no-role"]
    assert {finding.level for finding in report.findings} <= {Level.NOTE, Level.WARNING}
