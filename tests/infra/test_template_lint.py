"""The templates pass cfn-lint and cdk-nag, and a second synthesis gives the same bytes."""

import json
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_sqs as sqs
from cdk_nag import AwsSolutionsChecks
from cfnlint.api import lint

from cfnlint.core import ManualArgs  # isort: skip

from infra.size_limits import find_excesses
from tests.infra.templates import MAXIMAL, MINIMAL, TYPICAL, Template, app_of, of_type


def ignored(template: Template) -> list[str]:
    """Return the checks that the template itself turns off, which this API of cfn-lint does not read."""
    checks: list[str] = template.get("Metadata", {}).get("cfn-lint", {}).get("config", {}).get("ignore_checks", [])
    return checks


def test_cfn_lint_has_no_findings(minimal: Template, maximal: dict[str, Template]) -> None:
    for name, template in {"minimal": minimal, **maximal}.items():
        found = lint(json.dumps(template), config=ManualArgs(regions=["eu-west-1", "us-east-1"], ignore_checks=ignored(template)))
        assert not found, (name, [str(item) for item in found])


@pytest.mark.parametrize("raw", [None, MINIMAL, MAXIMAL], ids=["no configuration", "minimal", "maximal"])
def test_cdk_nag_has_no_findings_without_a_reason(raw: object, tmp_path: Path) -> None:
    app = app_of(raw, tmp_path)
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    app.synth()  # raises on a finding


@pytest.fixture(scope="module")
def typical(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Template]:
    """Return the templates of typical configurations, which have passed cdk-nag."""
    folder = tmp_path_factory.mktemp("typical")
    app = app_of(TYPICAL, folder)
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    app.synth()  # raises on a finding
    return {path.name.removesuffix(".template.json"): json.loads(path.read_text()) for path in folder.glob("*.template.json")}


@pytest.mark.parametrize("environment", TYPICAL["environments"], ids=lambda item: item["name"])
def test_a_typical_configuration_passes_cfn_lint_and_the_limits_of_aws(typical: dict[str, Template], environment: dict[str, Any]) -> None:
    stack = f"EksIrsaRemediator-{environment['name']}"
    for name in (item for item in typical if item == stack or item.startswith(f"{stack}-cluster-")):
        found = lint(json.dumps(typical[name]), config=ManualArgs(regions=[environment["region"]], ignore_checks=ignored(typical[name])))
        assert not found, (name, [str(item) for item in found])
        assert not list(find_excesses(name, typical[name]))


def test_every_configuration_has_the_same_event_patterns(typical: dict[str, Template], minimal: Template) -> None:
    """They are matched against recorded events in `test_moto_stack.py`, for one of them."""

    def patterns(template: Template) -> dict[str, Any]:
        rules = of_type(template, "AWS::Events::Rule").items()
        return {name: item["Properties"]["EventPattern"] for name, item in rules if "EventPattern" in item["Properties"]}

    for environment in TYPICAL["environments"]:
        assert patterns(typical[f"EksIrsaRemediator-{environment['name']}"]) == patterns(minimal)


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
