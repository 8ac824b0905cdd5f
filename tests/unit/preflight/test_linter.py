"""Preflight as a linter: discovery of files, suppressions, thresholds, exit codes, and lines of .tf files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from preflight.formats import kind_of
from tests.unit.preflight.fixture_files import FIXTURES, KINDS
from tests.unit.preflight.plan_builder import WORKER_POLICY, PlanBuilder, role_arn
from tests.unit.preflight.test_command import run

if TYPE_CHECKING:
    from pathlib import Path

WRONG = """apiVersion: eksctl.io/v1alpha5
kind: ClusterConfig
metadata: {name: kite, region: eu-central-1}
addons:
  %s
  - name: vpc-cni %s
managedNodeGroups:
  - name: a
    iam: {attachPolicyARNs: [arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy]}
"""


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def checked(*words: str | Path) -> tuple[int, dict[str, Any]]:
    """Exit code and JSON document of a run."""
    result = run(*words, "-o", "json")
    return result.exit_code, json.loads(result.stdout)


# --- discovery


@pytest.mark.parametrize("folder", KINDS)
def test_the_kind_of_each_fixture_is_recognized_by_its_content(folder: str) -> None:
    for path in (FIXTURES / folder).iterdir():
        assert kind_of(path.read_text(encoding="utf-8")) == KINDS[folder], path.name


def test_a_folder_is_searched_and_other_files_are_skipped(tmp_path: Path) -> None:
    write(tmp_path / "infra" / "a" / "cluster.yaml", WRONG % ("", ""))
    write(tmp_path / "infra" / "plan.json", PlanBuilder().addon(after={"service_account_role_arn": role_arn("cni")}).json())
    write(tmp_path / "infra" / "values.yaml", "{{ helm: [template")
    write(tmp_path / "infra" / ".terraform" / "cluster.yaml", WRONG % ("", ""))
    code, document = checked("infra")
    assert (code, [(file["file"], file["kind"]) for file in document["files"]]) == (
        1,
        [("infra/a/cluster.yaml", "eksctl"), ("infra/plan.json", "terraform-plan")],
    )


def test_globs_find_files(tmp_path: Path) -> None:
    write(tmp_path / "a" / "x.yaml", WRONG % ("", ""))
    write(tmp_path / "b" / "y.txt", "text")
    assert [file["file"] for file in checked("**/*.yaml")[1]["files"]] == ["a/x.yaml"]


def test_a_named_file_of_no_known_kind_is_reported(tmp_path: Path) -> None:
    write(tmp_path / "notes.yaml", "a: 1")
    code, document = checked("notes.yaml")
    assert code == 2
    assert "is of no kind that preflight reads" in document["files"][0]["error"]
    assert run("notes.yaml", "--skip-unknown").exit_code == 0


# --- unreadable files and exit codes


def test_one_bad_file_does_not_silence_the_others(tmp_path: Path) -> None:
    write(tmp_path / "bad.yaml", "a: [")
    write(tmp_path / "wrong.yaml", WRONG % ("", ""))
    code, document = checked("--eksctl", "bad.yaml", "--eksctl", "wrong.yaml")
    assert code == 1
    assert document["files"][0]["error"].startswith("bad.yaml:2:1 is neither YAML nor JSON")
    assert [finding["name"] for finding in document["findings"]] == ["role-missing"]


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        (PlanBuilder().addon(after={"service_account_role_arn": role_arn("cni")}).json(), (0, 0)),
        (PlanBuilder().addon(after={}).json(), (1, 1)),
        (PlanBuilder().addon(after={}, unknown=("service_account_role_arn",)).json(), (2, 2)),
        ("", (2, 3)),
    ],
    ids=["pass", "findings", "unknown", "unreadable"],
)
def test_exit_codes_are_distinct_in_detail(tmp_path: Path, text: str, codes: tuple[int, int]) -> None:
    path = write(tmp_path / "plan.json", text)
    plain = run("--terraform-plan", path).exit_code
    assert (plain, run("--terraform-plan", path, "--detailed-exit-code").exit_code) == codes


@pytest.mark.parametrize(("level", "code"), [("error", 0), ("warning", 1), ("note", 1), ("never", 0)])
def test_the_threshold_decides_what_fails(tmp_path: Path, level: str, code: int) -> None:
    after = {"service_account_role_arn": role_arn("cni"), "resolve_conflicts_on_update": "OVERWRITE"}
    path = write(tmp_path / "plan.json", PlanBuilder().addon(after=after).json())
    assert run("--terraform-plan", path, "--fail-on", level).exit_code == code


def test_a_note_fails_at_the_lowest_threshold_only(tmp_path: Path) -> None:
    path = write(tmp_path / "t.yaml", "Resources: {A: {Type: 'AWS::S3::Bucket'}}")
    assert [run("--template", path, "--fail-on", level).exit_code for level in ("warning", "note")] == [0, 1]


def test_never_failing_hides_no_finding(tmp_path: Path) -> None:
    path = write(tmp_path / "cluster.yaml", WRONG % ("", ""))
    code, document = checked(path, "--fail-on", "never")
    assert (code, [finding["name"] for finding in document["findings"]]) == (0, ["role-missing"])


def test_an_unknown_threshold_is_refused() -> None:
    assert run("--fail-on", "grave").exit_code == 2


# --- suppression


@pytest.mark.parametrize(
    ("above", "beside"),
    [
        ("# irsa-preflight: ignore EIR101 -- nodes are replaced in May", ""),
        ("", "# irsa-preflight: ignore role-missing -- nodes are replaced in May"),
        ("# irsa-preflight: ignore EIR201,EIR101 -- nodes are replaced in May", ""),
        ("# irsa-preflight: ignore EIR101 addons/vpc-cni -- nodes are replaced in May", ""),
    ],
    ids=["above", "beside, by name", "several rules", "by resource"],
)
def test_a_comment_suppresses_a_finding_with_its_reason(tmp_path: Path, above: str, beside: str) -> None:
    path = write(tmp_path / "cluster.yaml", WRONG % (above, beside))
    code, document = checked(path)
    assert (code, [finding["suppressed"] for finding in document["findings"]]) == (0, ["nodes are replaced in May"])


@pytest.mark.parametrize(
    "comment",
    ["# irsa-preflight: ignore EIR101", "# irsa-preflight: ignore EIR999 -- reason", "# irsa-preflight: ignore EIR201 -- another rule"],
    ids=["no reason", "no such rule", "another rule"],
)
def test_a_comment_without_reason_or_rule_suppresses_nothing(tmp_path: Path, comment: str) -> None:
    path = write(tmp_path / "cluster.yaml", WRONG % (comment, ""))
    code, document = checked(path)
    assert code == 1
    assert ("suppression-fault" in [finding["name"] for finding in document["findings"]]) is ("EIR201" not in comment)


def test_a_comment_elsewhere_in_the_file_suppresses_nothing(tmp_path: Path) -> None:
    assert run(write(tmp_path / "cluster.yaml", "# irsa-preflight: ignore EIR101 -- at the top\n" + WRONG % ("", ""))).exit_code == 1


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        ("{rule: EIR101, reason: known}", 0),
        ("{rule: role-missing, resource: 'addons/*', file: '*.yaml', reason: known}", 0),
        ("{rule: EIR101, resource: other, reason: known}", 1),
        ("{rule: EIR101, file: other.yaml, reason: known}", 1),
        ("{rule: EIR201, reason: known}", 1),
        ("{rule: EIR101}", 2),
        ("{rule: EIR101, reason: ' '}", 2),
        ("{rule: EIR999, reason: known}", 2),
        ("{rule: EIR101, reason: known, because: typo}", 2),
    ],
)
def test_the_configuration_suppresses_by_rule_resource_and_file(tmp_path: Path, entry: str, code: int) -> None:
    write(tmp_path / ".irsa-preflight.yaml", f"suppress: [{entry}]")
    write(tmp_path / "cluster.yaml", WRONG % ("", ""))
    assert run("cluster.yaml").exit_code == code


@pytest.mark.parametrize(("setting", "code"), [("true", 3), ("false", 2)])
def test_the_configuration_gives_unreadable_files_an_exit_code_of_their_own(tmp_path: Path, setting: str, code: int) -> None:
    config = write(tmp_path / "other.yaml", f"detailed-exit-code: {setting}")
    assert run("--eksctl", write(tmp_path / "cluster.yaml", "a: ["), "--config", config).exit_code == code


def test_the_configuration_sets_the_threshold_and_an_option_overrides_it(tmp_path: Path) -> None:
    config = write(tmp_path / "other.yaml", "fail-on: never")
    path = write(tmp_path / "cluster.yaml", WRONG % ("", ""))
    assert [run(path, "--config", config, *words).exit_code for words in ((), ("--fail-on", "error"))] == [0, 1]


def test_metadata_suppresses_in_a_json_template(tmp_path: Path) -> None:
    addon: dict[str, Any] = {"Type": "AWS::EKS::Addon", "Properties": {"AddonName": "vpc-cni", "ClusterName": "kite"}}
    addon["Metadata"] = {"irsa-preflight": {"ignore": [{"rule": "EIR101", "reason": "no nodes yet"}]}}
    path = write(tmp_path / "t.json", json.dumps({"Resources": {"Cni": addon}}))
    code, document = checked(path)
    assert (code, [finding["suppressed"] for finding in document["findings"]]) == (0, ["no nodes yet"])


# --- lines of .tf files

MODULE = """# the platform
module "eks" {
  source = "terraform-aws-modules/eks/aws"
  addons = {
    coredns = {}
    vpc-cni = { before_compute = true } %s
  }
}

