"""Findings of a plan: sentences, expressions and suggested lines."""

import json
from typing import Any

import pytest

from preflight.terraform import reader as terraform
from preflight.terraform.configuration import ModuleCall
from preflight.terraform.plan import module_names
from tests.unit.preflight.fixture_files import FIXTURES, findings_of, only

ROLE = "arn:aws:iam::111122223333:role/eks/prod-blue-vpc-cni"


def plan_of(name: str) -> Any:
    return json.loads((FIXTURES / "terraform" / name).read_text(encoding="utf-8"))


def test_a_version_change_that_drops_the_role_says_both_versions_and_the_role() -> None:
    found = only("terraform", "version-change-drops-role.json", "role-dropped")
    assert found.message == (
        f"The record holds {ROLE}; the plan removes it while the version changes from v1.13.4-eksbuild.1 to v1.15.1-eksbuild.1."
    )
    assert found.add == (f'service_account_role_arn = "{ROLE}"',)
    assert found.place == 'in resource "aws_eks_addon" "vpc_cni"'


def test_the_fix_in_a_module_references_the_role_of_its_module() -> None:
    found = only("terraform", "module-drops-role.json", "role-dropped")
    assert found.add == ("service_account_role_arn = module.vpc_cni_irsa.iam_role_arn",)
    assert found.place == 'in module "eks" (terraform-aws-modules/eks/aws ~> 20.33): cluster_addons → vpc-cni'


def test_the_fix_in_a_nested_blueprint_is_in_eks_addons() -> None:
    found = only("terraform", "blueprint-drops-role.json", "role-dropped")
    assert found.place == 'in module "platform.eks_blueprints_addons" (aws-ia/eks-blueprints-addons/aws ~> 1.9): eks_addons → vpc-cni'


def test_a_default_of_a_module_is_named_as_default() -> None:
    assert "which is the default of module eks" in only("terraform", "module-drops-role.json", "overwrite").message
    assert "module" not in only("terraform", "overwrite.json", "overwrite").message


def test_an_undecided_value_names_its_source() -> None:
    found = only("terraform", "role-unknown.json", "role-unknown")
    assert found.expression == "data.aws_ssm_parameter.found.value, var.use_role"


def test_a_constant_is_shown() -> None:
    assert only("terraform", "overwrite.json", "overwrite").expression == '"OVERWRITE"'


def test_an_addon_that_moves_inside_its_module_gets_a_moved_block() -> None:
    found = only("terraform", "module-moves-to-before-compute.json", "addon-removed")
    assert found.add == (
        "moved {",
        '  from = module.eks.aws_eks_addon.this["vpc-cni"]',
        '  to   = module.eks.aws_eks_addon.before_compute["vpc-cni"]',
        "}",
    )


def test_a_wrong_trust_policy_has_a_correction() -> None:
    found = only("terraform", "trust-of-other-cluster.json", "trust-wrong")
    assert "another cluster (…/id/EXAMPLE9A1C, this cluster is …/id/EXAMPLE77D0)" in found.message
    assert any("EXAMPLE77D0" in line for line in found.add)
    assert not any("EXAMPLE9A1C" in line for line in found.add)


def test_a_new_role_is_shown_only_by_references_that_cannot_be_empty() -> None:
    plan = plan_of("new-role-existing-cluster.json")
    written = plan["configuration"]["root_module"]["resources"][0]["expressions"]["service_account_role_arn"]
    assert terraform.read(json.dumps(plan), "p") == ()
    for sure in ("var.cni_version", "each.key", "terraform.workspace", "data.aws_iam_role.other.arn"):
        written["references"].append(sure)
        assert terraform.read(json.dumps(plan), "p") == (), sure
    for doubt in (
        "local.role",
        "data.aws_ssm_parameter.role.value",
        "module.unknown.arn",
        "aws_iam_role.vpc_cni.unique_id",
        "each.value.role",
    ):
        written["references"].append(doubt)
        assert [item.rule.name for item in terraform.read(json.dumps(plan), "p")] == ["role-unknown"], doubt
        written["references"].remove(doubt)


