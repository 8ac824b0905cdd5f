"""An existing cluster gives its issuer, so a role that trusts another cluster is found before it is applied."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from cli.clients import connection
from preflight.cloudformation import reader as cloudformation
from preflight.context import Context
from preflight.terraform import reader as terraform
from tests.unit.preflight.clusters import dependencies_of, report_on_demo
from tests.unit.preflight.fixture_files import FIXTURES
from tests.unit.preflight.test_command import run
from tests.world import described

if TYPE_CHECKING:
    from pathlib import Path

    from preflight.finding import Finding

ISSUER = "oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLE9A1C"
RIGHT = f"arn:aws:iam::111122223333:oidc-provider/{ISSUER}"
OTHER = "arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLEFFFF"


def template(name: str, **providers: str) -> list[str]:
    return told(cloudformation.read((FIXTURES / "template" / name).read_text(encoding="utf-8"), name, Context(providers=providers)))


def told(findings: tuple[Finding, ...]) -> list[str]:
    return [finding.rule.name for finding in findings]


def test_an_issuer_that_is_written_out_is_compared_with_the_clusters() -> None:
    assert template("trust-written-out.yaml", blue=RIGHT) == []
    assert template("trust-written-out.yaml", blue=OTHER) == ["trust-wrong"]


def test_which_of_several_clusters_a_template_is_for_is_not_guessed() -> None:
    assert template("trust-written-out.yaml", blue=OTHER, green=OTHER) == []


def test_another_clusters_issuer_says_nothing_of_this_one() -> None:
    literal = (FIXTURES / "template" / "trust-written-out.yaml").read_text(encoding="utf-8").replace("!Ref ClusterName", "prod-blue")
    assert told(cloudformation.read(literal, "t.yaml", Context(providers={"prod-green": OTHER}))) == []
    assert told(cloudformation.read(literal, "t.yaml", Context(providers={"prod-blue": OTHER}))) == ["trust-wrong"]


def test_a_cluster_named_by_a_parameter_is_the_given_cluster() -> None:
    assert template("trust-right.yaml", **{"prod-blue": OTHER}) == []


def test_a_cluster_of_the_template_is_not_the_existing_one() -> None:
    assert template("trust-own-cluster.yaml", blue=OTHER) == []


def plan_of_a_role_alone() -> dict[str, Any]:
    """A plan that changes the role's trust and does not hold the cluster."""
    plan: dict[str, Any] = json.loads((FIXTURES / "terraform" / "trust-of-other-cluster.json").read_text(encoding="utf-8"))
    del plan["prior_state"]
    plan["resource_changes"] = [
        resource_change for resource_change in plan["resource_changes"] if resource_change["type"] != "aws_eks_cluster"
    ]
    (role,) = (resource_change for resource_change in plan["resource_changes"] if resource_change["type"] == "aws_iam_role")
    role["change"]["actions"] = ["update"]
    return plan


@pytest.mark.parametrize(
    ("providers", "found"),
    [
        ({}, []),
        ({"prod-green": OTHER}, []),
        ({"prod-blue": OTHER}, ["trust-wrong"]),
        ({"prod-blue": RIGHT}, []),
    ],
    ids=["no cluster was read", "another cluster was read", "the role trusts another cluster", "the role trusts this cluster"],
)
def test_a_plan_without_the_cluster_is_judged_by_the_living_one(providers: dict[str, str], found: list[str]) -> None:
    findings = terraform.read(json.dumps(plan_of_a_role_alone()), "plan.json", Context(providers=providers))
    assert [finding.rule.name for finding in findings if finding.rule.name.startswith("trust")] == found


def test_the_existing_cluster_gives_its_provider() -> None:
    seen = described()
    assert report_on_demo().provider_arn.endswith(f"oidc-provider/{seen.clusters['demo'].facts.issuer.removeprefix('https://')}")


def test_the_command_gives_the_clusters_issuer_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "connect", lambda _: dependencies_of(described()))
    file = tmp_path / "t.yaml"
    file.write_text((FIXTURES / "template" / "trust-written-out.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    assert run("--template", file).exit_code == 0
    both = run("--template", file, "--cluster", "demo", "--output", "json")
    assert both.exit_code == 1
    assert [finding["name"] for finding in json.loads(both.stdout)["findings"] if finding["level"] == "error"] == ["trust-wrong"]


def test_an_unreadable_file_is_reported_before_aws_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(_: Any) -> Any:
        raise AssertionError("the file comes first")

    monkeypatch.setattr(connection, "connect", connect)
    assert run("--template", FIXTURES / "malformed" / "no-resources.yaml", "--cluster", "demo").exit_code == 2
