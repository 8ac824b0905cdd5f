"""The report as a document for programs: the fields that `docs/preflight.md` documents."""

from typing import Any

from preflight.cluster.upgrade import ClusterReport
from preflight.finding import Finding
from preflight.report import PreflightReport

Json = dict[str, Any]


def document(report: PreflightReport) -> Json:
    """Return every field, with None where there is no value."""
    of_clusters = [(finding, cluster.cluster) for cluster in report.clusters for finding in cluster.findings]
    of_files = [(finding, None) for file in report.files for finding in file.findings]
    return {
        "command": "preflight",
        "result": report.result.value,
        "exitCode": report.exit_code,
        "failOn": report.fail_on.value,
        "clusters": [_cluster(cluster) for cluster in report.clusters],
        "files": [
            {"file": file.file, "kind": file.kind, "findings": len(file.findings), "error": file.error or None} for file in report.files
        ],
        "findings": [_finding(finding, cluster) for finding, cluster in (*of_clusters, *of_files)],
    }


def _cluster(report: ClusterReport) -> Json:
    return {
        "cluster": report.cluster,
        "region": report.region or None,
        "kubernetes": {"now": report.kubernetes or None, "after": report.kubernetes_target or report.kubernetes or None},
        "addon": {
            "now": report.addon or None,
            "after": report.addon_target or report.addon or None,
            "default": report.addon_default or None,
        },
        "roles": {"record": report.record_role or None, "annotation": report.annotation or None, "binding": report.binding or None},
        "links": [
            {
                "number": int(link.link),
                "title": link.link.title,
                "state": link.state.name.lower().replace("_", "-"),
                "sentence": link.sentence,
            }
            for link in report.links
        ],
        "commands": list(report.commands),
        "withoutRole": report.without_role or None,
    }


def _finding(finding: Finding, cluster: str | None) -> Json:
    return {
        "rule": finding.rule.id,
        "name": finding.rule.name,
        "level": finding.level.value,
        "title": finding.rule.title,
        "message": finding.message,
        "cluster": cluster,
        "file": finding.file or None,
        "line": finding.line or None,
        "column": finding.column or None,
        "resource": finding.resource or None,
        "expression": finding.expression or None,
        "add": {"lines": list(finding.add), "place": finding.place or None} if finding.add else None,
        "suppressed": finding.suppressed or None,
        "why": finding.rule.why,
        "source": finding.rule.source,
        "page": finding.rule.page,
    }
