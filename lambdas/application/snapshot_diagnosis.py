"""The snapshot of one ServiceAccount and its diagnosis. A healthy check ends here, so this module imports no planning."""

from datetime import datetime

from lambdas.application.readers import Hints, Readers
from lambdas.application.snapshot_collection import add_guards, add_symptoms, collect_snapshot
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.contract.settings import GuardSetting
from lambdas.domain.diagnosis.finding import Link, State
from lambdas.domain.diagnosis.identity_chain import Diagnosis, diagnose
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.snapshot.snapshot import PodFacts, Snapshot, WorkloadFacts


def collect_and_diagnose(
    target: ServiceAccountRef, readers: Readers, now: datetime, hints: Hints, *, symptoms: bool, guards: bool
) -> tuple[Snapshot, Diagnosis]:
    """The snapshot and its diagnosis. Nodes and events are read if `symptoms` is set, or if the other facts show a fault.

    With `guards`, or after a guard kept the role, guard and warning are read too where there is no fault, since they explain none.
    """
    snapshot = collect_snapshot(target, readers, now, hints)
    diagnosis = None if symptoms else diagnose(snapshot)
    if diagnosis is None or _needs_symptoms(snapshot, diagnosis):
        snapshot = add_symptoms(snapshot, readers)
        diagnosis = diagnose(snapshot)
    is_asked = guards or diagnosis.verdict is Verdict.ROLE_KEPT
    return _add_guards(snapshot, diagnosis, readers) if is_asked else (snapshot, diagnosis)


def _needs_symptoms(snapshot: Snapshot, diagnosis: Diagnosis) -> bool:
    return not diagnosis.is_healthy or diagnosis[Link.WORKLOAD].state is not State.OK or _has_failing_pods(snapshot)


def _add_guards(snapshot: Snapshot, diagnosis: Diagnosis, readers: Readers) -> tuple[Snapshot, Diagnosis]:
    """The snapshot with the guard and the warning, and its diagnosis; unchanged where another fault comes first."""
    if not diagnosis.is_healthy and diagnosis.verdict is not Verdict.ROLE_KEPT:
        return snapshot, diagnosis
    snapshot = add_guards(snapshot, readers)
    is_silent = snapshot.guards == () and snapshot.settings.guard is GuardSetting.OPTIONAL
    return snapshot, diagnosis if is_silent else diagnose(snapshot)


def _has_failing_pods(snapshot: Snapshot) -> bool:
    """Whether a pod is not ready, exceeds its grace period, or is missing."""
    if not isinstance(snapshot.pods, tuple):
        return False
    is_short = isinstance(snapshot.workload, WorkloadFacts) and len(snapshot.pods) < snapshot.workload.desired
    return is_short or any(_exceeds_grace(pod, snapshot.began_at) if pod.deleting else not pod.ready for pod in snapshot.pods)


def _exceeds_grace(pod: PodFacts, now: datetime) -> bool:
    return pod.deleting_since is not None and pod.deleting_since < now
