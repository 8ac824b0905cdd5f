"""The order at creation: does a plan let nodes join before the vpc-cni add-on, with its role, exists?

terraform-aws-modules/eks creates an add-on as `aws_eks_addon.this`, which waits for the node groups, or with `before_compute` as
`aws_eks_addon.before_compute`, which does not. Version 21 renamed `cluster_addons` to `addons`.
Sources: https://github.com/terraform-aws-modules/terraform-aws-eks/blob/0005984c1251953c3616df8b304a6a3978d75920/main.tf
https://github.com/terraform-aws-modules/terraform-aws-eks/blob/02648e0b38539a3abba5219574122c33ae270f21/docs/UPGRADE-21.0.md
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest

from preflight.rules import AFTER_COMPUTE
from preflight.terraform import reader as terraform
from tests.unit.preflight.plan_builder import CNI_POLICY, WORKER_POLICY, PlanBuilder, role_arn

if TYPE_CHECKING:
    from preflight.finding import Finding

ROLE: Final = {"addon_name": "vpc-cni", "cluster_name": "kite", "service_account_role_arn": role_arn("cni")}
NODES: Final = {"cluster_name": "kite", "node_role_arn": role_arn("node")}
CLUSTER: Final = {"cluster_name": "aws_eks_cluster.main.name"}
ADDON, GROUP = "aws_eks_addon.cni", "aws_eks_node_group.blue"


def late(builder: PlanBuilder, depends_on: dict[str, list[str]] | None = None) -> list[Finding]:
    plan = json.loads(builder.json())
    for block in plan["configuration"]["root_module"]["resources"]:
        block["depends_on"] = (depends_on or {}).get(block["address"], [])
    return [found for found in terraform.read(json.dumps(plan), "plan.json") if found.rule is AFTER_COMPUTE]


def plain(group_refs: dict[str, str] | None = None, **group: Any) -> PlanBuilder:
    """A new cluster, the add-on with its role, and a node group."""
    builder = PlanBuilder().cluster(new=True).role().role("node", policies=(CNI_POLICY, WORKER_POLICY))
    builder.add(ADDON, after=ROLE, refs=CLUSTER)
    return builder.add(GROUP, after=NODES | group, refs=CLUSTER | (group_refs or {}))


def test_a_node_group_that_does_not_wait_for_the_addon_is_reported_with_the_line() -> None:
    [found] = late(plain())
    assert found.resource == ADDON
    assert found.message == f"{GROUP} does not wait for the add-on, so its nodes may join before the add-on exists."
    assert found.add == (f"depends_on = [{ADDON}]",)
    assert found.place == 'in resource "aws_eks_node_group" "blue"'


@pytest.mark.parametrize(
    "depends_on",
    [
        {GROUP: [ADDON]},
        {GROUP: [f'{ADDON}["a"]']},
        {GROUP: ["aws_iam_role.node"], "aws_iam_role.node": [ADDON]},  # by way of another resource
    ],
    ids=["direct", "instance", "transitive"],
)
def test_a_node_group_that_waits_is_not_reported(depends_on: dict[str, list[str]]) -> None:
    assert late(plain(), depends_on) == []


def test_a_reference_to_the_addon_is_an_order() -> None:
    assert late(plain({"cluster_name": f"{ADDON}.cluster_name"})) == []


@pytest.mark.parametrize(
    ("refs", "depends_on"),
    [({"subnet_ids": "local.subnets"}, {}), ({}, {GROUP: ["module.addons"]})],
    ids=["a local", "a module"],
)
def test_what_the_plan_hides_is_not_reported(refs: dict[str, str], depends_on: dict[str, list[str]]) -> None:
    assert late(plain(refs), depends_on) == []


def test_an_addon_that_waits_for_the_nodes_is_reported() -> None:
    [found] = late(plain(), {ADDON: [GROUP]})
    assert "waits for" in found.message


def test_a_node_group_of_another_cluster_is_not_reported() -> None:
    other = PlanBuilder().cluster(new=True).role().add(ADDON, after=ROLE, refs=CLUSTER)
    other.add(GROUP, after=NODES | {"cluster_name": "other"}, refs={"cluster_name": "var.other"})
    assert late(other) == []


def test_an_addon_that_exists_already_is_not_reported() -> None:
    there = PlanBuilder().cluster().role().addon(before=ROLE, after=ROLE).add(GROUP, after=NODES, refs=CLUSTER)
    assert late(there) == []


@pytest.mark.parametrize(("version", "argument"), [("~> 20.37", "cluster_addons"), ("~> 21.10", "addons")])
@pytest.mark.parametrize(("instance", "is_late"), [("this", True), ("before_compute", False)])
def test_the_module_creates_addons_after_its_nodes_unless_before_compute_is_set(
    version: str, argument: str, instance: str, is_late: bool
) -> None:
    builder = PlanBuilder().cluster(new=True).role()
    builder.add(f'module.eks.aws_eks_addon.{instance}["vpc-cni"]', after=ROLE, refs=CLUSTER)
    builder.add('module.eks.module.eks_managed_node_group["blue"].aws_eks_node_group.this[0]', after=NODES)
    builder.call("eks", "terraform-aws-modules/eks/aws", **{argument: {"vpc-cni": {}}})
    plan = json.loads(builder.json())
    plan["configuration"]["root_module"]["module_calls"]["eks"]["version_constraint"] = version
    found = [item for item in terraform.read(json.dumps(plan), "plan.json") if item.rule is AFTER_COMPUTE]
    assert [item.add for item in found] == [("before_compute = true",)] * is_late
