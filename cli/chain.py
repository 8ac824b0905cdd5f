"""The identity chain as a table: what `check` shows, and what `plan` and `fix` show above what they do."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import TYPE_CHECKING, Final

from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from lambdas.contract.parameters import binding_path
from lambdas.domain.finding import State
from lambdas.domain.report.clock import clock
from lambdas.domain.report.corrected import documents
from lambdas.domain.report.escaping import line as visible
from lambdas.domain.report.escaping import plain
from lambdas.domain.report.left_for_you import words_and_command
from lambdas.domain.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rich.console import RenderableType

    from cli.looking import Seen
    from lambdas.domain.look import LinkLine, Look

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


def _header(seen: Seen, look: Look) -> Group:
    addon = look.addon
    told = [
        seen.target.cluster,
        look.cluster.get("region", ""),
        f"Kubernetes {it}{supported(look.cluster, today=look.began_at[:10])}" if (it := look.cluster.get("version")) else "",
    ]
    if addon:
        told.append(f"{addon['name']} {addon['version']}" + _offered(look))
    line = Text(" · ").join(Text(plain(it), style="bold" if i == 0 else "") for i, it in enumerate(told) if it)
    return Group(line, _binding(seen, look))


def _offered(look: Look) -> str:
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


def _binding(seen: Seen, look: Look) -> Text:
    account = f"{seen.target.namespace}/{seen.target.name}"
    if not look.binding_path:
        path = binding_path(seen.target.cluster, seen.target.namespace, seen.target.name)
        return Text(f"{account} is not bound, so nothing is ever written here. Its role would stand in the parameter\n{path}", style="dim")
    if not look.desired_role:
        return Text(f"{account}: the parameter {look.binding_path} names no usable role", style="yellow")
    words = Text(f"{account} should use ").append(plain(look.desired_role), style="cyan")
    return words.append(f"\nas the parameter {look.binding_path} says", style="dim")


def _links(look: Look) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1), expand=False)
    table.add_column(justify="right", style="dim", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for line in look.links:
        mark, style = MARKS[State(line.state)]
        words = Text(plain(line.sentence), style="dim" if line.state == State.NOT_APPLICABLE else "")
        for fact in _facts(line, look):
            words.append(f"\n{fact}", style="dim")
        table.add_row(str(int(line.link)), line.title, Text(mark, style=style), words)
    return table


def _facts(line: LinkLine, look: Look) -> Iterator[str]:
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


def _end(seen: Seen, look: Look) -> Iterator[RenderableType]:
    yield _verdict(seen, look)
    for remedy in look.remedies:
        words, command = words_and_command(remedy)
        if words:
            yield Padding(Text(f"{words}:" if command else words), (0, 0, 0, 2), expand=False)
        if command:  # to be copied, so the terminal wraps it and we do not
            yield Text(command, no_wrap=True, overflow="ignore")
    yield from corrected(look)
    told = tuple(f"{it.title} could not be read" for it in look.links)  # the table has said why
    for note in (*seen.notes, *(it for it in look.warnings if not it.startswith(told))):
        yield Text(f"note: {plain(note)}", style="dim")
    if seen.incident:
        holder = "the remediator works on it" if not seen.incident.held_by_a_person else f"held by {plain(seen.incident.holder)}"
        yield Text(f"Incident {seen.incident.id} is open; {holder}: irsa-remediator history {seen.incident.id}")
    if command := _next_command(seen, look):
        yield Text(command, style="bold").append(f"   {_why(look)}", style="not bold dim")


def corrected(look: Look) -> Iterator[RenderableType]:
    """The corrected trust policy in full, to be copied: as JSON and as Terraform."""
    for document in documents(look.corrected_trust, look.desired_role.rsplit("/", 1)[-1]):
        yield Text(f"{document.title}:", style="bold")
        yield Text("\n".join(map(visible, document.lines)), no_wrap=True, overflow="ignore")


def _verdict(seen: Seen, look: Look) -> Text:
    if look.sound:
        words = {
            Verdict.NOT_APPLICABLE: "Not applicable: nothing runs under this ServiceAccount.",
            Verdict.POD_IDENTITY_IN_USE: "Sound: EKS Pod Identity gives the role; nothing is for the remediator to do.",
        }.get(look.verdict, "Sound: every link of the identity chain holds.")
        unread = seen.exit_code != 0
        return Text("Nothing is broken, and not every link could be read." if unread else words, style="yellow" if unread else "bold green")
    others = [it for it in look.verdicts if it != look.verdict]
    text = Text("Broken: ", style="bold red").append(", ".join([str(look.verdict), *others]), style="bold")
    return text.append(f". {plain(look.sentence)}", style="not bold default")


def _next_command(seen: Seen, look: Look) -> str:
    where = f"--cluster {seen.target.cluster}"
    if look.sound:
        return "" if look.binding_path or look.verdict is not Verdict.HEALTHY else f"irsa-remediator adopt {where}"
    if look.verdict is Verdict.CLUSTER_GONE:
        return ""
    if look.verdict is Verdict.NO_ACCESS:
        return f"irsa-remediator access {where} --check"
    return f"irsa-remediator plan {where}"


def _why(look: Look) -> str:
    if look.sound:
        return "binds it to the role it has"
    return "shows what is missing" if look.verdict is Verdict.NO_ACCESS else "shows what would be done"
