"""Stories to tell: for each world, what the workflow would hand over on every occasion that can come in it."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from lambdas.application.remediation.watch import needs_a_person
from lambdas.application.remediation.workflow import LIFTED_BY_TIME
from lambdas.domain.assessment.summary import AssessmentSummary, summary_to_json
from lambdas.domain.incidents.incident import Incident
from lambdas.domain.planning.actions import ReplaceOnePod
from lambdas.domain.ports import Message
from lambdas.domain.verification import verify
from lambdas.notifications.kind import NotificationKind
from lambdas.notifications.messages import message
from tests import fakes
from tests.unit.report.observed import NOW, incident
from tests.unit.report.worlds import World, healed

ENVIRONMENT = replace(fakes.ENVIRONMENT, runbook_root="https://example.com/runbooks")
CALLBACK = "Ab3dCallback"
_WORDS = {
    "AnnotateServiceAccount": "annotation set to {role}",
    "ReplaceOnePod": "{pod} deleted",
    "RestartWorkload": "all pods restart, 2 at a time",
    "DeleteStalePods": "2 stale pods, 2 at a time",
    "UpdateAddonRole": "update 6f1c of the add-on record vpc-cni",
}


def write(occasion: NotificationKind, about: Mapping[str, Any], about_whom: Incident) -> Message:
    """The message, as the workflow asks for it: a question carries its callback."""
    callback = CALLBACK if occasion is NotificationKind.ASKING else ""
    return message(occasion, about, about_whom, environment=ENVIRONMENT, callback_id=callback)


def stories(world: World) -> Iterator[tuple[str, NotificationKind, dict[str, Any], Incident]]:
    """`(name, occasion, about, incident)` of every message that this world can bring."""
    seen = world.look()
    opened = incident(world.build().target)
    start = _about(seen, seen, [_looked(seen, NOW)])
    if seen.actions:
        yield from _acted_on(world, seen, start, opened)
    else:
        waits = any(blocked.until and blocked.reason in LIFTED_BY_TIME for blocked in seen.withheld)
        occasion = NotificationKind.NEEDS_YOU if needs_a_person(seen) and not waits else NotificationKind.WITHHELD
        yield occasion.value, occasion, start, opened
    later = _about(_at(seen, NOW + timedelta(hours=4)), seen, [_looked(seen, NOW)])
    yield "reminder", NotificationKind.REMINDER, later, opened
    well = healed(world.build(), NOW + timedelta(minutes=50))
    yield "recovered", NotificationKind.RECOVERED, _about(well, seen, [_looked(seen, NOW)]), opened


def _acted_on(
    world: World, seen: AssessmentSummary, start: dict[str, Any], opened: Incident
) -> Iterator[tuple[str, NotificationKind, dict[str, Any], Incident]]:
    yield "acting", NotificationKind.ACTING, start, opened
    yield "asking", NotificationKind.ASKING, start, opened
    yield "rejected", NotificationKind.NOT_APPROVED, {**start, "answer": {"approved": False, "by": "jane"}}, opened
    yield "nobody-answered", NotificationKind.NOT_APPROVED, {**start, "answer": {"approved": False, "timed_out": True}}, opened
    changes = [type(action).__name__ for action in seen.actions]
    lines = [_looked(seen, NOW), *_acts(changes, seen)]
    trouble = "the replaced pod did not come back with the role"
    yield "did-not-work", NotificationKind.NEEDS_YOU, {**_about(seen, seen, lines[:3]), "changes": changes[:2], "trouble": trouble}, opened
    at = NOW + timedelta(seconds=71)
    well = healed(world.build(), at)
    proof = verify(seen, well).sentence
    told = _about(well, seen, [*lines, {"at": at.isoformat(), "what": "proof", "words": proof}, _looked(well, at)])
    yield "proven", NotificationKind.PROVEN, {**told, "changes": changes, "proof": proof}, opened


def _acts(changes: list[str], seen: AssessmentSummary) -> Iterator[dict[str, Any]]:
    for i, kind in enumerate(changes):
        at = NOW + timedelta(seconds=1 + 4 * i)
        yield {"at": at.isoformat(), "what": kind, "words": _WORDS[kind].format(role=seen.desired_role, pod=_canary(seen))}
        if kind == "ReplaceOnePod":
            yield {
                "at": (at + timedelta(seconds=3)).isoformat(),
                "what": "successor",
                "words": f"{_canary(seen)[:-2]}x7k2p carries the role",
            }


def _canary(seen: AssessmentSummary) -> str:
    return next((action.pod for action in seen.actions if isinstance(action, ReplaceOnePod)), "")


def _about(now: AssessmentSummary, first: AssessmentSummary, lines: list[dict[str, Any]]) -> dict[str, Any]:
    return {"look": summary_to_json(now), "first": summary_to_json(first), "lines": lines, "changes": [], "signals": 3}


def _at(seen: AssessmentSummary, at: datetime) -> AssessmentSummary:
    return replace(seen, began_at=at.isoformat())


def _looked(seen: AssessmentSummary, at: datetime) -> dict[str, Any]:
    counts = seen.counts
    return {
        "at": at.isoformat(),
        "what": "look",
        "words": str(seen.verdict),
        "counts": [counts.pods_right, counts.pods, counts.nodes_ready, counts.nodes],
    }
