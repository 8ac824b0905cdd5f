"""Stories to tell: for each world, what the workflow would hand over on every occasion that can come in it."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from lambdas.application.remediation.watch import needs_a_person
from lambdas.application.remediation.workflow import LIFTED_BY_TIME
from lambdas.domain.assessment.summary import AssessmentSummary, summary_to_json
from lambdas.domain.incidents.incident import Incident
from lambdas.domain.planning.actions import ReplaceCanaryPod
from lambdas.domain.ports import Message
from lambdas.domain.verification import verify
from lambdas.notifications.kind import NotificationKind
from lambdas.notifications.message_context import context_from_state
from lambdas.notifications.messages import message
from tests import fakes
from tests.unit.notifications.fault_cases import FaultCase, repaired_summary
from tests.unit.notifications.snapshots import NOW, incident

ENVIRONMENT = replace(fakes.ENVIRONMENT, runbook_root="https://example.com/runbooks")
CALLBACK = "Ab3dCallback"
_WORDS = {
    "annotate-service-account": "annotation set to {role}",
    "replace-canary-pod": "{pod} deleted",
    "restart-workload": "all pods restart, 2 at a time",
    "replace-stale-pods": "2 stale pods, 2 at a time",
    "update-addon-role": "update 6f1c of the add-on record vpc-cni",
}


def write(occasion: NotificationKind, about: Mapping[str, Any], about_whom: Incident) -> Message:
    """The message, as the workflow asks for it: a question carries its callback."""
    callback = CALLBACK if occasion is NotificationKind.APPROVAL_REQUESTED else ""
    return message(context_from_state(occasion, about, about_whom), environment=ENVIRONMENT, callback_id=callback)


def stories(world: FaultCase) -> Iterator[tuple[str, NotificationKind, dict[str, Any], Incident]]:
    """`(name, occasion, about, incident)` of every message that this world can bring."""
    seen = world.look()
    opened = incident(world.build().target)
    start = _about(seen, seen, [_looked(seen, NOW)])
    if seen.actions:
        yield from _acted_on(world, seen, start, opened)
    else:
        waits = any(blocked.until and blocked.reason in LIFTED_BY_TIME for blocked in seen.blocked)
        occasion = NotificationKind.NEEDS_ACTION if needs_a_person(seen) and not waits else NotificationKind.BLOCKED
        yield occasion.value, occasion, start, opened
    later = _about(_at(seen, NOW + timedelta(hours=4)), seen, [_looked(seen, NOW)])
    yield "reminder", NotificationKind.REMINDER, later, opened
    well = repaired_summary(world.build(), NOW + timedelta(minutes=50))
    yield "recovered", NotificationKind.RECOVERED, _about(well, seen, [_looked(seen, NOW)]), opened


def _acted_on(
    world: FaultCase, seen: AssessmentSummary, start: dict[str, Any], opened: Incident
) -> Iterator[tuple[str, NotificationKind, dict[str, Any], Incident]]:
    yield "repairing", NotificationKind.REPAIRING, start, opened
    yield "approval-requested", NotificationKind.APPROVAL_REQUESTED, start, opened
    yield "rejected", NotificationKind.NOT_APPROVED, {**start, "answer": {"approved": False, "by": "jane"}}, opened
    yield "nobody-answered", NotificationKind.NOT_APPROVED, {**start, "answer": {"approved": False, "timed_out": True}}, opened
    changes = [action.kind for action in seen.actions]
    lines = [_looked(seen, NOW), *_acts(changes, seen)]
    trouble = "the replaced pod did not come back with the role"
    yield (
        "did-not-work",
        NotificationKind.NEEDS_ACTION,
        {**_about(seen, seen, lines[:3]), "changes": changes[:2], "trouble": trouble},
        opened,
    )
    at = NOW + timedelta(seconds=71)
    well = repaired_summary(world.build(), at)
    proof = verify(seen, well).sentence
    told = _about(well, seen, [*lines, {"at": at.isoformat(), "what": "proof", "words": proof}, _looked(well, at)])
    yield "verified", NotificationKind.VERIFIED, {**told, "changes": changes, "proof": proof}, opened


def _acts(changes: list[str], seen: AssessmentSummary) -> Iterator[dict[str, Any]]:
    for i, kind in enumerate(changes):
        at = NOW + timedelta(seconds=1 + 4 * i)
        yield {"at": at.isoformat(), "what": kind, "words": _WORDS[kind].format(role=seen.desired_role, pod=_canary(seen))}
        if kind == "replace-canary-pod":
            yield {
                "at": (at + timedelta(seconds=3)).isoformat(),
                "what": "successor",
                "words": f"{_canary(seen)[:-2]}x7k2p carries the role",
            }


def _canary(seen: AssessmentSummary) -> str:
    return next((action.pod for action in seen.actions if isinstance(action, ReplaceCanaryPod)), "")


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
