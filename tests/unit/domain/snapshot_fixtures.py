"""Snapshots that differ from a healthy one by a few facts."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from lambdas.contract.settings import Settings
from lambdas.domain.assessment.summary import AssessmentSummary
from lambdas.domain.assessment.summary_builder import summarize
from lambdas.domain.diagnosis.identity_chain import Diagnosis, diagnose
from lambdas.domain.incidents.incident import Outcome, PastIncident
from lambdas.domain.planning.plan import Plan
from lambdas.domain.planning.planner import plan
from lambdas.domain.planning.policies import RepairHistory
from lambdas.domain.snapshot.snapshot import AddonFacts, Binding, ClusterFacts, PluginError, PodFacts, Snapshot, WorkloadFacts
from tests.unit.notifications.snapshots import CNI, NOW, healthy_snapshot

BORN = NOW - timedelta(days=20)
"""Creation time of the pods in these snapshots: before the last write of the annotation."""
OTHER_ROLE = "arn:aws:iam::111122223333:role/other"


def snapshot_with(base: Snapshot | None = None, **changes: Any) -> Snapshot:
    """A healthy snapshot with these changes."""
    return replace(base or healthy_snapshot(), **changes)


def addon(**changes: Any) -> AddonFacts:
    found = healthy_snapshot().addon
    assert isinstance(found, AddonFacts)
    return replace(found, **changes)


def cluster(**changes: Any) -> ClusterFacts:
    found = healthy_snapshot().cluster
    assert isinstance(found, ClusterFacts)
    return replace(found, **changes)


def binding(**changes: Any) -> Binding:
    found = healthy_snapshot().binding
    assert isinstance(found, Binding)
    return replace(found, **changes)


def workload(**changes: Any) -> WorkloadFacts:
    found = healthy_snapshot().workload
    assert isinstance(found, WorkloadFacts)
    return replace(found, **changes)


def some_pods(*roles: str | None, **changes: Any) -> tuple[PodFacts, ...]:
    """One pod for each role, the first one the oldest, each on the node of its number."""
    found = healthy_snapshot().pods
    assert isinstance(found, tuple)
    return tuple(replace(found[i], role_arn=role, created_at=BORN + timedelta(minutes=i), **changes) for i, role in enumerate(roles))


def errors(*pods: str, call: str = "ec2:CreateNetworkInterface", ago: timedelta = timedelta(seconds=5)) -> tuple[PluginError, ...]:
    return tuple(PluginError(call=call, pod=pod, at=NOW - ago) for pod in pods)


def settings(**changes: Any) -> Settings:
    return replace(Settings(), **changes)


def repaired(ago: timedelta, *changes: str) -> PastIncident:
    """A repair that was closed that long ago; of the annotation by default."""
    at = NOW - ago
    return PastIncident(
        id=f"past-{ago}",
        target=CNI,
        opened_at=at,
        closed_at=at,
        outcome=Outcome.VERIFIED,
        verdict="annotation-missing",
        trigger="sweep",
        changes=changes or ("annotate-service-account",),
        signals=1,
    )


def diagnose_and_plan(snapshot: Snapshot, past: RepairHistory | None = None) -> tuple[Diagnosis, Plan]:
    """The diagnosis of a snapshot, and the plan."""
    found = diagnose(snapshot)
    return found, plan(snapshot, found, past or RepairHistory())


def summary_of(snapshot: Snapshot, past: RepairHistory | None = None) -> AssessmentSummary:
    """The summary of the assessment of this snapshot."""
    return summarize(snapshot, *diagnose_and_plan(snapshot, past))


def planned(snapshot: Snapshot, past: RepairHistory | None = None) -> Plan:
    return diagnose_and_plan(snapshot, past)[1]


def kinds(made: Plan) -> list[str]:
    return [action.kind for action in made.actions]
