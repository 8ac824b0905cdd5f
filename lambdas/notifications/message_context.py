"""The data that a message is written from."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from lambdas.contract.settings import Severity
from lambdas.domain.assessment.summary import AssessmentSummary, BlockedSummary
from lambdas.domain.diagnosis.finding import READABLE_PRECONDITIONS, State
from lambdas.domain.diagnosis.role_clearance import REQUIRED
from lambdas.domain.diagnosis.verdict import REPAIRABLE, Verdict
from lambdas.domain.incidents.details import DeletedPod, TimelineEntry
from lambdas.domain.incidents.incident import Incident
from lambdas.domain.planning.actions import DONE, UpdateAddonRole
from lambdas.domain.planning.plan import BlockReason
from lambdas.notifications.kind import NotificationKind
from lambdas.notifications.time_text import moment

_ON_PODS: Final = frozenset(map(str, REPAIRABLE - {Verdict.ADDON_ROLE_MISSING, Verdict.ANNOTATION_UNCLAIMED}))


@dataclass(frozen=True, kw_only=True)
class ApprovalAnswer:
    """The answer to an approval request. `by` is an IAM ARN, a user name, or empty where the channel does not name the person.

    `plan` is the digest of the plan that the person has seen. An approval of another plan, or of none, approves nothing.
    """

    approved: bool
    plan: str = ""
    by: str = ""
    timed_out: bool = False


@dataclass(frozen=True, kw_only=True)
class MessageContext:
    """One notification about one incident.

    `first` is the assessment that opened the incident, `current` the latest one. `changes` are the kinds of the applied actions, in order,
    and `unanswered` those of them whose write got no answer, so that it is not known whether they took effect.
    `verification` says what verified the repair, `trouble` says what failed; both are sentences, empty where the notification has none.
    `deleted_pod` is a pod that the remediator deleted and that has no ready successor. `is_verified` says that the latest repair was
    verified. `has_begun_repair` says that a repair has begun, which a crash may have kept from recording its changes. `latest_at` is the
    time of the workflow's latest step, which may be later than the assessment.
    """

    kind: NotificationKind
    incident: Incident
    current: AssessmentSummary
    first: AssessmentSummary
    timeline: tuple[TimelineEntry, ...] = ()
    changes: tuple[str, ...] = ()
    unanswered: tuple[str, ...] = ()
    signals: int = 0
    verification: str = ""
    trouble: str = ""
    answer: ApprovalAnswer | None = None
    deleted_pod: DeletedPod | None = None
    is_verified: bool = False
    has_begun_repair: bool = False
    latest_at: datetime | None = None

    @property
    def change_texts(self) -> tuple[str, ...]:
        """The changes as texts, each kind once."""
        return tuple(
            f"{DONE.get(kind, kind)}{' (no answer: not known whether it took effect)' if kind in self.unanswered else ''}"
            for kind in dict.fromkeys(self.changes)
        )

    @property
    def fault(self) -> AssessmentSummary:
        """The latest assessment with a broken link, as far as it is known."""
        return self.first if self.current.is_healthy or self.is_over else self.current

    @property
    def is_fault_former(self) -> bool:
        """Whether the fault is gone from the latest assessment, though the incident is not over: it was not verified."""
        return self.current.is_healthy and not self.is_over

    @property
    def is_part_left(self) -> bool:
        """Whether a person has to change a part that the repair does not change."""
        return any(blocked.reason == BlockReason.NEEDS_PERSON for blocked in self.current.blocked)

    @property
    def unread_preconditions(self) -> tuple[str, ...]:
        """Which of role, OIDC provider and trust policy the latest assessment could not read."""
        unread = {link.link for link in self.current.links if link.state == State.UNKNOWN}
        return tuple(REQUIRED[link] for link in READABLE_PRECONDITIONS if link in unread)

    @property
    def cluster(self) -> str:
        """The name of the cluster."""
        return self.incident.target.cluster

    @property
    def workload(self) -> str:
        """The name of the ServiceAccount, by which users know the workload."""
        return self.incident.target.name

    @property
    def at(self) -> datetime | None:
        """The time at which the latest assessment began."""
        return moment(self.current.began_at)

    @property
    def short_id(self) -> str:
        """A prefix of the incident's id that is long enough to find the incident."""
        return self.incident.id[:8]

    @property
    def is_over(self) -> bool:
        """Whether the incident ends with this notification: verified or recovered."""
        return self.kind in (NotificationKind.VERIFIED, NotificationKind.RECOVERED)

    @property
    def is_failing(self) -> bool:
        """Whether something fails now. A fault can also be latent: it fails with the next pod or the next add-on update."""
        counts = self.fault.counts
        nodes = counts.nodes_ready + counts.nodes_lost < counts.nodes  # no role brings a lost node back
        lacks_pods = bool({Verdict.PODS_NOT_CREATED, Verdict.PODS_STUCK} & set(self.fault.verdicts))
        symptoms = (counts.pods_ready < counts.pods, nodes, counts.errors_with_role, counts.errors_without_role, lacks_pods)
        return self.deleted_pod is not None or (self.fault.severity is Severity.CRITICAL and any(symptoms))

    @property
    def severity(self) -> Severity:
        """The severity of the fault; critical where our own deletion left a node or workload without a pod."""
        return Severity.CRITICAL if self.deleted_pod else self.fault.severity

    @property
    def is_identity_broken(self) -> bool:
        """Whether pods lack the role now or lack it after their next start. A wrong add-on record alone does not count."""
        return any(verdict in _ON_PODS for verdict in self.fault.verdicts)

    @property
    def has_changed_identity(self) -> bool:
        """Whether we have changed more than the add-on record. The fault that opened the incident may be another one than was repaired."""
        return bool(set(self.changes) - {UpdateAddonRole.kind})

    @property
    def has_pods_with_role(self) -> bool:
        """Whether at least one pod carries the desired role. False where no desired role is known."""
        return bool(self.fault.desired_role) and self.fault.counts.pods_right > 0

    @property
    def has_role_on_all_pods(self) -> bool:
        """Whether every pod carries the desired role."""
        return self.has_pods_with_role and self.fault.counts.pods_right == self.fault.counts.pods

    @property
    def main_blocker(self) -> BlockedSummary | None:
        """The first reason that blocks the repair; None where nothing blocks it."""
        blockers = (blocked for blocked in self.current.blocked if blocked.reason != BlockReason.CONSEQUENCE)
        return next(blockers, None)
