"""The outcome as a document for programs: the fields that `docs/preflight.md` promises."""

from typing import Any

from preflight.cluster.upgrade import ClusterReport
from preflight.finding import Finding
from preflight.report import PreflightReport

Json = dict[str, Any]


def document(report: PreflightReport) -> Json:
    """Everything, with None where there is nothing."""
    return {
        "command": "preflight",
        "result": report.result.value,
        "exitCode": report.exit_code,
        "clusters": [_cluster(cluster) for cluster in report.clusters],
        "files": [{"file": file.file, "kind": file.kind, "findings": len(file.findings)} for file in report.files],
        "findings": [*(_finding(finding, owner.cluster) for owner in report.clusters for finding in owner.findings), *_in_files(report)],
    }


def _in_files(report: PreflightReport) -> list[Json]:
    return [_finding(finding, None) for read in report.files for finding in read.findings]


def _cluster(it: ClusterReport) -> Json:
    return {
        "cluster": it.cluster,
        "region": it.region or None,
        "kubernetes": {"now": it.kubernetes or None, "after": it.kubernetes_target or it.kubernetes or None},
        "addon": {"now": it.addon or None, "after": it.addon_target or it.addon or None, "default": it.addon_default or None},
        "roles": {"record": it.record_role or None, "annotation": it.annotation or None, "binding": it.binding or None},
        "links": [
            {"number": int(one.link), "title": one.link.title, "state": one.state.name.lower().replace("_", "-"), "sentence": one.sentence}
            for one in it.links
        ],
        "commands": list(it.commands),
        "withoutRole": it.without_role or None,
    }


def _finding(it: Finding, cluster: str | None) -> Json:
    return {
        "rule": it.rule.id,
        "level": it.level.value,
        "title": it.rule.title,
        "message": it.message,
        "cluster": cluster,
        "file": it.file or None,
        "line": it.line or None,
        "column": it.column or None,
        "resource": it.resource or None,
        "expression": it.expression or None,
        "add": {"lines": list(it.add), "place": it.place or None} if it.add else None,
        "why": it.rule.why,
        "source": it.rule.source,
    }
