"""The outcome as a document for programs: the fields that `docs/preflight.md` promises."""

from typing import Any

from cli.documents import STATES
from preflight.cluster.upgrade import ClusterAnswer
from preflight.concern import Concern
from preflight.outcome import Outcome

Json = dict[str, Any]


def document(outcome: Outcome) -> Json:
    """Everything, with None where there is nothing."""
    return {
        "command": "preflight",
        "result": outcome.result.value,
        "exitCode": outcome.exit_code,
        "clusters": [_cluster(cluster) for cluster in outcome.clusters],
        "files": [{"file": file.file, "kind": file.kind, "findings": len(file.concerns)} for file in outcome.files],
        "findings": [*(_finding(concern, owner.cluster) for owner in outcome.clusters for concern in owner.concerns), *_in_files(outcome)],
    }


def _in_files(outcome: Outcome) -> list[Json]:
    return [_finding(concern, None) for read in outcome.files for concern in read.concerns]


def _cluster(it: ClusterAnswer) -> Json:
    return {
        "cluster": it.cluster,
        "region": it.region or None,
        "kubernetes": {"now": it.kubernetes or None, "after": it.kubernetes_wanted or it.kubernetes or None},
        "addon": {"now": it.addon or None, "after": it.addon_wanted or it.addon or None, "default": it.addon_default or None},
        "roles": {"record": it.record_role or None, "annotation": it.annotation or None, "binding": it.binding or None},
        "links": [
            {"number": int(one.link), "title": one.link.title, "state": STATES[one.state], "sentence": one.sentence} for one in it.links
        ],
        "calls": list(it.calls),
        "without": it.without or None,
    }


def _finding(it: Concern, cluster: str | None) -> Json:
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
