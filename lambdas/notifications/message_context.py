"""What a message is written from: the workflow's story, read once and tolerantly."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from lambdas.contract.settings import Severity
from lambdas.domain.assessment.summary import AssessmentSummary, BlockedSummary, summary_from_json
from lambdas.domain.diagnosis.verdict import REPAIRABLE, Verdict
from lambdas.domain.incidents.incident import Incident
from lambdas.domain.planning.plan import BlockReason
from lambdas.notifications.kind import NotificationKind
from lambdas.notifications.time_text import moment

_ON_PODS: Final = frozenset(map(str, REPAIRABLE - {Verdict.ADDON_ROLE_MISSING}))


@dataclass(frozen=True, kw_only=True)
class Told:
    """One occasion of one incident. `fault` is the latest look that shows something broken, `now` the latest one of all."""

    kind: NotificationKind
    incident: Incident
    now: AssessmentSummary
    fault: AssessmentSummary
    lines: tuple[Mapping[str, Any], ...]
    changes: tuple[str, ...]
    proof: str = ""
    trouble: str = ""
    answer: Mapping[str, Any]

    @property
    def cluster(self) -> str:
        """The cluster's name."""
        return self.incident.target.cluster

    @property
    def workload(self) -> str:
        """What people call the workload: its ServiceAccount's name."""
        return self.incident.target.name

    @property
    def at(self) -> datetime | None:
        """When the latest look began."""
        return moment(self.now.began_at)

    @property
    def short_id(self) -> str:
        """Enough of the incident's id to find it again."""
        return self.incident.id[:8]

    @property
    def ended(self) -> bool:
        """Whether nothing is left to be repaired."""
        return self.kind in (NotificationKind.PROVEN, NotificationKind.RECOVERED)

    @property
    def failing(self) -> bool:
        """Whether something fails already, as against what would fail one day."""
        counts = self.fault.counts
        nodes = counts.nodes_ready + counts.nodes_lost < counts.nodes  # no role brings a lost node back
        symptoms = (counts.pods_ready < counts.pods, nodes, counts.errors_with_role, counts.errors_without_role)
        return self.fault.severity is Severity.CRITICAL and any(symptoms)

    @property
    def identity_broken(self) -> bool:
        """Whether pods lack their role now or with their next start, not only after the next update of the add-on."""
        return any(verdict in _ON_PODS for verdict in self.fault.verdicts)

    @property
    def some_carry_it(self) -> bool:
        """Whether at least one pod was admitted with the role; without a role to compare with, none was."""
        return bool(self.fault.desired_role) and self.fault.counts.pods_right > 0

    @property
    def all_carry_it(self) -> bool:
        """Whether every pod was."""
        return self.some_carry_it and self.fault.counts.pods_right == self.fault.counts.pods

    @property
    def held(self) -> BlockedSummary | None:
        """The weightiest reason that keeps us from acting; None where nothing does."""
        ours = (blocked for blocked in self.now.withheld if blocked.reason != BlockReason.CONSEQUENCE)
        return next(ours, None)


def read_story(kind: NotificationKind, about: Mapping[str, Any], incident: Incident) -> Told:
    """The story of an incident as of now."""
    now = summary_from_json(about["look"])
    first = summary_from_json(about["first"]) if about.get("first") else now
    return Told(
        kind=kind,
        incident=incident,
        now=now,
        fault=first if now.sound or kind in (NotificationKind.PROVEN, NotificationKind.RECOVERED) else now,
        lines=tuple(about.get("lines") or ()),
        changes=tuple(map(str, about.get("changes") or ())),
        proof=str(about.get("proof") or ""),
        trouble=str(about.get("trouble") or ""),
        answer=about.get("answer") or {},
    )
