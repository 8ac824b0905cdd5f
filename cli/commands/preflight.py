"""`irsa-remediator preflight`: options, help, and where the report is written. The checks are in the package `preflight`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.errors import CommandError
from cli.options import GlobalOptions

if TYPE_CHECKING:
    from cli.queries.targets import TargetSelection
    from preflight.cluster import ClusterReport, Upgrade
    from preflight.report import PreflightReport


class PreflightFormat(StrEnum):
    """The formats of every command, and those of code hosts and test reports."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    SARIF = "sarif"
    JUNIT = "junit"
    GITHUB = "github"


_Output = Annotated[
    PreflightFormat,
    typer.Option("--output", "-o", help="How to write the report: table, json, yaml, sarif, junit or github.", metavar="FORMAT"),
]


@dataclass(frozen=True, kw_only=True)
class PreflightOptions(GlobalOptions):
    """The options of every command, with more output formats."""

    output: _Output = PreflightFormat.TABLE  # type: ignore[assignment]  # an extension of the same enumeration


def _kubernetes_version(text: str) -> str:
    if text and not re.fullmatch(r"\d+\.\d+", text):
        raise typer.BadParameter(f"{text!r} is not a Kubernetes version of EKS, such as 1.33")
    return text


_FILES = "Files"
_PATHS = typer.Argument(help="Files, folders or globs. The kind of each file is recognized by its content.", metavar="[PATH]...")
_CLUSTER = typer.Option("--cluster", "-c", help="A cluster to check; may be repeated.")
_ALL = typer.Option("--all", help="Check every cluster of the region, and every bound cluster: one line each, worst first.")
_ADDON = typer.Option("--addon-version", metavar="VERSION", help="The vpc-cni version to update to; the default of EKS if left out.")
_KUBERNETES = typer.Option(
    "--kubernetes-version", metavar="VERSION", help="The Kubernetes version to upgrade to, such as 1.33.", callback=_kubernetes_version
)
_PLAN = typer.Option(
    "--terraform-plan", metavar="FILE", help="The output of `terraform show -json PLANFILE`; - is standard input.", rich_help_panel=_FILES
)
_SOURCE = typer.Option(
    "--terraform-source", metavar="DIR", help="Folder of the .tf files, to report their lines; that of the plan.", rich_help_panel=_FILES
)
_EKSCTL = typer.Option("--eksctl", metavar="FILE", help="An eksctl ClusterConfig.", rich_help_panel=_FILES)
_TEMPLATE = typer.Option(
    "--template", metavar="FILE", help="A CloudFormation template, JSON or YAML, or the output of `cdk synth`.", rich_help_panel=_FILES
)
_PULUMI = typer.Option("--pulumi-preview", metavar="FILE", help="The output of `pulumi preview --json`.", rich_help_panel=_FILES)
_MANIFEST = typer.Option("--manifest", metavar="FILE", help="Kubernetes manifests of ACK or Crossplane.", rich_help_panel=_FILES)
_CONFIG = typer.Option("--config", metavar="FILE", help="Configuration with suppressions; .irsa-preflight.yaml if it exists.")
_FAIL_ON = typer.Option("--fail-on", metavar="LEVEL", help="Lowest level that makes exit code 1: error, warning, note or never.")
_SKIP = typer.Option("--skip-unknown", help="Skip named files of other kinds, as in folders.", rich_help_panel=_FILES)
_DETAILED = typer.Option("--detailed-exit-code", help="Exit with 3 instead of 2 for files that cannot be read.")


