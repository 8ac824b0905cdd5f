"""The identity chain as a table: what `check` shows, and what `plan` and `fix` show above what they do."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Final

from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cli.failures import COULD_NOT_TELL
from cli.finding_incidents import in_whose_hands
from lambdas.contract.parameters import binding_path
from lambdas.domain.diagnosis.finding import State
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.notifications.escape import line as visible
from lambdas.notifications.escape import plain
from lambdas.notifications.messages import meaning_of
from lambdas.notifications.next_steps import words_and_command
from lambdas.notifications.time_text import clock
from lambdas.notifications.trust_correction import documents

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rich.console import RenderableType

    from cli.looking import Seen
    from lambdas.domain.assessment.summary import AssessmentSummary, LinkSummary

MARKS: Final = {
    State.OK: ("✓", "green"),
    State.BROKEN: ("✗", "bold red"),
    State.UNKNOWN: ("?", "yellow"),
    State.NOT_APPLICABLE: ("–", "dim"),
}


def view(seen: Seen) -> RenderableType:
    """Header, links, verdict, what to do next."""
    look = seen.look
    if look is None:
        return Group(_title(seen), Text(f"could not be looked at: {plain(seen.failure)}", style="yellow"), Text())
    return Group(_header(seen, look), Text(), Padding(_links(look), (0, 0, 0, 1), expand=False), Text(), *_end(seen, look), Text())


def _title(seen: Seen) -> Text:
    return Text(seen.target.cluster, style="bold").append(f" · {seen.target.namespace}/{seen.target.name}", style="not bold")


def _header(seen: Seen, look: AssessmentSummary) -> Group:
    addon = look.addon
    told = [
        seen.target.cluster,
        look.cluster.get("region", ""),
        f"Kubernetes {it}{supported(look.cluster, today=look.began_at[:10])}" if (it := look.cluster.get("version")) else "",
    ]
    if addon:
        told.append(f"{addon['name']} {addon['version']}" + _offered(look))
    line = Text(" · ").join(Text(plain(item), style="bold" if i == 0 else "") for i, item in enumerate(told) if item)
    return Group(line, _binding(seen, look))


def _offered(look: AssessmentSummary) -> str:
    """The add-on's default version for the cluster's Kubernetes, and the latest, as far as they are other ones."""
    installed, default, latest = (look.addon.get(name, "") for name in ("version", "default", "latest"))
    if not default:
        return ""
    where = f"default for {look.cluster.get('version')}"
    told = [where if default == installed else f"{where}: {default}"]
    told += [f"latest: {latest}"] if latest not in ("", default, installed) else []
    return f" ({', '.join(told)})"


def supported(cluster: Mapping[str, str], *, today: str) -> str:
    """Until when EKS supports the cluster's Kubernetes version, or since when no longer, where it was read."""
    until = {name: date[:10] for name in ("standard", "extended") if (date := cluster.get(f"{name}_until", ""))}
    ahead = [f" ({name} support until {date})" for name, date in until.items() if today < date]
    ended = [f" ({name} support ended {date})" for name, date in until.items()]
    return next(iter(ahead), ended[-1] if ended else "")


def _binding(seen: Seen, look: AssessmentSummary) -> Text:
    account = f"{seen.target.namespace}/{seen.target.name}"
    if not look.binding_path:
        path = binding_path(seen.target.cluster, seen.target.namespace, seen.target.name)
        return Text(f"{account} is not bound, so nothing is ever written here. Its role would stand in the parameter\n{path}", style="dim")
    if not look.desired_role:
        return Text(f"{account}: the parameter {look.binding_path} names no usable role", style="yellow")
    words = Text(f"{account} should use ").append(plain(look.desired_role), style="cyan")
    return words.append(f"\nas the parameter {look.binding_path} says", style="dim")


