"""Known bugs, injected into the environment or the product, which the search must find."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from lambdas.application.check import check_loop, incident_handover, pipeline
from lambdas.application.check.results import CheckHandedOver, SignalCounted
from lambdas.application.remediation.results import ClaimResult, CloseResult, VerificationResult
from lambdas.application.remediation.steps.remediation_steps import RemediationSteps
from lambdas.domain.incidents import check_lease, incident
from tests import fakes
from tests.chaos.protocol.actors import forget
from tests.chaos.protocol.programs import at
from tests.chaos.protocol.search_cases import TICK, SearchCase
from tests.chaos.protocol.shared_state import Rules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from lambdas.application.check.dependencies import CheckDependencies
    from lambdas.contract.parameters import ServiceAccountRef
    from lambdas.domain.assessment.summary import AssessmentSummary
    from lambdas.domain.incidents.incident import IdleState, Incident, NodesState, PastIncident


class ClosesWhateverCame(fakes.FakeIncidents):
    """`close` without the condition on the number of signals."""

    def close(self, past: PastIncident, seen_signals: int, healthy_since: datetime | None) -> bool:
        return super().close(past, seen_signals + 1000, healthy_since)


class ClaimsOver(fakes.FakeIncidents):
    """`claim` without the condition that no incident is open."""

    def claim(self, incident: Incident) -> Incident:
        return self._open(self._row(incident.target), incident)


class TakesOverAnybody(fakes.FakeIncidents):
    """`take_over` without the condition that no other actor began to act."""

    def take_over(self, ended: Incident, successor: Incident) -> Incident:
        there = self._row(successor.target).incident
        return super().take_over(replace(ended, repairing=there.repairing) if there else ended, successor)


class LetsAnybodyAct(fakes.FakeIncidents):
    """`mark_acting` without the condition that the incident is the caller's."""

    def mark_repairing(self, incident: Incident, repairing: bool) -> bool:
        super().mark_repairing(incident, repairing)
        return True


class RemembersTheEnd(fakes.FakeIncidents):
    """A healthy check is recorded with the time of its end instead of its start."""

    def finish_check(
        self, target: ServiceAccountRef, state: IdleState, began_at: datetime, nodes: NodesState | None = None
    ) -> IdleState | None:
        return super().finish_check(target, state, max(began_at, at(2 * TICK)), nodes)


class EndsWhateverCame(fakes.FakeIncidents):
    """`finish` without the condition on the number of signals."""

    def finish_check(
        self, target: ServiceAccountRef, state: IdleState, began_at: datetime, nodes: NodesState | None = None
    ) -> IdleState | None:
        return super().finish_check(target, replace(state, signals=1000), began_at, nodes)


class GoesWhileSignalsWait(fakes.FakeIncidents):
    """`finish` does not report new signals, so a check ends while it holds the lease."""

    def finish_check(
        self, target: ServiceAccountRef, state: IdleState, began_at: datetime, nodes: NodesState | None = None
    ) -> IdleState | None:
        super().finish_check(target, state, began_at, nodes)
        return None


class RecordsLateStarts(fakes.FakeIncidents):
    """`mark_started` without the condition that no later execution follows."""

    def mark_started(self, incident: Incident, execution_arn: str) -> None:
        self._change(incident, started=True, execution_arn=execution_arn)


def _always_dead(*_: object) -> bool:
    return False


_assess_repair = RemediationSteps._assess_repair


def _counts_after_verifying(steps: RemediationSteps, before: AssessmentSummary, former: VerificationResult) -> VerificationResult:
    result, incident = _assess_repair(steps, before, former), steps.incidents.get(steps.incident.target)
    return replace(result, signals=incident.signals if incident else 0)


def _counts_without_assessing(steps: RemediationSteps, _outcome: object, former: CloseResult) -> CloseResult:
    incident = steps.incidents.get(steps.incident.target)
    return replace(former, signals=incident.signals if incident else 0)


def _claims_without_asking(_steps: RemediationSteps, _former: ClaimResult, *, repairing: bool) -> ClaimResult:
    return ClaimResult(is_ours=True)


