"""Runs the checks: files and clusters in, reports out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

from lambdas.application.readers import Hints
from lambdas.application.snapshot_diagnosis import collect_and_diagnose
from lambdas.contract.names import CNI_ADDON
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.domain.errors import RemediatorError
from lambdas.domain.snapshot.snapshot import Unknown
from preflight import rules
from preflight.cluster import ClusterReport, Upgrade, VersionsPort, assess, kubernetes_after
from preflight.context import NAMESPACE, SERVICE_ACCOUNT, AddonRole, Context, Declarations
from preflight.finding import Finding, MalformedFile, by_severity
from preflight.formats import FORMATS
from preflight.report import FileReport
from preflight.terraform.source_lines import located

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from lambdas.application.readers import Readers
    from lambdas.domain.diagnosis.identity_chain import Diagnosis
    from lambdas.domain.snapshot.snapshot import OfferedVersion, Snapshot


@dataclass(frozen=True, kw_only=True)
class InputFile:
    """One file: its kind, its name in messages, and its text, or the reason why it has none."""

    kind: str
    name: str
    text: str = ""
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class ParsedFile:
    """A file with its model and what it declares; `model` is None where the file could not be read."""

    input: InputFile
    model: Any = None
    declared: Declarations = field(default_factory=Declarations)
    error: str = ""


def parse_files(inputs: Sequence[InputFile]) -> tuple[ParsedFile, ...]:
    """Return the models of the files. A file that cannot be read keeps its error and does not stop the others."""
    return tuple(_parse(entry) for entry in inputs)


def _parse(entry: InputFile) -> ParsedFile:
    if entry.error:
        return ParsedFile(input=entry, error=entry.error)
    form = FORMATS[entry.kind]
    try:
        model = form.parse(entry.text, entry.name)
        return ParsedFile(input=entry, model=model, declared=form.declarations(model))
    except MalformedFile as error:
        return ParsedFile(input=entry, error=str(error))


def check_files(files: Sequence[ParsedFile], clusters: Sequence[ClusterReport] = (), *, source: str = "") -> tuple[FileReport, ...]:
    """Return the findings of each file, checked together with the others and with the clusters that were read.

    Args:
        source: the folder of the .tf files of the plans; "" is the folder of each plan.
    """
    providers = {cluster.cluster: cluster.provider_arn for cluster in clusters if cluster.provider_arn}
    reports = (_check(file, files, providers, clusters) for file in files)
    return tuple(located(report, source) if report.kind == "terraform-plan" else report for report in reports)


def _check(file: ParsedFile, files: Sequence[ParsedFile], providers: dict[str, str], clusters: Sequence[ClusterReport]) -> FileReport:
    entry = file.input
    if file.error:
        return FileReport(file=entry.name, kind=entry.kind, error=file.error)
    declared = Declarations()
    for other in files:
        if other is not file:
            declared |= other.declared
    found = list(FORMATS[entry.kind].findings(file.model, Context(providers=providers, declared=declared)))
    found += [finding for role in file.declared.addon_roles for finding in compare_with_cluster(role, clusters)]
    return FileReport(file=entry.name, kind=entry.kind, findings=by_severity(replace(finding, file=entry.name) for finding in found))


def compare_with_cluster(declared: AddonRole, clusters: Sequence[ClusterReport]) -> list[Finding]:
    """Return the finding about a file that gives aws-node another role than the running cluster has to keep.

    The answer is that of the report on the cluster, whose record would be as in the file: the role of the binding has to be kept,
    else that of the annotation, else that of the record. An association decides before all of them.
    """
    named = [cluster for cluster in clusters if declared.cluster in (None, cluster.cluster)]
    if len(named) != 1:
        return []
    cluster = named[0]
    declared_role = cluster.record_role if declared.repeats_record else declared.role
    if declared_role is None:
        return []
    present = {"the binding": cluster.binding, "the annotation": cluster.annotation, "the add-on record": cluster.record_role}
    where, role = next(((where, role) for where, role in present.items() if role), ("", ""))
    has_association = any(finding.rule is rules.POD_IDENTITY for finding in cluster.findings)
    if role in ("", declared_role) or (has_association and not declared_role):
        return []
    is_of_record = bool(cluster.binding) or declared_role == cluster.record_role
    rule = rules.ROLE_DROPPED if not declared_role else rules.RECORD_DIFFERS if is_of_record else rules.FILE_DIFFERS
    sentence = f"The file gives aws-node {declared_role or 'no role'}"
    message = f"{sentence}; in cluster {cluster.cluster} {where} names {role}."
    return [Finding(rule=rule, resource=declared.resource, line=declared.line, column=declared.column, message=message)]


def assess_cluster(cluster: str, upgrade: Upgrade, readers: Readers, now: datetime) -> ClusterReport:
    """Read aws-node in one cluster, and report what the upgrade would do to its role."""
    target = ServiceAccountRef(cluster, NAMESPACE, SERVICE_ACCOUNT)
    return assess_snapshot(*collect_and_diagnose(target, readers, now, Hints(), symptoms=True, guards=True), upgrade, readers)


def assess_snapshot(snapshot: Snapshot, diagnosis: Diagnosis, upgrade: Upgrade, readers: Readers) -> ClusterReport:
    """Report what the upgrade would do to the role of aws-node, whose snapshot includes nodes and events."""
    after = kubernetes_after(snapshot, upgrade)
    return assess(snapshot, diagnosis, upgrade, _offered_versions(cast("VersionsPort", readers.eks), after))


def unread_cluster(cluster: str, reason: str) -> ClusterReport:
    """Return the report on a cluster that could not be read: whether aws-node keeps its role is not known."""
    return ClusterReport(cluster=cluster, findings=(Finding(rule=rules.CHAIN_UNREADABLE, resource="cluster", message=reason),))


def _offered_versions(eks: VersionsPort, kubernetes_version: str) -> tuple[OfferedVersion, ...] | Unknown:
    if not kubernetes_version:
        return Unknown("the Kubernetes version of the cluster is not known")
    try:
        return eks.offered_versions(CNI_ADDON, kubernetes_version)
    except RemediatorError as error:
        return Unknown(str(error))
