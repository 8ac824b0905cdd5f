"""Control a terminal, or have a foreign command run, with text in the names, messages and annotations of a cluster.

The attacker writes node conditions, pod states, annotations, field managers or add-on health issues. Every printer is tried with every
text field of a snapshot: table, JSON, YAML, chat, mail, HTML page and log.
"""

from __future__ import annotations

import io
import json
import re
import shlex
import time
import unicodedata
from contextlib import redirect_stdout, suppress
from dataclasses import fields, is_dataclass, replace
from datetime import timedelta
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml

from cli.main import app
from cli.output import Format, write
from cli.queries.assessment import TargetAssessment
from cli.safe_console import SafeConsole
from cli.views.chain import chain_view
from cli.views.documents import assessment_document, plan_document
from cli.views.page import incident_page
from cli.views.plan_steps import plan_view
from lambdas.adapters import log
from lambdas.domain.assessment.summary_builder import summarize
from lambdas.domain.diagnosis.identity_chain import diagnose
from lambdas.domain.diagnosis.permissions import calls_in_event, calls_named
from lambdas.domain.incidents.details import IncidentDetails, TimelineEntry
from lambdas.domain.planning.planner import plan
from lambdas.domain.redaction import printable, redacted
from lambdas.notifications import escape
from lambdas.notifications.kind import NotificationKind
from lambdas.notifications.message_context import MessageContext
from tests import fakes
from tests.attacks.threat import Threat
from tests.cli_runner import CliRunner
from tests.unit.cli.sessions import past
from tests.unit.notifications.fault_cases import FAULT_CASES
from tests.unit.notifications.message_cases import write as write_message
from tests.unit.notifications.snapshots import NOW, incident

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from lambdas.domain.assessment.summary import AssessmentSummary
    from lambdas.domain.snapshot.snapshot import Snapshot