def _requests_no_check(target: ServiceAccountRef, _request: object, state: IdleState, dependencies: CheckDependencies) -> CheckHandedOver:
    dependencies.incidents.release_check(target, state)
    return CheckHandedOver()


def _leaves_it_unstarted(incident: Incident, *_: object) -> SignalCounted:
    return SignalCounted(incident_id=incident.id, signals=incident.signals)


@dataclass(frozen=True)
class InjectedBug:
    """A fault, and a story in which it shows. `says` is in the promise's words; `long`: many states come before that."""

    search_case: SearchCase
    says: str
    rules: Rules = field(default_factory=Rules)
    patched: tuple[Any, str, Callable[..., Any]] | None = None
    long: bool = False

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """While the context is entered, the product has the bug. The caches of the search are cleared before and after."""
        forget()
        try:
            if self.patched is None:
                yield
            else:
                owner, name, fault = self.patched
                with patch.object(owner, name, fault):
                    yield
        finally:
            forget()


INJECTED_BUGS = {
    "an incident is closed whatever came meanwhile": InjectedBug(
        SearchCase(("break", "event")), "were lost", Rules(incidents=ClosesWhateverCame)
    ),
    "an execution is started twice": InjectedBug(SearchCase(("break", "event")), "at once", Rules(idempotent_start=False)),
    "a claim replaces an open incident": InjectedBug(SearchCase(("break", "tick", "event")), "did not hold", Rules(incidents=ClaimsOver)),
    "a running execution is taken over by the sweep": InjectedBug(
        SearchCase(("break", "sweep")), "did not hold", patched=(incident_handover, "_is_held", _always_dead)
    ),
    "a person takes over what has begun to act": InjectedBug(
        SearchCase(("hold", "break", "person", "lift")), "did not hold", Rules(incidents=TakesOverAnybody)
    ),
    "the remediator acts on what was taken over": InjectedBug(
        SearchCase(("hold", "break", "person", "lift")), "did not hold", Rules(incidents=LetsAnybodyAct)
    ),
    "signals are counted after the verification": InjectedBug(
        SearchCase(("break", "event")), "were lost", patched=(RemediationSteps, "_assess_repair", _counts_after_verifying)
    ),
    "signals are counted at the close, and not read": InjectedBug(
        SearchCase(("break", "event")), "were lost", patched=(RemediationSteps, "_assess_before_closing", _counts_without_assessing)
    ),
    "the remediator acts without asking whose the incident is": InjectedBug(
        SearchCase(("hold", "break", "person", "lift")),
        "did not hold",
        patched=(RemediationSteps, "_mark_repairing", _claims_without_asking),
    ),
    "a check goes while signals wait": InjectedBug(
        SearchCase(("event", "break")), "keeps the lease", Rules(incidents=GoesWhileSignalsWait)
    ),
    "a check ends whatever came meanwhile": InjectedBug(SearchCase(("event", "break")), "were lost", Rules(incidents=EndsWhateverCame)),
    "a check that died is never relieved": InjectedBug(
        SearchCase(("break",), crashes=1), "after 3 sweeps", patched=(check_lease, "is_lease_expired", _always_dead)
    ),
    "a check that hands over asks nobody": InjectedBug(
        SearchCase(("event", "event", "while", "break")), "were lost", patched=(check_loop, "_hand_over", _requests_no_check), long=True
    ),
    "a sound check counts as of its end": InjectedBug(
        SearchCase(("event", "tick", "break")), "were lost", Rules(incidents=RemembersTheEnd)
    ),
    "a signal does not start what was never started": InjectedBug(
        SearchCase(("break",), crashes=1), "after 3 sweeps", patched=(pipeline, "handle_counted_signal", _leaves_it_unstarted)
    ),
    "a late start is recorded for the next execution": InjectedBug(
        SearchCase(("hold", "break", "lift"), hands_over=True), "left open", Rules(incidents=RecordsLateStarts)
    ),
    "event times are taken as exact": InjectedBug(
        SearchCase(("event", "moment", "break")), "were lost", patched=(incident, "is_answer", lambda began, occurred: began >= occurred)
    ),
}
