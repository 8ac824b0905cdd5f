"""Looks, plans and incidents as documents for programs: the fields that `docs/cli.md` promises."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from lambdas.domain.diagnosis.finding import State
from lambdas.domain.planning.actions import to_json

if TYPE_CHECKING:
    from cli.looking import Seen
    from lambdas.contract.parameters import ServiceAccountRef
    from lambdas.domain.assessment.summary import AssessmentSummary, LinkSummary
    from lambdas.domain.incidents.incident import Incident, PastIncident
    from lambdas.domain.planning.actions import Action

Json = dict[str, Any]

STATES = {State.OK: "ok", State.BROKEN: "broken", State.UNKNOWN: "unknown", State.NOT_APPLICABLE: "not-applicable"}


def place(target: ServiceAccountRef) -> Json:
    """What a document is about."""
    return {"cluster": target.cluster, "serviceAccount": {"namespace": target.namespace, "name": target.name}}


def checked(seen: Seen) -> Json:
    """One look: `result` is `sound`, `broken` or `could-not-tell`."""
    result = ("sound", "broken", "could-not-tell")[seen.exit_code]
    head = {**place(seen.target), "result": result, "problem": seen.failure or None, "incident": _open(seen.incident)}
    return head if seen.look is None else head | _look(seen.look) | {"notes": [*seen.notes, *seen.look.warnings]}


def _open(incident: Incident | None) -> Json | None:
    return {"id": incident.id, "openedAt": incident.opened_at.isoformat(), "holder": incident.holder} if incident else None


def _look(look: AssessmentSummary) -> Json:
    return {
        "at": look.began_at,
        "verdict": look.verdict.value,
        "verdicts": list(look.verdicts),
        "severity": look.severity.value,
        "sentence": look.sentence,
        "kubernetesVersion": look.cluster.get("version"),
        "supportedUntil": {name: look.cluster.get(f"{name}_until") for name in ("standard", "extended")},
        "region": look.cluster.get("region"),
        "addon": _addon(look.addon),
        "binding": {"path": look.binding_path, "roleArn": look.desired_role} if look.binding_path else None,
        "annotation": look.annotation or None,
        "links": [_link(link) for link in look.links],
        "counts": {_camel(name): value for name, value in asdict(look.counts).items()},
        "remedies": list(look.remedies),
        "correctedTrustPolicy": json.loads(look.corrected_trust) if look.corrected_trust else None,
        "repairDeadline": look.repair_deadline or None,
    }


def _addon(addon: dict[str, str]) -> Json | None:
    if not addon:
        return None
    names = {"name": "name", "version": "version", "default": "defaultVersion", "latest": "latestVersion"}
    names |= {"status": "status", "role": "roleArn"}
    return {theirs: addon.get(ours) or None for ours, theirs in names.items()}


def _link(line: LinkSummary) -> Json:
    evidence = [{"subject": subject, "field": field, "value": value, "since": at or None} for subject, field, value, at in line.evidence]
    return {
        "number": int(line.link),
        "title": line.title,
        "state": STATES[State(line.state)],
        "sentence": line.sentence,
        "verdict": str(line.verdict) or None,
        "evidence": evidence,
    }


def planned(look: AssessmentSummary) -> Json:
    """What would be done, and what not and why."""
    return {
        "actions": [action(item) for item in look.actions],
        "proposed": [action(item) for item in look.proposed],
        "withheld": [
            {"link": int(blocked.link), "reason": str(blocked.reason), "sentence": blocked.sentence, "until": blocked.until or None}
            for blocked in look.withheld
        ],
        "waitsFor": look.wait or None,
        "needsApproval": look.needs_approval,
    }


def action(it: Action) -> Json:
    """One action with its kind, its sentence and its own fields."""
    fields = {_camel(name): value for name, value in to_json(it).items()}
    return {"kind": fields.pop("kind"), "sentence": it.sentence, **fields}


def past(it: PastIncident) -> Json:
    """One closed incident, without its timeline."""
    return {
        "id": it.id,
        **place(it.target),
        "state": "closed",
        "openedAt": it.opened_at.isoformat(),
        "closedAt": it.closed_at.isoformat(),
        "verdict": it.verdict,
        "outcome": it.outcome.value,
        "trigger": it.trigger,
        "changes": list(it.changes),
        "signals": it.signals,
    }


def still_open(it: Incident) -> Json:
    """One open incident."""
    return {
        "id": it.id,
        **place(it.target),
        "state": "waits-for-an-answer" if it.callback_id else "open",
        "openedAt": it.opened_at.isoformat(),
        "closedAt": None,
        "verdict": None,
        "outcome": None,
        "trigger": str(it.request.get("trigger", "")) or None,
        "changes": [],
        "signals": it.signals,
    }


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.title() for word in rest)
