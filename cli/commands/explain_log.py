"""`irsa-remediator explain-log`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.errors import ExitCode
from cli.options import GlobalOptions
from cli.output import progress, write

if TYPE_CHECKING:
    from cli.queries.node_log_files import NodeLogFiles
    from lambdas.domain.diagnosis.node_log import LogFinding, LogReport


def explain_log(
    options: GlobalOptions,
    *,
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...",
            help="ipamd.log of one node, also compressed, with its rotated files, or a bundle eks_i_*.tar.gz; - reads standard input.",
        ),
    ],
) -> int:
    """Explain the log of the VPC CNI on a node: /var/log/aws-routed-eni/ipamd.log.

    Needs no AWS access. Exit code 0: no decisive cause found, 1: a decisive cause found.

    Example: irsa-remediator explain-log ipamd.log
    """
    from cli.queries.node_log_files import NodeLogFiles
    from cli.views.log_causes import log_view
    from lambdas.domain.diagnosis.node_log import explain

    log = NodeLogFiles(files)
    with progress("reading the log"):
        report = explain(log)
    code = ExitCode.BROKEN if any(finding.cause.decisive for finding in report.findings) else ExitCode.OK
    document = {
        "command": "explain-log",
        "exitCode": code,
        "files": [{"name": name, "lines": count} for name, count in log.counts.items()],
        "release": report.release or None,
        "isComplete": is_complete(report, log),
        "causes": [_cause(finding, log) for finding in report.findings],
    }
    write(options.output, document, *log_view(report, log))
    return code


def is_complete(report: LogReport, log: NodeLogFiles) -> bool:
    """Return whether every character of the files was examined."""
    return not log.is_cut and not report.truncated


def _cause(finding: LogFinding, log: NodeLogFiles) -> dict[str, object]:
    file, line = log.place(finding.line)
    return {
        "id": finding.cause.id,
        "area": finding.cause.area,
        "isDecisive": finding.cause.decisive,
        "count": finding.count,
        "file": file,
        "line": line,
        "detail": finding.detail or None,
        "excerpt": finding.excerpt,
        "meaning": finding.cause.meaning,
        "nextStep": finding.cause.next_step,
        "source": finding.cause.source,
    }
