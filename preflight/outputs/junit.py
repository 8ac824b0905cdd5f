"""The report as JUnit XML, which GitLab, Jenkins and Azure Pipelines show as test results.

Source: https://docs.gitlab.com/ci/testing/unit_test_reports/
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from lambdas.notifications.escape import xml_escaped
from preflight.rules import Level

if TYPE_CHECKING:
    from collections.abc import Sequence

    from preflight.finding import Finding
    from preflight.report import PreflightReport

_INVALID: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML does not allow."""


def junit(report: PreflightReport) -> str:
    """Return one suite for each file and cluster, with a case for each finding, and one case where there is none.

    Findings that fail the run are failures, unknowns are errors, suppressed findings are skipped; the others pass.
    """
    root = Element("testsuites", name="irsa-remediator preflight")
    for cluster in report.clusters:
        _suite(root, report, cluster.cluster, cluster.findings, "")
    for file in report.files:
        _suite(root, report, file.file, file.findings, file.error)
    indent(root)
    text: str = tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{xml_escaped(text)}\n'


def _suite(root: Element, report: PreflightReport, name: str, findings: Sequence[Finding], error: str) -> None:
    suite = SubElement(root, "testsuite", name=_clean(name))
    for finding in findings:
        case = SubElement(
            suite, "testcase", classname=_clean(name), name=_clean(f"{finding.rule.id} {finding.rule.name} {finding.resource}".strip())
        )
        if finding.file:
            case.set("file", _clean(finding.file))
        if finding.line:
            case.set("line", str(finding.line))
        _outcome(case, report, finding)
    if error:
        _detail(SubElement(suite, "testcase", classname=_clean(name), name="readable"), "error", error, error)
    elif not findings:
        SubElement(suite, "testcase", classname=_clean(name), name="aws-node keeps its role")
    cases = list(suite)
    counts = {
        "tests": cases,
        **{f"{kind}s" if kind != "skipped" else kind: [case for case in cases if case.find(kind) is not None] for kind in _KINDS},
    }
    for key, counted in counts.items():
        suite.set(key, str(len(counted)))


_KINDS: Final = ("failure", "error", "skipped")


def _outcome(case: Element, report: PreflightReport, finding: Finding) -> None:
    body = "\n".join(filter(None, (finding.message, finding.rule.why, finding.expression, *finding.add, finding.rule.page)))
    if finding.suppressed:
        _detail(case, "skipped", finding.suppressed, body)
    elif report.fail_on.includes(finding.level):
        _detail(case, "failure", finding.message, body)
    elif finding.level is Level.UNKNOWN:
        _detail(case, "error", finding.message, body)
    else:
        SubElement(case, "system-out").text = _clean(f"{finding.level.value}: {body}")


def _detail(case: Element, kind: str, message: str, body: str) -> None:
    SubElement(case, kind, message=_clean(message)).text = _clean(body)


def _clean(text: str) -> str:
    return _INVALID.sub("\ufffd", text)
