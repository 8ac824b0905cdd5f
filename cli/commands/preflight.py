"""`irsa-remediator preflight`: options, help, and where the report is written. The checks are in the package `preflight`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from cli.errors import CommandError
from cli.options import GlobalOptions

if TYPE_CHECKING:
    from preflight.cluster import ClusterReport
    from preflight.report import PreflightReport
    from preflight.run import PreflightRequest


class PreflightFormat(StrEnum):
    """The formats of every command, and SARIF for code hosts."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    SARIF = "sarif"


_Output = Annotated[
    PreflightFormat, typer.Option("--output", "-o", help="How to write the report: table, json, yaml or sarif.", metavar="FORMAT")
]


@dataclass(frozen=True, kw_only=True)
class PreflightOptions(GlobalOptions):
    """The options of every command, with one more output format."""

    output: _Output = PreflightFormat.TABLE  # type: ignore[assignment]  # an extension of the same enumeration


def _kubernetes_version(text: str) -> str:
    if text and not re.fullmatch(r"\d+\.\d+", text):
        raise typer.BadParameter(f"{text!r} is not a Kubernetes version of EKS, such as 1.33")
    return text


_CLUSTER = typer.Option("--cluster", "-c", help="A cluster to check; may be repeated.")
_ADDON = typer.Option("--addon-version", metavar="VERSION", help="The vpc-cni version to update to; the default of EKS if left out.")
_KUBERNETES = typer.Option(
    "--kubernetes-version", metavar="VERSION", help="The Kubernetes version to upgrade to, such as 1.33.", callback=_kubernetes_version
)
_PLAN = typer.Option("--terraform-plan", metavar="FILE", help="The output of `terraform show -json PLANFILE`; - reads standard input.")
_EKSCTL = typer.Option("--eksctl", metavar="FILE", help="An eksctl ClusterConfig.")
_TEMPLATE = typer.Option("--template", metavar="FILE", help="A CloudFormation template, JSON or YAML, or the output of `cdk synth`.")


def preflight(
    options: PreflightOptions,
    *,
    cluster: Annotated[list[str], _CLUSTER] = [],  # noqa: B006  # typer copies it
    addon_version: Annotated[str, _ADDON] = "",
    kubernetes_version: Annotated[str, _KUBERNETES] = "",
    terraform_plan: Annotated[list[str], _PLAN] = [],  # noqa: B006
    eksctl: Annotated[list[str], _EKSCTL] = [],  # noqa: B006
    template: Annotated[list[str], _TEMPLATE] = [],  # noqa: B006
) -> int:
    """Check before an upgrade that aws-node keeps its role.

    Checks clusters, files that are about to be applied, or both. Files alone need no AWS credentials. Writes nothing.
    Exit code 0: keeps the role, 1: loses it or fails, 2: not known.

    Example: irsa-remediator preflight --cluster prod-blue --kubernetes-version 1.33

    Example: irsa-remediator preflight --terraform-plan plan.json --output sarif
    """
    from preflight.oidc_providers import NO_PROVIDERS

    from preflight.cluster.upgrade import Upgrade
    from preflight.report import PreflightReport
    from preflight.run import PreflightRequest, judge_files, read_texts

    files = {"terraform-plan": terraform_plan, "eksctl": eksctl, "template": template}
    request = PreflightRequest(
        clusters=tuple(cluster),
        upgrade=Upgrade(addon_version=addon_version, kubernetes_version=kubernetes_version),
        files=tuple((kind, name) for kind, names in files.items() for name in names),
    )
    if sum(path == "-" for _, path in request.files) > 1:
        raise CommandError("standard input can be read only once", next_step="give all files but one by their names")
    texts = read_texts(request.files)
    file_reports = judge_files(texts, NO_PROVIDERS)  # first, so that an unreadable file is reported before AWS is called
    clusters = _cluster_reports(options, request)
    if providers := {report.cluster: report.provider_arn for report in clusters if report.provider_arn}:
        file_reports = judge_files(texts, providers)
    report = PreflightReport(clusters=clusters, files=file_reports)
    _write(options, report)
    return report.exit_code


def _cluster_reports(options: PreflightOptions, request: PreflightRequest) -> tuple[ClusterReport, ...]:
    """A report for each cluster. The name may be left out where the region has one cluster and no file is given."""
    from preflight.cluster.upgrade import Upgrade

    if request.files and not request.clusters:
        if request.upgrade != Upgrade():
            message = "--addon-version and --kubernetes-version describe the upgrade of a cluster, and no cluster is named"
            raise CommandError(message, next_step="add --cluster, or leave the versions out")
        return ()
    from cli.clients import connection
    from cli.output import progress
    from cli.queries.targets import TargetSelection, clusters
    from preflight.run import assess_cluster

    dependencies = connection.connect(options)
    with progress("reading the cluster"):
        names = clusters(TargetSelection(clusters=request.clusters), dependencies)
        return tuple(assess_cluster(name, request.upgrade, dependencies.readers, dependencies.now()) for name in names)


def _write(options: PreflightOptions, report: PreflightReport) -> None:
    import json
    import sys

    from cli.output import Format, write
    from preflight.outputs.document import document
    from preflight.outputs.sarif import sarif
    from preflight.outputs.table import views

    if options.output is PreflightFormat.SARIF:
        sys.stdout.write(json.dumps(sarif(report), indent=2, ensure_ascii=False) + "\n")
    else:
        write(Format(options.output.value), document(report), *views(report))
