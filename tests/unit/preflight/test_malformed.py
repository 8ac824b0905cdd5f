"""Files of another kind than given: one sentence, with file and position."""

import json
from pathlib import Path

import pytest

from preflight.finding import MalformedFile
from preflight.formats import FORMATS
from preflight.inputs import decoded, text_of
from preflight.source_tree import load
from tests.unit.preflight.fixture_files import FIXTURES, findings_in

SENTENCES = [
    ("terraform-plan", "truncated-plan.json", "truncated-plan.json:3:1 is not JSON: Expecting value"),
    ("terraform-plan", "later-format.json", "later-format.json is not a plan that this version can read: its format_version is '2.0'."),
    ("terraform-plan", "state.json", "state.json:1:1 is a state, not a plan:"),
    (
        "terraform-plan",
        "plan-log.json",
        "plan-log.json is the log of `terraform plan -json`, not a plan: run `terraform show -json PLANFILE",
    ),
    ("terraform-plan", "list.json", "list.json:1:1 is not a plan: it holds no JSON object"),
    ("eksctl", "indentation.yaml", "indentation.yaml:5:4 is neither YAML nor JSON:"),
    ("eksctl", "other-kind.yaml", "other-kind.yaml:1:1 is no eksctl file: it has no `kind: ClusterConfig`"),
    ("eksctl", "empty.yaml", "empty.yaml is empty"),
    ("eksctl", "two-documents.yaml", "two-documents.yaml:3:1 begins a second document:"),
    ("template", "no-resources.yaml", "no-resources.yaml:1:1 is no CloudFormation template: it has no Resources"),
    ("template", "loop-by-alias.yaml", "loop-by-alias.yaml:1:12 contains itself through an alias"),
]


@pytest.mark.parametrize(("kind", "name", "sentence"), SENTENCES, ids=[name for _, name, _ in SENTENCES])
def test_each_mistake_gives_one_sentence(kind: str, name: str, sentence: str) -> None:
    with pytest.raises(MalformedFile) as raised:
        findings_in(kind, (FIXTURES / "malformed" / name).read_text(encoding="utf-8"), name)
    assert str(raised.value).startswith(sentence)
    assert "\n" not in str(raised.value)


def test_every_malformed_fixture_is_used() -> None:
    assert {path.name for path in (FIXTURES / "malformed").iterdir()} == {name for _, name, _ in SENTENCES}


@pytest.mark.parametrize("kind", sorted(FORMATS))
@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "- " * 50_000])
def test_endless_nesting_is_refused(kind: str, text: str) -> None:
    with pytest.raises(MalformedFile):
        findings_in(kind, text, "deep")


def test_a_number_too_long_to_read_is_refused() -> None:
    with pytest.raises(MalformedFile, match="cannot be read as JSON"):
        findings_in("terraform-plan", f'{{"a": {"9" * 10_000}}}', "digits.json")


def test_a_character_that_yaml_does_not_hold_is_named_by_its_place() -> None:
    with pytest.raises(MalformedFile, match=r"x\.yaml:2:4"):
        findings_in("eksctl", "kind: a\nb: \x00", "x.yaml")


def test_aliases_that_double_at_each_line_cost_nothing() -> None:
    lines = ["a0: &a0 [x]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60)), "Resources: {R: {Type: T, Properties: *a59}}"]
    assert [item.rule.name for item in findings_in("template", "\n".join(lines), "bomb.yaml")] == ["addon-absent"]


@pytest.mark.parametrize(
    "text",
    [
        '{"Resources": {"\\ud83d\\ude00 \\\\ud83d": {"Type": "T"}}}',
        '{\n\t"Resources":\t{\n\t\t"a\x7f": {"Type": "T"}\n\t}\n}',
        '{"Resources": {"a\\/b": {"Type": "T"}}}',
    ],
    ids=["surrogates", "tabs-and-controls", "escaped-slash"],
)
def test_json_that_is_no_yaml_is_read_as_json(text: str) -> None:
    (name,) = json.loads(text)["Resources"]
    assert list(load(text, "t.json").fields["Resources"].fields) == [name]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_files_written_by_a_shell_are_read(encoding: str) -> None:
    assert decoded("Größe: 1".encode(encoding), "f") == "Größe: 1"


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(MalformedFile, match="byte 3 is not valid"):
        decoded(b"ab\xff", "f")


def test_a_saved_plan_is_recognised() -> None:
    with pytest.raises(MalformedFile, match="run `terraform show -json tfplan"):
        decoded(b"PK\x03\x04rest", "tfplan")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(MalformedFile, match=r"missing\.json cannot be read: No such file"):
        text_of(str(tmp_path / "missing.json"))


def test_a_trust_policy_that_is_millions_of_values_by_aliases_is_not_walked() -> None:
    lines = ["x0: &x0 {Effect: Allow}"] + [f"x{i}: &x{i} [{', '.join([f'*x{i - 1}'] * 9)}]" for i in range(1, 30)]
    role = "Role: {Type: 'AWS::IAM::Role', Properties: {AssumeRolePolicyDocument: {Statement: *x29}}}"
    addon = "Cni: {Type: 'AWS::EKS::Addon', Properties: {AddonName: vpc-cni, ServiceAccountRoleArn: !GetAtt Role.Arn}}"
    source = "\n".join([*lines, "Resources:", f"  {role}", f"  {addon}"])
    assert [item.rule.name for item in findings_in("template", source, "bomb.yaml")] == ["policy-missing", "trust-unknown"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "p.json is empty: run `terraform show -json PLANFILE"),
        (
            "\nTerraform will perform the following actions:\n\n  # aws_eks_addon.cni will be updated",
            "is the output of `terraform plan` for people",
        ),
        ("No changes. Your infrastructure matches the configuration.", "is the output of `terraform plan` for people"),
        ('{"version": 4, "lineage": "x", "resources": []}', "p.json:1:1 is a state, not a plan"),
        ('{\n  "format_version": "1.2", // comment\n  "resource_changes": []}', "p.json:2:28 is a comment, which JSON does not allow"),
    ],
    ids=["empty", "human-readable", "no changes", "state file", "comment"],
)
def test_each_text_that_is_no_plan_is_named_with_the_command_to_run(text: str, sentence: str) -> None:
    with pytest.raises(MalformedFile) as raised:
        findings_in("terraform-plan", text, "p.json")
    assert sentence in str(raised.value)


def test_a_saved_plan_on_standard_input_is_named_without_a_file() -> None:
    with pytest.raises(MalformedFile, match="terraform show -json PLANFILE"):
        decoded(b"PK\x03\x04rest", "stdin")


@pytest.mark.parametrize(
    ("text", "position"),
    [('{\n /* a */ "Resources": {}}', "t.json:2:2"), ('{"Resources": {"A": {"Type": "http://x"}} // end\n}', "t.json:1:43")],
)
def test_a_comment_in_a_json_template_is_named_at_its_place(text: str, position: str) -> None:
    with pytest.raises(MalformedFile, match=f"{position} is a comment"):
        findings_in("template", text, "t.json")