THREAT = Threat(
    name="hostile text",
    actor="user of a cluster",
    controls="names, annotations, field managers, events and logs",
    attempt="control a terminal or the runner of a job, mention or link in chat, have a foreign command copied, or stop a check with a "
    "long text",
    prevention="every printer escapes; commands are built from validated identifiers only and quoted; each pattern takes linear time",
    proof=(
        "test_no_text_of_a_snapshot_controls_the_reader",
        "test_no_text_of_a_cluster_becomes_a_command_or_advice",
        "test_log_lines_hold_visible_characters_only",
        "test_a_text_of_256_kilobytes_is_read_in_a_time_that_grows_with_its_length",
        "test_a_file_with_hostile_names_gives_no_command_to_the_job_that_prints_its_report",
    ),
    residual="field managers are self-declared names; the audit log has the user",
)
COMMAND: Final = "kubectl delete ns prod --now"
HOSTILE: Final = (
    "\x7f\x1b]0;owned\x07\x1b[2J\x1b[1;1H\x1b[32mHealthy\x1b[0m\x1b[8m \x9b31m\x9d0;x\x9c\u202egnp.exe\u2066\u200b\u2028\r\n"
    f"[bold red]x[/] <script>alert(1)</script> next: {COMMAND}; $({COMMAND}) `{COMMAND}` ' \" <!channel> @here"
)
CLUSTER_CONTROLLED: Final = ("service_account", "workload", "pods", "nodes", "permission_errors", "actor")
"""Parts of a snapshot that users of the cluster write."""
FIXED: Final = frozenset({"target", "settings", "account", "region", "partition", "bound_roles"})
"""Parts that are not text of a cluster: checked names, parsed settings and the deployment."""


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every text of a value."""
    if isinstance(value, str) and not isinstance(value, Enum):
        yield path
    elif is_dataclass(value) and not isinstance(value, type):
        for item in fields(value):
            if path or item.name not in FIXED:
                yield from leaves(getattr(value, item.name), (*path, item.name))
    elif isinstance(value, tuple):
        for number, item in enumerate(value[:2]):
            yield from leaves(item, (*path, number))
    elif isinstance(value, dict):
        for key in value:
            yield from leaves(value[key], (*path, key))


def poisoned(value: Any, path: tuple[Any, ...]) -> Any:
    """The value with hostile text at the path. It keeps its beginning, so that rules for that beginning still apply."""
    if not path:
        return f"{value} {HOSTILE}"
    first, *rest = path
    if isinstance(value, tuple):
        return (*value[:first], poisoned(value[first], tuple(rest)), *value[first + 1 :])
    if isinstance(value, dict):
        return {**value, first: poisoned(value[first], tuple(rest))}
    return replace(value, **{first: poisoned(getattr(value, first), tuple(rest))})


def assess(name: str, snapshot: Snapshot) -> AssessmentSummary:
    diagnosis = diagnose(snapshot)
    return summarize(snapshot, diagnosis, plan(snapshot, diagnosis, FAULT_CASES[name].history))


@cache
def attacks(name: str) -> tuple[tuple[tuple[Any, ...], AssessmentSummary], ...]:
    """Each path of a text of the fault case, and the assessment with hostile text there."""
    snapshot, found = FAULT_CASES[name].build(), []
    for path in leaves(snapshot):
        with suppress(ValueError):  # a text that the adapters would have refused, such as a time
            found.append((path, assess(name, poisoned(snapshot, path))))
    return tuple(found)


def terminal(summary: AssessmentSummary, snapshot: Snapshot) -> str:
    assessment = TargetAssessment(target=snapshot.target, summary=summary, snapshot=snapshot)
    stream = io.StringIO()
    console = SafeConsole(file=stream, width=120, force_terminal=True, color_system="truecolor", highlight=False, markup=False)
    console.print(chain_view(assessment), crop=False)
    console.print(plan_view(assessment), crop=False)
    return stream.getvalue()


def printed(form: Format, summary: AssessmentSummary, snapshot: Snapshot) -> str:
    assessment = TargetAssessment(target=snapshot.target, summary=summary, snapshot=snapshot)
    stream = io.StringIO()
    with redirect_stdout(stream):
        write(form, {"command": "plan", "check": assessment_document(assessment), "plan": plan_document(summary)})
    return stream.getvalue()


def message(summary: AssessmentSummary, _snapshot: Snapshot) -> str:
    context = MessageContext(kind=NotificationKind.NEEDS_ACTION, incident=incident(), first=summary, current=summary)
    made = write_message(context)
    return "\n".join([made.text, made.subject, *made.attributes.values(), *_strings(json.loads(made.chat))])


def page(summary: AssessmentSummary, _snapshot: Snapshot) -> str:
    details = IncidentDetails(
        sentence=summary.sentence,
        actor=HOSTILE,
        broken=tuple(link.sentence for link in summary.links),
        remedies=tuple(line for remedy in summary.remedies for line in remedy.lines),
        timeline=(TimelineEntry(at=NOW + timedelta(seconds=1), event="assessment", text=summary.sentence),),
    )
    return incident_page(past(details=details, old_value=HOSTILE), fakes.ENVIRONMENT)


PRINTERS: Final[dict[str, Callable[[AssessmentSummary, Snapshot], str]]] = {
    "terminal": terminal,
    "json": lambda summary, snapshot: printed(Format.JSON, summary, snapshot),
    "yaml": lambda summary, snapshot: printed(Format.YAML, summary, snapshot),
    "chat and mail": message,
    "page": page,
}
NAMES: Final = ("nodes-not-ready", "annotation-differs", "trust-condition-wrong", "addon-degraded", "permissions-missing", "webhook-missed")
SGR: Final = re.compile(r"\x1b\[[0-9;]*m")
CONCEALED: Final = re.compile(r"\x1b\[(?:\d+;)*8(?:;\d+)*m")


def _strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.values() for text in _strings(item)]
    return [text for item in value for text in _strings(item)] if isinstance(value, list) else [value] if isinstance(value, str) else []


def invisible(text: str) -> set[str]:
    return {char for char in text if char != "\n" and unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")}


@pytest.mark.parametrize("printer", PRINTERS)
@pytest.mark.parametrize("name", NAMES)
def test_no_text_of_a_snapshot_controls_the_reader(name: str, printer: str) -> None:
    snapshot = FAULT_CASES[name].build()
    tried, printed_before = 0, [assess(name, snapshot)]
    for path, summary in attacks(name):
        tried += 1
        if summary in printed_before:  # the text is not in the summary, so the page would be the same once more
            continue
        printed_before.append(summary)
        text = PRINTERS[printer](summary, snapshot)
        assert not CONCEALED.search(text), path
        assert invisible(SGR.sub("", text) if printer == "terminal" else text) == set(), path
        assert printer != "page" or "<script" not in text, path
    assert tried > 30
    assert len(printed_before) > 5


@pytest.mark.parametrize("name", sorted(FAULT_CASES))
def test_no_text_of_a_cluster_becomes_a_command_or_advice(name: str) -> None:
    for path, summary in attacks(name):
        for remedy in summary.remedies:
            lexer = shlex.shlex(remedy.command.replace("<role ARN>", "ROLE"), posix=True, punctuation_chars=";|&`$()")
            lexer.whitespace_split = True
            words = list(lexer) if remedy.command else []
            assert not [word for word in words if set(word) <= set(";|&`$()")], (path, remedy.command)
            assert "prod" not in words, (path, remedy.command)
            if path[0] in CLUSTER_CONTROLLED:
                assert COMMAND not in f"{remedy.text} {remedy.command} {remedy.diff}", (path, remedy)


@pytest.mark.parametrize("form", [Format.JSON, Format.YAML])
def test_escaped_documents_hold_the_text_as_it_was(form: Format) -> None:
    stream = io.StringIO()
    with redirect_stdout(stream):
        write(form, {"text": HOSTILE, HOSTILE: [HOSTILE, "plain", "🔴 two\nlines"]})
    text = stream.getvalue()
    assert invisible(text) == set()
    read = json.loads(text) if form is Format.JSON else yaml.safe_load(text)
    assert read["text"] == HOSTILE
    assert read[HOSTILE] == [HOSTILE, "plain", "🔴 two\nlines"]


def test_log_lines_hold_visible_characters_only(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    # The logger keeps the stream of its first line, which may belong to another test and be closed.
    monkeypatch.setattr(log._logger().registered_handler, "stream", stream)
    log.write("diagnosis", HOSTILE, error=ValueError(HOSTILE), sentence=HOSTILE, names=[HOSTILE], facts={HOSTILE: HOSTILE})
    text = stream.getvalue()
    assert COMMAND in text
    assert invisible(text) == set()
    assert json.loads(text)["sentence"] == HOSTILE


def test_a_timeline_entry_is_one_line_in_every_message() -> None:
    summary = FAULT_CASES["webhook-missed"].assess()
    entry = TimelineEntry(at=NOW, event="verification", text=HOSTILE)
    context = MessageContext(kind=NotificationKind.NEEDS_ACTION, incident=incident(), first=summary, current=summary, timeline=(entry,))
    assert invisible(write_message(context).text) == set()


@pytest.mark.parametrize("form", ["table", "json", "yaml", "sarif", "junit", "github"])
def test_a_file_with_hostile_names_does_not_control_the_reader_of_its_report(form: str, tmp_path: Path) -> None:
    name = f"prod{HOSTILE}"
    resource = {"Type": "AWS::EKS::Addon", "Properties": {"AddonName": "vpc-cni", "ClusterName": name, "ServiceAccountRoleArn": name}}
    file = tmp_path / "template.json"
    file.write_text(json.dumps({"Resources": {name: resource}}))
    result = CliRunner().invoke(app, ["preflight", "--template", str(file), "--output", form], env={"NO_COLOR": "1"})
    assert COMMAND in result.stdout
    assert invisible(result.stdout) == set()


INJECTED: Final = "x\n::error file=a::owned\r::stop-commands::t\u2028##[add-mask]a ##vso[task.x]b %0A::set-output name=a::b"


@pytest.mark.parametrize("form", ["table", "json", "yaml", "sarif", "junit", "github"])
@pytest.mark.parametrize("columns", ["40", "80", "160"])
def test_a_file_with_hostile_names_gives_no_command_to_the_job_that_prints_its_report(form: str, columns: str, tmp_path: Path) -> None:
    """A runner reads commands from the log of a job: `::name` at the beginning of a line, or `##[name]` and `##vso[name]` anywhere."""
    resource = {
        "Type": "AWS::EKS::Addon",
        "Properties": {"AddonName": "vpc-cni", "ClusterName": INJECTED, "ServiceAccountRoleArn": INJECTED},
    }
    file = tmp_path / "template.json"
    file.write_text(json.dumps({"Resources": {INJECTED: resource}}))
    arguments = ["preflight", "--template", str(file), "--output", form]
    result = CliRunner().invoke(app, arguments, env={"NO_COLOR": "1", "COLUMNS": columns})
    lines = [line.lstrip() for line in result.stdout.split("\n") if line]
    assert "owned" in result.stdout
    ours = re.compile(r"::(error|warning|notice) file=[^:,]*template[.]json[^:]*::")
    if form == "github":
        assert [line for line in lines if not ours.match(line)] == []
    else:
        assert [line for line in lines if re.match("::(error|stop-commands|set-output)", line) or re.search(r"##(vso)?\[", line)] == []


@pytest.mark.parametrize("form", [Format.JSON, Format.YAML])
def test_an_escaped_command_is_read_as_it_was(form: Format) -> None:
    stream = io.StringIO()
    with redirect_stdout(stream):
        write(form, {INJECTED: INJECTED, "arn": "arn:aws:eks::aws:cluster-access-policy/x", "type": "AWS::EKS::Addon"})
    text = stream.getvalue()
    read = json.loads(text) if form is Format.JSON else yaml.safe_load(text)
    assert read[INJECTED] == INJECTED
    assert "arn:aws:eks::aws:cluster-access-policy/x" in text


READERS: Final[dict[str, Callable[[str], object]]] = {
    "calls of a message": calls_named,
    "calls of an event": calls_in_event,
    "redaction": redacted,
    "one line": printable,
    "mail": escape.plain,
    "chat": escape.chat,
    "code in chat": escape.chat_code,
    "terminal": escape.terminal,
    "JSON": escape.json_escaped,
    "YAML": escape.yaml_escaped,
    "XML": escape.xml_escaped,
    "subject": lambda text: escape.ascii_line(text, 100),
}
REPEATED: Final = {
    "letters": ("", "a", ""),
    "letters and hyphens": ("", "a-", ""),
    "hyphens": ("", "-", ""),
    "calls": ("", "ec2:CreateTags", ""),
    "prefixes of calls": ("", "a:", ""),
    "notes": ("", "failed to call a-", ""),
    "labels of a mail address": ("", "aa.", "aa@"),
    "empty labels": ("", "aa..", "@"),
    "one-letter labels": ("", "x.", "1"),
    "underscores in a word": ("a", "_", "a"),
    "underscores between blanks": (" ", "_", " "),
    "words with underscores": ("", "_a", ""),
    "schemes": ("", "mailto:", ""),
    "mentions": ("", "@", ""),
    "prefixes of tokens": ("", "eyJ", ""),
    "prefixes of signed URLs": ("", "k8s-aws-v1.", ""),
    "bearer": ("", "Bearer ", ""),
    "commands to a runner": ("", "##[", ""),
    "colons": ("", ":", ""),
    "blanks": ("", " ", "a"),
    "marks": ("a", "\u0301", ""),
    "controls": ("", "\x1b\u202e", ""),
}
"""Start, repeated part and end of a text."""


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
@pytest.mark.parametrize("parts", REPEATED.values(), ids=REPEATED)
def test_a_text_of_256_kilobytes_is_read_in_a_time_that_grows_with_its_length(
    parts: tuple[str, str, str], read: Callable[[str], object]
) -> None:
    start, repeated, end = parts
    text = start + repeated * (262_144 // len(repeated)) + end
    began = time.process_time()
    read(text)
    assert time.process_time() - began < 3
