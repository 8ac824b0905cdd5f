"""Assessments, plans and incidents as JSON documents, with the fields that `docs/cli.md` documents."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from cli.errors import ExitCode
from cli.queries.fleet_state import FleetState
from lambdas.domain.diagnosis.finding import State
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.planning.actions import to_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cli.queries.assessment import TargetAssessment
    from cli.queries.fleet_member import FleetMember
    from lambdas.contract.parameters import ServiceAccountRef
    from lambdas.domain.assessment.summary import AddonSummary, AssessmentSummary, LinkSummary
    from lambdas.domain.incidents.incident import Incident, PastIncident
    from lambdas.domain.planning.actions import Action

Json = dict[str, Any]

STATES: Final = {State.OK: "ok", State.BROKEN: "broken", State.UNKNOWN: "unknown", State.NOT_APPLICABLE: "not-applicable"}
_NOT_FAULTY: Final = {Verdict.HEALTHY: "healthy", Verdict.NOT_APPLICABLE: "not-applicable"}


def target_document(target: ServiceAccountRef) -> Json:
    """Return cluster and ServiceAccount."""
    return {"cluster": target.cluster, "serviceAccount": {"namespace": target.namespace, "name": target.name}}


def assessment_document(assessment: TargetAssessment) -> Json:
    """Return one assessment."""
    incident, summary = assessment.incident, assessment.summary
    snapshot = assessment.snapshot
    document = {
        **target_document(assessment.target),
        "account": snapshot.account if snapshot else None,
        "mode": str(snapshot.settings.mode) if snapshot else None,
        "result": _result(assessment),
        "problem": assessment.failure or None,
        "incident": {"id": incident.id, "openedAt": incident.opened_at.isoformat(), "holder": incident.holder} if incident else None,
    }
    return document if summary is None else document | _summary_document(summary) | {"notes": [*assessment.notes, *summary.warnings]}


def member_document(member: FleetMember) -> Json:
    """Return one assessment with the place of its cluster, and with what the next update of the add-on does to the role."""
    risk = {"risk": str(member.risk), "reason": member.risk_sentence or None} if member.risk else None
    return assessment_document(member.assessment) | {"account": member.account, "region": member.region, "nextUpdate": risk}


def summary_document(members: Iterable[FleetMember]) -> Json:
    """Return the number of ServiceAccounts in each state."""
    counts = Counter(member.state for member in members)
    return {str(state): counts[state] for state in FleetState}


def _result(assessment: TargetAssessment) -> str:
    """Return `broken`, `unknown`, or a result without a fault. It is `healthy` only where every link is shown to hold."""
    if assessment.summary is None or assessment.exit_code == ExitCode.UNKNOWN:
        return "unknown"
    return "broken" if assessment.exit_code == ExitCode.BROKEN else _NOT_FAULTY.get(assessment.summary.verdict, "no-fault-found")


def _summary_document(summary: AssessmentSummary) -> Json:
    return {
        "at": summary.began_at,
        "verdict": summary.verdict.value,
        "verdicts": list(summary.verdicts),
        "severity": summary.severity.value,
        "sentence": summary.sentence,
        "unproven": list(summary.unproven),
        "unprovenCalls": list(summary.unproven_calls),
        "kubernetesVersion": summary.cluster.version or None,
        "supportedUntil": {"standard": summary.cluster.standard_until or None, "extended": summary.cluster.extended_until or None},
        "region": summary.cluster.region or None,
        "addon": _addon_document(summary.addon),
        "binding": {"path": summary.binding_path, "roleArn": summary.desired_role} if summary.binding_path else None,
        "annotation": summary.annotation or None,
        "links": [_link_document(link) for link in summary.links],
        "counts": {_camel_case(name): value for name, value in asdict(summary.counts).items()},
        "remedies": [
            {"text": remedy.text, "command": remedy.command or None, "diff": [list(pair) for pair in remedy.diff]}
            for remedy in summary.remedies
        ],
        "correctedTrustPolicy": json.loads(summary.corrected_trust) if summary.corrected_trust else None,
        "repairDeadline": summary.repair_deadline or None,
    }


def _addon_document(addon: AddonSummary | None) -> Json | None:
    if addon is None:
        return None
    names = {"name": "name", "version": "version", "defaultVersion": "default", "latestVersion": "latest", "status": "status"}
    return {name: getattr(addon, field) or None for name, field in (names | {"roleArn": "role"}).items()}


def _link_document(link: LinkSummary) -> Json:
    evidence = [{"subject": subject, "field": field, "value": value, "since": at or None} for subject, field, value, at in link.evidence]
    return {
        "number": int(link.link),
        "title": link.title,
        "state": STATES[State(link.state)],
        "sentence": link.sentence,
        "verdict": str(link.verdict) or None,
        "evidence": evidence,
    }


def plan_of(assessment: TargetAssessment) -> Json | None:
    """Return the plan of an assessment; None where there is no summary."""
    return plan_document(assessment.summary) if assessment.summary else None


def plan_document(summary: AssessmentSummary) -> Json:
    """Return the actions of a plan, and the blocked ones with reasons."""
    return {
        "actions": [action_document(action) for action in summary.actions],
        "proposed": [action_document(action) for action in summary.proposed],
        "blocked": [
            {"link": int(blocked.link), "reason": str(blocked.reason), "sentence": blocked.sentence, "until": blocked.until or None}
            for blocked in summary.blocked
        ],
        "waitsFor": summary.wait or None,
        "needsApproval": summary.needs_approval,
    }


def action_document(action: Action) -> Json:
    """Return one action with its kind, its sentence and its own fields."""
    fields = {_camel_case(name): value for name, value in to_json(action).items()}
    return {"kind": fields.pop("kind"), "sentence": action.sentence, **fields}


def incident_documents(
    open_incidents: Iterable[Incident], past: Iterable[PastIncident], verdicts: Mapping[str, str] | None = None
) -> list[Json]:
    """Return the open incidents, with their present verdicts by id where they are known, and the closed ones."""
    known = verdicts or {}
    return [*(open_incident_document(one, known.get(one.id)) for one in open_incidents), *map(past_incident_document, past)]


def past_incident_document(incident: PastIncident) -> Json:
    """Return one closed incident."""
    return {
        "id": incident.id,
        **target_document(incident.target),
        "state": "closed",
        "openedAt": incident.opened_at.isoformat(),
        "closedAt": incident.closed_at.isoformat(),
        "verdict": str(incident.verdict),
        "outcome": str(incident.outcome),
        "trigger": incident.trigger,
        "changes": list(incident.changes),
        "signals": incident.signals,
    }


def open_incident_document(incident: Incident, verdict: str | None) -> Json:
    """Return one open incident, which has no outcome yet. The verdict is the present one; None where it is not known."""
    return {
        "id": incident.id,
        **target_document(incident.target),
        "state": "waiting-for-approval" if incident.callback_id else "open",
        "openedAt": incident.opened_at.isoformat(),
        "closedAt": None,
        "verdict": verdict,
        "outcome": None,
        "trigger": str(incident.request.get("trigger", "")) or None,
        "changes": [],
        "signals": incident.signals,
    }


def _camel_case(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.title() for word in rest)