def _links(look: AssessmentSummary) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1), expand=False)
    table.add_column(justify="right", style="dim", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for first, last in _folded(look.links):
        line, alone = first, first is last
        mark, style = MARKS[State(line.state)]
        words = Text(plain(line.sentence), style="dim" if line.state == State.NOT_APPLICABLE else "")
        for fact in _facts(line, look):
            words.append(f"\n{fact}", style="dim")
        number, title = (
            (str(int(line.link)), line.title) if alone else (f"{int(first.link)}-{int(last.link)}", f"{first.title} … {last.title}")
        )
        table.add_row(number, title, Text(mark, style=style), words)
    return table


def _folded(links: Sequence[LinkSummary]) -> Iterator[tuple[LinkSummary, LinkSummary]]:
    """First and last of each run of links that do not apply for one and the same reason; any other link alone."""
    for (state, sentence), run in groupby(links, key=lambda link: (link.state, link.sentence)):
        alike = list(run)
        if state == State.NOT_APPLICABLE and sentence:
            yield alike[0], alike[-1]
        else:
            yield from ((item, item) for item in alike)


def _facts(line: LinkSummary, look: AssessmentSummary) -> Iterator[str]:
    """Evidence of a broken link that its sentence does not hold already; the same fact of several objects once."""
    if line.state != State.BROKEN:
        return
    now, alike = _moment(look.began_at), defaultdict[tuple[str, str, str], list[str]](list)
    for subject, field, value, at in line.evidence:
        if value not in line.sentence and (value != "none" or at):
            alike[field, value, at].append(subject)
    for (field, value, at), subjects in alike.items():
        since = _moment(at)
        yield plain(f"{', '.join(subjects)}: {field} {value}") + (f" (since {clock(since, now)})" if since else "")


def _moment(iso: str) -> datetime | None:
    return datetime.fromisoformat(iso) if iso else None


def _end(seen: Seen, look: AssessmentSummary) -> Iterator[RenderableType]:
    yield _verdict(seen, look)
    for remedy in look.remedies:
        words, command = words_and_command(remedy)
        if words:
            yield Padding(Text(f"{words}:" if command else words), (0, 0, 0, 2), expand=False)
        if command:  # to be copied, so the terminal wraps it and we do not
            yield Text(command, no_wrap=True, overflow="ignore")
    yield from corrected(look)
    told = tuple(f"{link.title} could not be read" for link in look.links)  # the table has said why
    for note in (*seen.notes, *(warning for warning in look.warnings if not warning.startswith(told))):
        yield Text(f"note: {plain(note)}", style="dim")
    if seen.incident:
        yield Text(f"Incident {seen.incident.id} is open: {in_whose_hands(seen.incident)}")
    if command := _next_command(seen, look):
        yield Text(command, style="bold").append(f"   {_why(look)}", style="not bold dim")


def corrected(look: AssessmentSummary) -> Iterator[RenderableType]:
    """The corrected trust policy in full, to be copied: as JSON and as Terraform."""
    for document in documents(look.corrected_trust, look.desired_role.rsplit("/", 1)[-1]):
        yield Text(f"{document.title}:", style="bold")
        yield Text("\n".join(map(visible, document.lines)), no_wrap=True, overflow="ignore")


def _verdict(seen: Seen, look: AssessmentSummary) -> Text:
    if look.sound:
        words = {
            Verdict.NOT_APPLICABLE: "Not applicable: nothing runs under this ServiceAccount.",
            Verdict.POD_IDENTITY_IN_USE: "Sound: EKS Pod Identity gives the role; nothing is for the remediator to do.",
        }.get(look.verdict, "Sound: every link of the identity chain holds.")
        unread = seen.exit_code != 0
        return Text("Nothing is broken, and not every link could be read." if unread else words, style="yellow" if unread else "bold green")
    told, style = ("Could not tell: ", "bold yellow") if seen.exit_code == COULD_NOT_TELL else ("Broken: ", "bold red")
    others = [link.title for link in look.links if link.state == State.BROKEN and link.verdict != look.verdict]
    text = Text(told, style=style).append(str(look.verdict), style="bold")
    text.append(f", and with it {', '.join(others)}" if others else "", style="not bold default")
    return text.append(f". {meaning_of(look)}", style="not bold default")


def _next_command(seen: Seen, look: AssessmentSummary) -> str:
    where = f"--cluster {seen.target.cluster}"
    if look.sound:
        return "" if look.binding_path or look.verdict is not Verdict.HEALTHY else f"irsa-remediator adopt {where}"
    if look.verdict is Verdict.CLUSTER_GONE:
        return ""
    if look.verdict is Verdict.NO_ACCESS:
        return f"irsa-remediator access {where} --check"
    return f"irsa-remediator plan {where}"


def _why(look: AssessmentSummary) -> str:
    if look.sound:
        return "binds it to the role it has"
    return "shows what is missing" if look.verdict is Verdict.NO_ACCESS else "shows what would be done"