def preflight(
    options: PreflightOptions,
    *,
    paths: Annotated[list[str], _PATHS] = [],  # noqa: B006  # typer copies it
    cluster: Annotated[list[str], _CLUSTER] = [],  # noqa: B006
    all_clusters: Annotated[bool, _ALL] = False,
    addon_version: Annotated[str, _ADDON] = "",
    kubernetes_version: Annotated[str, _KUBERNETES] = "",
    terraform_plan: Annotated[list[str], _PLAN] = [],  # noqa: B006
    terraform_source: Annotated[str, _SOURCE] = "",
    eksctl: Annotated[list[str], _EKSCTL] = [],  # noqa: B006
    template: Annotated[list[str], _TEMPLATE] = [],  # noqa: B006
    pulumi_preview: Annotated[list[str], _PULUMI] = [],  # noqa: B006
    manifest: Annotated[list[str], _MANIFEST] = [],  # noqa: B006
    skip_unknown: Annotated[bool, _SKIP] = False,
    config: Annotated[str, _CONFIG] = "",
    fail_on: Annotated[str, _FAIL_ON] = "",
    detailed_exit_code: Annotated[bool, _DETAILED] = False,
) -> int:
    """Check before an upgrade that aws-node keeps its role.

    Checks clusters, files that are about to be applied, or both. Files alone need no AWS credentials. Writes nothing.
    Exit code 0: pass, 1: findings, 2: not known or not readable.

    Example: irsa-remediator preflight --cluster prod-blue --kubernetes-version 1.33

    Example: irsa-remediator preflight --terraform-plan plan.json --output sarif

    Example: irsa-remediator preflight infra/ --fail-on warning

    Example: irsa-remediator preflight --all --kubernetes-version 1.33
    """
    from cli.queries.targets import TargetSelection
    from preflight.cluster import Upgrade
    from preflight.configuration import load_configuration
    from preflight.inputs import STDIN, discover, read_inputs
    from preflight.report import FailOn, PreflightReport
    from preflight.run import check_files, parse_files
    from preflight.suppression import suppress

    settings = load_configuration(Path(config) if config else None)
    values = {
        "terraform-plan": terraform_plan,
        "eksctl": eksctl,
        "template": template,
        "pulumi-preview": pulumi_preview,
        "manifest": manifest,
    }
    named = [(kind, path) for kind, names in values.items() for path in names]
    if sum(path == STDIN for _, path in named) + paths.count(STDIN) > 1:
        raise CommandError("standard input can be read only once", next_step="give all files but one by their names")
    threshold = fail_on or settings.fail_on
    if threshold not in list(FailOn):
        raise CommandError(f"{threshold!r} is not a level", next_step="use error, warning, note or never")
    files = parse_files([*read_inputs(named), *discover(paths, skip_unknown=skip_unknown)])
    upgrade = Upgrade(addon_version=addon_version, kubernetes_version=kubernetes_version)
    selection = TargetSelection(clusters=tuple(cluster), all_clusters=all_clusters)
    clusters = _cluster_reports(options, selection, upgrade, has_files=bool(named or paths))
    reports = check_files(files, clusters, source=terraform_source)
    report = PreflightReport(
        clusters=clusters,
        files=tuple(suppress(report, file.input.text, settings) for report, file in zip(reports, files, strict=True)),
        fail_on=FailOn(threshold),
        detailed_exit_code=detailed_exit_code or settings.detailed_exit_code,
    )
    _write(options, report, is_fleet=all_clusters)
    return report.exit_code


def _cluster_reports(
    options: PreflightOptions, selection: TargetSelection, upgrade: Upgrade, *, has_files: bool
) -> tuple[ClusterReport, ...]:
    """Return a report for each cluster. The name may be left out where the region has one cluster and no file is given."""
    from preflight.cluster import Upgrade

    if has_files and not selection.clusters and not selection.all_clusters:
        if upgrade != Upgrade():
            message = "--addon-version and --kubernetes-version describe the upgrade of a cluster, and no cluster is named"
            raise CommandError(message, next_step="add --cluster, or leave the versions out")
        return ()
    from cli.clients import connection
    from cli.queries.fleet import upgrade_reports

    return upgrade_reports(selection, upgrade, connection.connect(options))


def _write(options: PreflightOptions, report: PreflightReport, *, is_fleet: bool) -> None:
    import sys

    from cli.output import Format, to_json, write
    from cli.views.upgrade_table import fleet_views
    from preflight.outputs.document import document
    from preflight.outputs.github import workflow_commands
    from preflight.outputs.junit import junit
    from preflight.outputs.sarif import sarif
    from preflight.outputs.table import views

    if options.output is PreflightFormat.SARIF:
        sys.stdout.write(to_json(sarif(report)) + "\n")
    elif options.output is PreflightFormat.JUNIT:
        sys.stdout.write(junit(report))
    elif options.output is PreflightFormat.GITHUB:
        sys.stdout.write("".join(f"{line}\n" for line in workflow_commands(report)))
    else:
        write(Format(options.output.value), document(report), *(fleet_views(report) if is_fleet else views(report)))