def test_the_trust_of_a_role_that_is_new_in_this_plan_is_judged_too() -> None:
    plan = plan_of("new-role-existing-cluster.json")
    role = plan["resource_changes"][1]["change"]["after"]
    role["assume_role_policy"] = role["assume_role_policy"].replace("aws-node", "somebody-else")
    assert [item.rule.name for item in terraform.read(json.dumps(plan), "p")] == ["trust-wrong"]


def test_a_role_that_stays_as_it_is_is_not_doubted_where_the_cluster_is_not_in_the_plan() -> None:
    plan = plan_of("keeps-role.json")
    del plan["prior_state"]
    assert terraform.read(json.dumps(plan), "p") == ()
    plan["resource_changes"][1]["change"]["actions"] = ["update"]
    assert terraform.read(json.dumps(plan), "p") == ()
    plan["resource_changes"][1]["change"]["after"]["assume_role_policy"] = "{}"
    assert [item.rule.name for item in terraform.read(json.dumps(plan), "p")] == ["trust-unknown"]


@pytest.mark.parametrize("name", ["created-without-role.json", "version-change-drops-role.json", "module-drops-role.json"])
def test_writing_the_role_makes_the_error_go_away(name: str) -> None:
    plan = plan_of(name)
    plan["resource_changes"][0]["change"]["after"]["service_account_role_arn"] = ROLE
    assert not [item for item in terraform.read(json.dumps(plan), "p") if item.level == "error"]


@pytest.mark.parametrize("name", ["new-cluster.json", "trust-of-other-cluster.json", "for-each-one-of-two.json"])
def test_the_order_of_changes_does_not_matter(name: str) -> None:
    plan = plan_of(name)
    plan["resource_changes"].reverse()
    assert terraform.read(json.dumps(plan), name) == findings_of("terraform", name)


def test_data_sources_and_deposed_objects_are_no_changes() -> None:
    plan = plan_of("created-without-role.json")
    plan["resource_changes"][0]["mode"] = "data"
    assert [item.rule.name for item in terraform.read(json.dumps(plan), "p")] == ["addon-absent"]
    plan["resource_changes"][0] |= {"mode": "managed", "deposed": "00000001"}
    assert [item.rule.name for item in terraform.read(json.dumps(plan), "p")] == ["addon-absent"]


@pytest.mark.parametrize(
    ("address", "names"),
    [
        ("", ()),
        ("module.a", ("a",)),
        ("module.a[0].module.b", ("a", "b")),
        ('module.a["x.module.y"].module.b["]"]', ("a", "b")),
        ('module.a["quo\\"te]"].module.b', ("a", "b")),
    ],
)
def test_module_addresses_are_split_at_their_steps(address: str, names: tuple[str, ...]) -> None:
    assert module_names(address) == names


@pytest.mark.parametrize(
    ("source", "cluster_module", "blueprint"),
    [
        ("terraform-aws-modules/eks/aws", True, False),
        ("registry.terraform.io/terraform-aws-modules/eks/aws", True, False),
        ("git::https://github.com/terraform-aws-modules/terraform-aws-eks.git?ref=v20.33.0", True, False),
        ("aws-ia/eks-blueprints-addons/aws", False, True),
        ("github.com/aws-ia/terraform-aws-eks-blueprints-addons", False, True),
        ("terraform-aws-modules/eks-pod-identity/aws", False, False),
        ("./modules/eks", False, False),
    ],
)
def test_modules_are_known_by_their_source(source: str, cluster_module: bool, blueprint: bool) -> None:
    call = ModuleCall(path=("m",), block={"source": source})
    assert (call.is_cluster_module, call.is_blueprint) == (cluster_module, blueprint)


def test_the_module_s_later_argument_is_named_where_it_is_the_one_in_use() -> None:
    plan = plan_of("module-drops-role.json")
    call = plan["configuration"]["root_module"]["module_calls"]["eks"]
    call["expressions"]["addons"] = call["expressions"].pop("cluster_addons")
    found = next(item for item in terraform.read(json.dumps(plan), "p") if item.rule.name == "role-dropped")
    assert found.place.endswith(": addons → vpc-cni")
