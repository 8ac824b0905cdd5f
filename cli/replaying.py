"""`replay`: what the deployed configuration would make of an event, without doing anything."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rich.text import Text

from cli.clients import connection
from cli.clients.deployed_stack import roles
from cli.views.documents import checked, place, planned
from cli.errors import SOUND, CommandError
from cli.queries.assessment import see
from cli.output import progress, write
from cli.queries.targets import TargetSelection, targets
from lambdas.contract.events import SUBSCRIPTIONS, OwnEvent
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.domain.errors import RemediatorError
from lambdas.domain.requests.parser import parse
from lambdas.domain.requests.request import CheckRequest, DigestDue, Ignored, Sweep
from lambdas.notifications.escape import plain
from lambdas.notifications.time_text import clock

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from rich.console import RenderableType

    from cli.options import GlobalOptions
    from cli.queries.assessment import TargetAssessment
    from cli.clients.dependencies import Dependencies

Json = dict[str, Any]


def run(asked: GlobalOptions, file: Path) -> int:
    """Rules, request, and for each ServiceAccount that it names the diagnosis and plan of now."""
    event = read(file)
    outside = connection.connect(asked)
    with progress("asking EventBridge which rules match"):
        rules = matching(event, outside)
    request = parse(event, account=outside.environment.account, region=outside.environment.region, now=outside.now())
    found = meant(request, outside)
    with progress("looking at what the event names"):
        seen = [see(item, outside) for item in found]
    looks = [checked(item) | {"plan": planned(item.look) if item.look else None} for item in seen]
    document = {"command": "replay", "exitCode": SOUND, "rules": rules, "request": _request(request, outside), "looks": looks}
    write(asked.output, document, *_views(rules, request, seen, outside))
    return SOUND


def read(file: Path) -> Json:
    """The event.

    Raises:
        Refused: the file holds no JSON object.
    """
    try:
        event = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise CommandError(f"{file} holds no JSON: {error}", next_step="give one event as EventBridge delivers it") from error
    if not isinstance(event, dict):
        raise CommandError(f"{file} holds no JSON object", next_step="give one event as EventBridge delivers it")
    return event


def matching(event: Mapping[str, Any], outside: Dependencies) -> list[str] | None:
    """Names of our rules that this event matches; None where it cannot be asked: a person's own request passes no rule."""
    if "detail-type" not in event or event["detail-type"] in (OwnEvent.SWEEP, OwnEvent.DIGEST):  # a schedule's input, which a rule makes
        return None
    patterns = {name: item.pattern(list(roles(outside.environment).values())) for name, item in SUBSCRIPTIONS.items()}
    try:
        return list(outside.patterns.matching(_whole(event), patterns))
    except RemediatorError:
        return None


def _whole(event: Mapping[str, Any]) -> Json:
    """EventBridge tests whole events alone; what a hand-written one lacks is filled in."""
    missing = {"id": "0", "account": "", "source": "", "time": "1970-01-01T00:00:00Z", "region": "", "resources": [], "detail": {}}
    return {**missing, **event}


def meant(request: CheckRequest | Ignored | Sweep | DigestDue, outside: Dependencies) -> list[ServiceAccountRef]:
    """The ServiceAccounts that the checker would look at, itself or by the events that it would send."""
    if isinstance(request, Ignored | DigestDue):
        return []
    if isinstance(request, CheckRequest) and request.cluster:
        if request.service_account:
            return [ServiceAccountRef(request.cluster, *request.service_account)]
        return targets(TargetSelection(clusters=(request.cluster,)), outside)
    from lambdas.domain.snapshot.bindings import bound_clusters, bound_targets, has_default

    paths = list(outside.readers.parameters.load())
    there = outside.readers.eks.clusters() if has_default(paths) else ()
    return list(bound_targets(paths, sorted({*bound_clusters(paths), *there})))


def _request(request: CheckRequest | Ignored | Sweep | DigestDue, outside: Dependencies) -> Json:
    match request:
        case Ignored(reason=reason):
            return {"kind": "ignored", "reason": reason}
        case Sweep():
            return {"kind": "sweep"}
        case DigestDue(occurred_at=at):
            return {"kind": "digest", "until": at.isoformat(), "clusters": _digested(outside)}
    where = place(ServiceAccountRef(request.cluster or "", *(request.service_account or ("", ""))))
    actor = {"who": request.actor.who, "what": request.actor.what} if request.actor else None
    told = {"kind": "check", "trigger": request.trigger.value, "occurredAt": request.occurred_at.isoformat(), "cluster": request.cluster}
    return told | {"serviceAccount": where["serviceAccount"] if request.service_account else None, "node": request.node, "actor": actor}


def _digested(outside: Dependencies) -> list[str]:
    from lambdas.domain.incidents.daily_digest import clusters_asking

    asking = clusters_asking(outside.readers.parameters.load(), outside.readers.eks.clusters())
    return [item for item in asking if outside.environment.serves(item)]


def _views(
    rules: list[str] | None, request: CheckRequest | Ignored | Sweep | DigestDue, seen: list[TargetAssessment], outside: Dependencies
) -> list[RenderableType]:
    from cli.views.plan_steps import view

    return [_rules(rules), *_asks(request, outside), Text(), *(view(item) for item in seen), Text("Nothing was done.", style="dim")]


def _rules(rules: list[str] | None) -> Text:
    if rules is None:
        return Text(
            "rules    not asked: a request of this form is sent to the checker itself, or the rules could not be tested", style="dim"
        )
    if not rules:
        return Text("rules    none matches: EventBridge would not deliver it to the checker", style="yellow")
    return Text("rules    ").append(", ".join(rules), style="bold")


def _asks(request: CheckRequest | Ignored | Sweep | DigestDue, outside: Dependencies) -> list[Text]:
    match request:
        case Ignored(reason=reason):
            return [Text("request  ").append(f"ignored: {plain(reason)}", style="yellow")]
        case Sweep():
            return [Text("request  a check of every bound cluster")]
        case DigestDue(occurred_at=at):
            whose = ", ".join(_digested(outside)) or "nobody: no setting asks for one"
            return [Text(f"request  a digest of the day until {clock(at)}, for {whose}")]
    about = request.cluster or "every bound cluster"
    lines = [Text("request  ").append(f"check {plain(about)}", style="bold").append(f" ({request.trigger}, {clock(request.occurred_at)})")]
    if request.actor:
        lines.append(Text(f"actor    {plain(request.actor.who)}: {plain(request.actor.what)}"))
    if request.cluster and not outside.environment.serves(request.cluster):
        lines.append(Text(f"note     the deployed stack leaves {plain(request.cluster)} to another", style="yellow"))
    return lines
