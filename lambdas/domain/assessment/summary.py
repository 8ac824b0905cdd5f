"""`AssessmentSummary`: the small form of snapshot, diagnosis and plan that checkpoints, log lines and messages hold."""

from dataclasses import dataclass

from lambdas.contract.parameters import ServiceAccountRef
from lambdas.contract.settings import Severity
from lambdas.domain.diagnosis.finding import Remedy
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.planning.actions import Action
from lambdas.domain.planning.plan_digest import plan_digest
from lambdas.domain.planning.planned_binding import PlannedBinding


@dataclass(frozen=True, kw_only=True)
class LinkSummary:
    """One link for a table: number, title, state and sentence, with evidence as `(subject, field, value, ISO time or "")`."""

    link: int
    title: str
    state: str
    sentence: str
    verdict: str = ""
    evidence: tuple[tuple[str, str, str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Counts of pods and nodes. `errors_…` count permission errors of pods with and without the role.

    `pods` are reachable pods. `pods_lost` are on lost nodes and in no other count; `nodes_lost` are part of `nodes`. `pods_wanted` is the
    number that the workload requests. `pods_not_starting` have the role; pods without it have a known cause.
    """

    pods: int = 0
    pods_right: int = 0
    pods_ready: int = 0
    pods_deleting: int = 0
    pods_lost: int = 0
    nodes: int = 0
    nodes_ready: int = 0
    nodes_waiting: int = 0
    nodes_lost: int = 0
    errors_with_role: int = 0
    errors_without_role: int = 0
    pods_not_starting: int = 0
    rolled_out: bool = True
    pods_wanted: int = 0


@dataclass(frozen=True, kw_only=True)
class BlockedSummary:
    """One blocked link: number, reason, sentence, and the ISO time at which the reason ends or ""."""

    link: int
    reason: str
    sentence: str
    until: str = ""


@dataclass(frozen=True, kw_only=True)
class ActorSummary:
    """Who made the change that caused the check, what they called, with which client, and when (ISO time or "")."""

    who: str
    what: str = ""
    agent: str = ""
    at: str = ""


@dataclass(frozen=True, kw_only=True)
class ClusterSummary:
    """The cluster. Only `name` is known where the cluster could not be read; the dates of the end of support are ISO times or ""."""

    name: str
    version: str = ""
    region: str = ""
    status: str = ""
    standard_until: str = ""
    extended_until: str = ""


@dataclass(frozen=True, kw_only=True)
class AddonSummary:
    """The EKS add-on. `default` and `latest` are versions for the cluster's Kubernetes version, empty where they are not known."""

    name: str
    version: str
    status: str = ""
    role: str = ""
    default: str = ""
    latest: str = ""


@dataclass(frozen=True, kw_only=True)
class TimeLimits:
    """The settings that the workflow waits by, in seconds. They are those of the assessment, so that a replay waits as long."""

    approval_timeout_s: int
    verification_timeout_s: int
    update_timeout_s: int
    node_grace_s: int


@dataclass(frozen=True, kw_only=True)
class AssessmentSummary:
    """The results of an assessment as texts and numbers. Times are ISO text in UTC; empty text means unknown or none.

    `owner` is the field manager that wrote the role annotation at `owner_at`. Without an annotation it is the last recorded writer of
    the
    ServiceAccount, and `owner_annotated` is false: the API server does not record who removed an annotation. `unproven` names what was
    not
    shown about the role; only where it is empty may a message say that the role is not the cause. `unproven_calls` are the needed calls
    that are not shown to be allowed or refused; `later_calls` are those of them that a pod does not make at its start.
    `refusals` are sentences about refused calls that no broken link has as evidence.
    """

    target: str
    began_at: str
    verdict: Verdict
    verdicts: tuple[str, ...]
    severity: Severity
    sentence: str
    links: tuple[LinkSummary, ...]
    counts: Counts
    cluster: ClusterSummary
    time_limits: TimeLimits
    actions: tuple[Action, ...] = ()
    proposed: tuple[Action, ...] = ()
    blocked: tuple[BlockedSummary, ...] = ()
    remedies: tuple[Remedy, ...] = ()
    wait: str = ""
    needs_approval: bool = False
    desired_role: str = ""
    annotation: str = ""
    binding_path: str = ""
    binding_version: int = 0
    owner: str = ""
    owner_at: str = ""
    owner_annotated: bool = False
    actor: ActorSummary | None = None
    addon: AddonSummary | None = None
    repair_deadline: str = ""
    warnings: tuple[str, ...] = ()
    corrected_trust: str = ""
    notify_from: Severity = Severity.WARNING
    unproven: tuple[str, ...] = ()
    unproven_calls: tuple[str, ...] = ()
    later_calls: tuple[str, ...] = ()
    refusals: tuple[str, ...] = ()

    @property
    def is_healthy(self) -> bool:
        """Whether no link is broken. The verdict `healthy` says more: every link was read and holds."""
        return not self.verdicts

    @property
    def planned_binding(self) -> PlannedBinding:
        """The binding that the plan was made from."""
        return PlannedBinding(
            path=self.binding_path, version=self.binding_version, role_arn=self.desired_role, needs_approval=self.needs_approval
        )

    @property
    def is_role_cleared(self) -> bool:
        """Whether the assessment shows that the role is not the cause of what fails."""
        return not self.unproven

    @property
    def plan_digest(self) -> str:
        """The digest of the plan, to which an approval is bound."""
        return plan_digest(self.target, self.planned_binding, self.actions)

    @property
    def service_account(self) -> ServiceAccountRef:
        """The ServiceAccount that was assessed."""
        return ServiceAccountRef.from_key(self.target)
