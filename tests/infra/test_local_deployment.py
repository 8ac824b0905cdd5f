"""The templates of `make deploy-local` are those of `make synth` except for the listed differences."""

import json
import os
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from sandbox.control_plane.processes import ProcessGroup
from sandbox.local_deployment import cdk, emulator
from sandbox.local_deployment.assembly import CONFIGURATION, STACK
from sandbox.local_deployment.differences import ACCESS_ENTRY, DIFFERENCES, UnknownReference, adapted
from tests.infra import templates
from tests.infra.templates import ROOT, of_type
from tests.local_deployment.claims import table

EXTRA_ACTIONS = {action for each in DIFFERENCES for action in (*each.on_everything, *each.without_condition)}


@pytest.fixture(scope="module")
def originals() -> dict[str, Any]:
    return dict(templates.synthesize(dict(CONFIGURATION)))


def test_only_resources_of_listed_types_are_removed(originals: dict[str, Any]) -> None:
    listed = {kind for each in DIFFERENCES for kind in each.types}
    removed = {name: item["Type"] for original in originals.values() for name, item in adapted(original)[1].items()}
    assert set(removed.values()) == listed, "each listed type occurs in the templates"
    cluster = originals[f"{STACK}-cluster-demo"]
    assert set(adapted(cluster)[1]) == set(of_type(cluster, ACCESS_ENTRY))


def test_an_alarm_on_one_metric_is_deployed(originals: dict[str, Any]) -> None:
    kept = of_type(adapted(originals[STACK])[0], "AWS::CloudWatch::Alarm").values()
    assert len(kept) > 5
    assert [alarm for alarm in kept if "Metrics" in alarm["Properties"]] == []


def test_everything_else_is_unchanged_except_additional_statements(originals: dict[str, Any]) -> None:
    original = originals[STACK]
    changed, removed = adapted(original)
    assert {**changed, "Resources": None} == {**original, "Resources": None}
    assert set(changed["Resources"]) | set(removed) == set(original["Resources"])
    for name, resource in changed["Resources"].items():
        if resource["Type"] == "AWS::IAM::Role":
            extra = _without_original_statements(resource, original["Resources"][name])
            assert {action for statement in extra for action in statement["Action"]} <= EXTRA_ACTIONS
        else:
            assert resource == original["Resources"][name]


def _without_original_statements(changed: dict[str, Any], original: dict[str, Any]) -> list[dict[str, Any]]:
    """The statements that were added, after a check that the others are the original ones."""
    extra: list[dict[str, Any]] = []
    rest = deepcopy(changed)
    for policy, before in zip(rest["Properties"].get("Policies", ()), original["Properties"].get("Policies", ()), strict=True):
        count = len(before["PolicyDocument"]["Statement"])
        extra += policy["PolicyDocument"]["Statement"][count:]
        policy["PolicyDocument"]["Statement"] = policy["PolicyDocument"]["Statement"][:count]
    assert rest == original
    return extra


def test_each_additional_statement_covers_a_grant_of_the_original(originals: dict[str, Any]) -> None:
    text = json.dumps(originals[STACK])
    assert [action for action in EXTRA_ACTIONS if f'"{action}"' not in text] == []


@pytest.mark.parametrize(
    "reference",
    [{"Ref": "Entry"}, {"Fn::GetAtt": ["Entry", "Arn"]}, {"Fn::GetAtt": "Entry.Arn"}, {"Fn::Join": ["", ["a", {"Ref": "Entry"}]]}],
)
@pytest.mark.parametrize("section", ["Resources", "Outputs"])
def test_a_reference_to_a_removed_resource_is_an_error(reference: Any, section: str) -> None:
    template: dict[str, Any] = {"Resources": {"Entry": {"Type": ACCESS_ENTRY, "Properties": {}}}, "Outputs": {}}
    template[section]["Other"] = {"Type": "AWS::SNS::Topic", "Properties": {"Name": reference}}
    with pytest.raises(UnknownReference, match="Other refers to Entry"):
        adapted(template)


def test_a_dependency_on_a_removed_resource_is_an_error() -> None:
    topic = {"Type": "AWS::SNS::Topic", "DependsOn": ["Entry"]}
    with pytest.raises(UnknownReference, match="Other refers to Entry"):
        adapted({"Resources": {"Entry": {"Type": ACCESS_ENTRY, "Properties": {}}, "Other": topic}})


def test_the_documentation_has_the_table_of_claims() -> None:
    assert table() in (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")


def test_a_machine_without_lambdas_python_gets_the_next_step(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(emulator, "ENVIRONMENT", tmp_path / "none")
    monkeypatch.setattr(emulator, "compiler", lambda _: None)
    with pytest.raises(emulator.AwsEmulatorUnavailable, match=r"Python 3\.13 was not found.*uv python install 3\.13"):
        emulator.install()


def test_a_system_other_than_linux_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emulator.platform, "system", lambda: "Darwin")
    with pytest.raises(emulator.AwsEmulatorUnavailable, match="on Darwin; run it in a Linux machine"):
        emulator.install()


def test_a_missing_cdk_names_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cdk, "PROGRAM", tmp_path / "none")
    processes = ProcessGroup(folder=tmp_path / "group")
    processes.folder.mkdir()
    try:
        with pytest.raises(cdk.CdkMissing, match=r"make node_modules/\.bin/cdk"):
            cdk.Cdk(processes, {}, lambda _: None)
    finally:
        processes.close()


def test_no_variable_of_the_callers_aws_reaches_a_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_ENDPOINT_URL", "CDK_DEFAULT_ACCOUNT"):
        monkeypatch.setenv(name, "of-the-caller")
    variables = cdk.clean_variables(tmp_path)
    assert "of-the-caller" not in variables.values()
    assert variables["AWS_CONFIG_FILE"] == variables["AWS_SHARED_CREDENTIALS_FILE"] == os.devnull
