"""One row of a fleet: the assessment of a ServiceAccount, where it runs, and what the next update of the add-on does to its role."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from cli.queries.fleet_state import FleetState
from lambdas.domain.diagnosis.call_needs import ReleaseNeeds
from lambdas.domain.diagnosis.workload_needs import installed_version, needs, release_warning
from preflight import rules
from preflight.rules import Level

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from cli.queries.assessment import TargetAssessment
    from preflight.cluster import ClusterReport


class UpgradeRisk(StrEnum):
    """What an update of the vpc-cni add-on to its default version does to the role of aws-node, worst first."""

    LOSES_ROLE = "loses-role"
    FAILS = "fails"
    UNKNOWN = "unknown"
    NO_ROLE = "no-role"
    KEEPS_ROLE = "keeps-role"


_LOSING: Final = frozenset({rules.RECORD_WITHOUT_ROLE, rules.RECORD_DIFFERS})


def upgrade_risk(report: ClusterReport) -> UpgradeRisk:
    """Return the gravest effect that the findings of a report on the next update show."""
    levels = {finding.level for finding in report.findings}
    found = {finding.rule for finding in report.findings}
    if found & _LOSING:
        return UpgradeRisk.LOSES_ROLE
    if Level.ERROR in levels:
        return UpgradeRisk.FAILS
    if Level.UNKNOWN in levels:
        return UpgradeRisk.UNKNOWN
    return UpgradeRisk.NO_ROLE if found & {rules.NO_ROLE, rules.ADDON_ABSENT} else UpgradeRisk.KEEPS_ROLE


@dataclass(frozen=True, kw_only=True)
class FleetMember:
    """One ServiceAccount of a fleet. `upgrade` is None for other workloads than aws-node, and where nothing could be read.

    `options` are those that another command needs to work on this account and region.
    """

    account: str
    region: str
    assessment: TargetAssessment
    upgrade: ClusterReport | None = None
    options: str = ""

    @property
    def cluster(self) -> str:
        """The name of the cluster."""
        return self.assessment.target.cluster

    @property
    def next_command(self) -> str:
        """The command that shows what a repair would change, or every link where the state is not known."""
        verb = "plan" if self.state is FleetState.BROKEN else "check"
        return " ".join(filter(None, (f"irsa-remediator {verb} {self.cluster}", self.options)))

    @property
    def service_account(self) -> str:
        """The ServiceAccount as `namespace/name`."""
        return f"{self.assessment.target.namespace}/{self.assessment.target.name}"

    @property
    def state(self) -> FleetState:
        """Broken, unknown or sound."""
        return FleetState.of(self.assessment.exit_code)

    @property
    def verdict(self) -> str:
        """The verdict; empty where there is no assessment."""
        return str(self.assessment.summary.verdict) if self.assessment.summary else ""

    @property
    def sentence(self) -> str:
        """What is broken, or why there is no assessment."""
        return self.assessment.summary.sentence if self.assessment.summary else self.assessment.failure

    @property
    def kubernetes(self) -> str:
        """The Kubernetes version; empty where it is not known."""
        return self.assessment.summary.cluster.version if self.assessment.summary else ""

    @property
    def addon(self) -> str:
        """The version in the add-on record; empty where there is none, or where it is not known."""
        addon = self.assessment.summary.addon if self.assessment.summary else None
        return addon.version if addon else ""

    @property
    def addon_name(self) -> str:
        """The name of the add-on; empty where there is none, or where it is not known."""
        addon = self.assessment.summary.addon if self.assessment.summary else None
        return addon.name if addon else ""

    @property
    def needed_calls(self) -> tuple[str, ...]:
        """The AWS calls that the installed release requires in this cluster; empty where they are not known."""
        found = needs(self.assessment.snapshot) if self.assessment.snapshot else None
        return found.required if isinstance(found, ReleaseNeeds) else ()

    @property
    def mode(self) -> str:
        """The mode in force; empty where it is not known."""
        return str(self.assessment.snapshot.settings.mode) if self.assessment.snapshot else ""

    @property
    def risk(self) -> UpgradeRisk | None:
        """What the next update does to the role; None where no report was made."""
        return upgrade_risk(self.upgrade) if self.upgrade else None

    @property
    def risk_sentence(self) -> str:
        """The finding that decides the risk of the next update; empty where there is none."""
        findings = self.upgrade.findings if self.upgrade else ()
        return next((finding.message for finding in findings if finding.level in (Level.ERROR, Level.UNKNOWN)), "")

    @property
    def release_warning(self) -> str:
        """What is known against the installed release in this cluster; empty where there is nothing."""
        snapshot = self.assessment.snapshot
        return release_warning(snapshot, installed_version(snapshot)) if snapshot else ""


def worst_first(members: Iterable[FleetMember]) -> list[FleetMember]:
    """Return the members by state, then by severity, then by place and name."""
    return sorted(members, key=_rank)


def _rank(member: FleetMember) -> tuple[int, int, str, str, str, str]:
    summary = member.assessment.summary
    severity = -summary.severity.rank if summary else 0
    return list(FleetState).index(member.state), severity, member.account, member.region, member.cluster, member.service_account


def listed_members(members: Iterable[FleetMember], only: Collection[FleetState], *, with_sound: bool) -> list[FleetMember]:
    """Return the members to list: those in the named states, else the faulty ones and, on request, those without a fault."""
    states = set(only) or set(FleetState) - (set() if with_sound else {FleetState.SOUND})
    return [member for member in members if member.state in states]