resource "aws_iam_role" "cni" {
  name = "cni"
}
"""


def module_plan() -> str:
    builder = PlanBuilder().add(
        'module.eks.aws_eks_addon.before_compute["vpc-cni"]', after={"addon_name": "vpc-cni", "cluster_name": "kite"}
    )
    return builder.call("eks", "terraform-aws-modules/eks/aws").nodes(WORKER_POLICY).json()


def test_findings_of_a_plan_point_at_the_lines_of_the_tf_files_beside_it(tmp_path: Path) -> None:
    write(tmp_path / "main.tf", MODULE % "")
    plan = write(tmp_path / "plan.json", module_plan())
    (finding,) = checked("--terraform-plan", plan)[1]["findings"]
    assert (finding["name"], finding["file"], finding["line"]) == ("role-missing", str(tmp_path / "main.tf"), 6)


def test_the_tf_files_may_be_in_another_folder(tmp_path: Path) -> None:
    write(tmp_path / "src" / "main.tf", MODULE % "")
    plan = write(tmp_path / "out" / "plan.json", module_plan())
    (finding,) = checked("--terraform-plan", plan, "--terraform-source", "src")[1]["findings"]
    assert (finding["file"], finding["line"]) == ("src/main.tf", 6)


def test_a_comment_in_the_tf_file_suppresses_the_finding_of_the_plan(tmp_path: Path) -> None:
    write(tmp_path / "main.tf", MODULE % "# irsa-preflight: ignore EIR101 -- nodes keep the policy by hand")
    plan = write(tmp_path / "plan.json", module_plan())
    assert run("--terraform-plan", plan).exit_code == 0


def test_a_role_points_at_its_resource_block(tmp_path: Path) -> None:
    write(tmp_path / "main.tf", MODULE % "")
    unknown = {"service_account_role_arn": "aws_iam_role.cni.arn"}
    builder = PlanBuilder().addon(after={}, unknown=("service_account_role_arn",), refs=unknown).role(new=True, policies=())
    plan = write(tmp_path / "plan.json", builder.json())
    (finding,) = checked("--terraform-plan", plan)[1]["findings"]
    assert (finding["name"], finding["line"]) == ("policy-missing", 10)


def test_a_tf_file_that_is_no_hcl_is_left_out(tmp_path: Path) -> None:
    write(tmp_path / "main.tf", "module {{{")
    plan = write(tmp_path / "plan.json", module_plan())
    (finding,) = checked("--terraform-plan", plan)[1]["findings"]
    assert (finding["file"], finding["line"]) == (str(plan), None)
