"""The results of the workflow's steps. Each is frozen data; a durable execution stores it as a checkpoint.

The payload of each poll counts against the quota of the execution, so the state of a poll is a few hundred bytes: only the result that
ends a wait carries an assessment. A new field needs a default, so that an execution which began under an older version still reads its
checkpoints.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self

from lambdas.domain.assessment.summary import AssessmentSummary, Counts
from lambdas.domain.diagnosis.finding import READABLE_PRECONDITIONS, State
from lambdas.domain.incidents.details import CountSample, DeletedPod
from lambdas.domain.incidents.incident import Outcome
from lambdas.domain.verification import VerificationState
from lambdas.notifications.kind import NotificationKind


@dataclass(frozen=True, kw_only=True)
class StepResult:
    """The part that all results share. `at` is when the step ran; None in a placeholder for a step that has not run yet.

    `error` says why the outside did not answer; empty where it did.
    """

    at: datetime | None = None
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class AssessingResult(StepResult):
    """The part that the results of steps share which assess and may do so again. Such a step keeps its last assessment at most.

    `refuted` are the preconditions (numbers of links) that one of its assessments has read as wrong, and none as right since.
    """

    refuted: tuple[int, ...] = ()

    def refuted_after(self, summary: AssessmentSummary) -> tuple[int, ...]:
        """The refuted preconditions after one more assessment."""
        states = {link.link: link.state for link in summary.links}
        known = {link for link in self.refuted if states.get(link) is not State.OK}
        return tuple(sorted(known | {link for link in READABLE_PRECONDITIONS if states.get(link) is State.BROKEN}))


@dataclass(frozen=True, kw_only=True)
class AssessmentResult(AssessingResult):
    """The latest assessment, or None where an attempt failed or a poll goes on. With `error` set, the latest attempt failed.

    `signals` were counted before the assessment. `denials` is the number of successive assessments that could not log in to the cluster.
    `is_taken_over` means that the incident has another holder.
    """

    summary: AssessmentSummary | None = None
    signals: int = 0
    denials: int = 0
    is_taken_over: bool = False

    @property
    def is_current(self) -> bool:
        """Whether the latest attempt gave an answer."""
        return self.is_taken_over or (self.summary is not None and not self.error)


@dataclass(frozen=True, kw_only=True)
class WatchResult(AssessingResult):
    """Whether something has changed that a new iteration has to assess."""

    is_changed: bool = False


@dataclass(frozen=True, kw_only=True)
class ClaimResult(StepResult):
    """Whether the incident is ours; None where the table has not answered."""

    is_ours: bool | None = None


class ActionState(StrEnum):
    """How an action ended."""

    DONE = "done"
    BUSY = "busy"  # may succeed later
    CONFLICT = "conflict"  # the object has changed since the assessment
    REJECTED = "rejected"  # the API server or an admission policy allows no such change
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class ActionResult(StepResult):
    """The outcome of one action, and a message that says what was done or what prevented it.

    `deleted_pod` is a pod that the action deleted and that has no ready successor. `waited_for_update` is set once another update of the
    add-on was in progress: the plan is then out of date. `is_unanswered` says that a write got no answer, and nothing has shown since
    whether it took effect. `is_by_other` says that someone else has made the change: it is none of ours, except where a write of ours
    `is_unanswered` as well.
    """

    state: ActionState = ActionState.BUSY
    message: str = ""
    waited_for_update: bool = False
    is_unanswered: bool = False
    is_by_other: bool = False
    deleted_pod: DeletedPod | None = None


class CanaryState(StrEnum):
    """What is known of the pod that succeeds the canary."""

    WAITING = "waiting"
    HAS_ROLE = "has-role"
    NO_ROLE = "no-role"  # the webhook missed it, and each of its successors
    NOT_READY = "not-ready"
    NODE_LOST = "node-lost"


@dataclass(frozen=True, kw_only=True)
class CanaryResult(StepResult):
    """The state of the canary's successor after `checks` steps and `replacements` further deletions.

    `uid_without_role` is a pod that was admitted without the role and is replaced by the next step, unless the webhook is only late.
    """

    state: CanaryState = CanaryState.WAITING
    message: str = ""
    checks: int = 0
    replacements: int = 0
    uid_without_role: str = ""


class ReplacementState(StrEnum):
    """How far a rolling replacement is."""

    WAITING = "waiting"
    DONE = "done"
    STUCK = "stuck"
    OUTDATED = "outdated"  # the binding or the annotation has changed since the plan


@dataclass(frozen=True, kw_only=True)
class ReplacementResult(StepResult):
    """The progress of a rolling replacement.

    `goal` is the number of ready pods with the role that the next batch waits for; None before the first step. `began_at` is the time of
    the first step, and `progress_at` the time of the latest progress. `is_idle` says that the latest check found none.
    """

    state: ReplacementState = ReplacementState.WAITING
    message: str = ""
    goal: int | None = None
    began_at: datetime | None = None
    progress_at: datetime | None = None
    is_idle: bool = False


@dataclass(frozen=True, kw_only=True)
class VerificationResult(AssessingResult):
    """How far the verification is, and the changes of the counts so far: seconds since `began_at`, then the counts of a `CountSample`.

    `counts` are those of the latest assessment, which was made at `assessed_at`, and `progress_at` is when those that a repair moves last
    moved. Between two assessments the rollout of a large workload is followed by its status: `rollout` are the time and the missing steps
    of the first such look and of the latest. `summary` is the assessment that the verification rests on; None while it goes on. `signals`
    were counted before it.
    """

    state: VerificationState = VerificationState.WAITING
    sentence: str = ""
    summary: AssessmentSummary | None = None
    counts: Counts | None = None
    progress_at: datetime | None = None
    began_at: datetime | None = None
    samples: tuple[tuple[int, ...], ...] = ()
    assessed_at: datetime | None = None
    rollout: tuple[tuple[datetime, int], ...] = ()
    signals: int = 0

    @property
    def count_samples(self) -> tuple[CountSample, ...]:
        """The changes of the counts, with their times."""
        began_at = self.began_at
        if began_at is None:
            return ()
        return tuple(
            CountSample(at=began_at + timedelta(seconds=second), pods_with_role=role, pods=pods, nodes_ready=ready, nodes=nodes)
            for second, role, pods, ready, nodes in self.samples
        )


class DeliveryState(StrEnum):
    """What became of a message."""

    SENT = "sent"
    SKIPPED = "skipped"  # below the severity that the settings ask for
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class NotificationResult(StepResult):
    """Whether a message was delivered; `error` says why it was not."""

    state: DeliveryState = DeliveryState.FAILED

    @property
    def is_settled(self) -> bool:
        """Whether the message need not be sent again."""
        return self.state is not DeliveryState.FAILED


@dataclass(frozen=True, kw_only=True)
class CloseResult(StepResult):
    """Whether the incident is closed; None where the table has not answered.

    `assessed_at` (ISO time) and `signals` are those of the assessment that the next attempt closes with, where a signal came since the last
    one, and `is_healthy` says whether it found no fault.
    """

    is_closed: bool | None = None
    assessed_at: str = ""
    is_healthy: bool = False
    signals: int | None = None


@dataclass(frozen=True, kw_only=True)
class HandOverResult(StepResult):
    """Whether the next execution may be started; False where the incident has another holder, None where the table has not answered."""

    is_handed_over: bool | None = None


@dataclass(frozen=True, kw_only=True)
class RemediationResult:
    """How a remediation ended. `outcome` is None where the next execution or a person has taken the incident over."""

    incident: str
    target: str
    outcome: Outcome | None
    changes: tuple[str, ...] = ()


@dataclass(frozen=True)
class NotificationKey:
    """Identifies one notification of an incident; `str()` gives the key that the incident's row remembers, such as `2 reminder 1`."""

    iteration: int
    kind: NotificationKind
    part: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, (str(self.iteration), self.kind, self.part)))

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The inverse of `str()`. None where another version of the remediator stored a key that this one does not know."""
        iteration, kind, part = [*text.split(" ", 2), "", ""][:3]
        return cls(int(iteration), NotificationKind(kind), part) if iteration.isdecimal() and kind in set(NotificationKind) else None
