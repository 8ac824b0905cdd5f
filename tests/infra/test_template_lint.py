"""The templates pass cfn-lint and cdk-nag, and a second synthesis gives the same bytes."""

import json
from pathlib import Path

import aws_cdk as cdk
import pytest
from aws_cdk import aws_sqs as sqs
from cdk_nag import AwsSolutionsChecks
from cfnlint.api import lint

from cfnlint.core import ManualArgs  # isort: skip

from tests.infra.templates import MAXIMAL, MINIMAL, Template, app_of


def test_cfn_lint_has_no_findings(minimal: Template, maximal: dict[str, Template]) -> None:
    for name, template in {"minimal": minimal, **maximal}.items():
        ignored = template.get("Metadata", {}).get("cfn-lint", {}).get("config", {}).get("ignore_checks", [])
        found = lint(json.dumps(template), config=ManualArgs(regions=["eu-west-1", "us-east-1"], ignore_checks=ignored))
        assert not found, (name, [str(item) for item in found])


@pytest.mark.parametrize("raw", [None, MINIMAL, MAXIMAL], ids=["no configuration", "minimal", "maximal"])
def test_cdk_nag_has_no_findings_without_a_reason(raw: object, tmp_path: Path) -> None:
    app = app_of(raw, tmp_path)
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    app.synth()  # raises on a finding


def test_cdk_nag_reports_a_queue_without_tls(tmp_path: Path) -> None:
    app = app_of(MINIMAL, tmp_path)
    stack = app.node.find_child("EksIrsaRemediator")
    sqs.Queue(stack, "Careless")
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    with pytest.raises(RuntimeError, match="ValidationFailed"):
        app.synth()
    report = json.loads((tmp_path / "validation-report.json").read_text())
    found = {violation["ruleName"] for plugin in report["pluginReports"] for violation in plugin["violations"]}
    assert "AwsSolutions-SQS4" in found


def test_a_second_synthesis_gives_the_same_bytes(tmp_path: Path) -> None:
    folders = [tmp_path / item for item in ("first", "second")]
    for folder in folders:
        app_of(MAXIMAL, folder).synth()
    first, second = ({path.name: path.read_bytes() for path in folder.glob("*.template.json")} for folder in folders)
    assert len(first) == 6
    assert first == second
