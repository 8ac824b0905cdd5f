"""Carries out a migration: one step after the other, each from a fresh reading, until nothing is left or something does not work."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING, Final, assert_never

from cli.errors import CommandError
from cli.queries.migration import (
    Migration,
    MigrationStep,
    StepKind,
    binding_value,
    next_deletions,
    opposite,
    read_migration,
    retired_trust,
)
from lambdas.application.remediation.steps.history import IncidentRecord, past_incident
from lambdas.application.remediation.steps.write_check import CHANGING
from lambdas.contract.names import ROLE_ANNOTATION
from lambdas.contract.parameters import Mechanism, binding_path
from lambdas.domain.assessment.summary_builder import summarize
from lambdas.domain.diagnosis.finding import Link
from lambdas.domain.errors import Conflict, NotFound, RemediatorError, TransientError
from lambdas.domain.incidents.details import TimelineEntry, TimelineEvent
from lambdas.domain.incidents.incident import Outcome
from lambdas.domain.planning.plan import Plan
from lambdas.domain.snapshot.bindings import desired_settings
from lambdas.domain.snapshot.snapshot import AddonFacts, Binding, ClusterFacts, RoleFacts, ServiceAccountFacts, WorkloadFacts

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.clients.dependencies import Dependencies
    from lambdas.contract.parameters import ServiceAccountRef
    from lambdas.domain.assessment.summary import AssessmentSummary
    from lambdas.domain.incidents.incident import Incident
    from lambdas.domain.ports import ClusterPort

SETTLE_S: Final = 15
"""Time before an association is created or deleted. By then IAM knows a new trust policy everywhere, and the webhook a new annotation.

The time is chosen: both are eventually consistent, without a documented bound. It passes in every run, since a run that was killed may
have changed them moments ago.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
"""
POLL_S: Final = 2
AGENT_POLL_S: Final = 10
PODS_TIMEOUT: Final = timedelta(minutes=10)
"""Time without progress after which the replacement of pods has failed."""
MAX_CANARIES: Final = 3
"""Pods that may start without the new mechanism before the replacement stops: the webhook learns of an association with some delay."""
MAX_READS: Final = 5
"""Attempts of a reading that is throttled or gets no answer, `POLL_S` apart."""
RECORD_TIMEOUT: Final = timedelta(minutes=15)


class MigrationRun:
    """One run for one ServiceAccount. `report` gets each step with its state; `renew` raises where another holder took over."""

    def __init__(
        self,
        target: ServiceAccountRef,
        to: Mechanism,
        dependencies: Dependencies,
        *,
        report: Callable[[str, str], None],
        renew: Callable[[], None],
    ) -> None:
        self._target, self._to, self._dependencies = target, to, dependencies
        self._report, self._renew = report, renew
        self._canaries = 0
        self.replaced_pods = 0
        self._skipped: frozenset[StepKind] = frozenset()
        self.notes: list[str] = []

    def apply_trust(self, planned: Migration) -> None:
        """Set the trust policy as it was shown.

        Raises:
            Conflict: the policy has changed since.
        """
        change = planned.trust
        if change is None:
            return
        role = self._dependencies.readers.iam.role(change.role_arn)
        if not isinstance(role, RoleFacts) or role.trust != change.before:
            raise Conflict(f"the trust policy of {change.role_arn} was changed since it was shown")
        self._renew()
        self._dependencies.migration.set_trust(change.role_arn, change.after)
        self._report("trust", "the trust policy was changed")

    def run(self) -> Migration:
        """Do every remaining step and return the migration at its end.

        Raises:
            CommandError: something prevents the next step, or a pod does not work with the new mechanism.
        """
        former: StepKind | None = None
        while True:
            migration = self._settled()
            step = next((step for step in migration.remaining if step.kind not in self._skipped), None)
            if step is None:
                return migration
            if step.kind is former and former is not StepKind.PODS:
                raise CommandError(f"the step had no effect: {step.sentence}", next_step=self._way_back())
            former = step.kind
            self._do(step, migration)
            self._report(step.kind, step.sentence)

    def _read(self) -> Migration:
        """The present state. A read that is throttled or gets no answer is made again: it would end the run between two pods.

        Raises:
            TransientError: it failed several times in a row.
        """
        for _ in range(MAX_READS - 1):
            try:
                return read_migration(self._target, self._to, self._dependencies)
            except TransientError:
                self._dependencies.sleep(POLL_S)
        return read_migration(self._target, self._to, self._dependencies)

    def _settled(self) -> Migration:
        """The present state, once no node waits for its agent.

        Raises:
            CommandError: something prevents the next step.
        """
        while True:
            migration = self._read()
            if migration.obstacles:
                raise CommandError(migration.obstacles[0], next_step=self._way_back())
            if not migration.waits_for:
                return migration
            self._report("wait", f"the Pod Identity agent is not ready yet on {', '.join(migration.waits_for)}")
            self._dependencies.sleep(AGENT_POLL_S)

    def _way_back(self) -> str:
        where = f"--cluster {self._target.cluster} --service-account {self._target.namespace}/{self._target.name}"
        return f"correct it and run the command again, or go back: irsa-remediator migrate {where} --to {opposite(self._to)}"

    def _do(self, step: MigrationStep, migration: Migration) -> None:
        binding = migration.binding
        assert binding is not None  # noqa: S101  # without a binding there are obstacles
        match step.kind:
            case StepKind.BINDING:
                path = binding_path(self._target.cluster, self._target.namespace, self._target.name)
                self._renew()
                self._dependencies.parameters.put(path, binding_value(binding, self._to))
            case StepKind.ASSOCIATION if self._to is Mechanism.POD_IDENTITY:
                self._create_association(migration, binding)
            case StepKind.ASSOCIATION:
                self._delete_association(migration)
            case StepKind.ANNOTATION:
                self._annotate(migration, binding)
            case StepKind.PODS:
                self._replace_pods()
            case StepKind.RECORD:
                self._change_record(migration, binding)
            case _:
                assert_never(step.kind)

    def _cluster(self, migration: Migration) -> ClusterPort:
        facts = migration.snapshot.cluster
        if not isinstance(facts, ClusterFacts):
            raise NotFound(f"cluster {self._target.cluster} does not exist")
        return self._dependencies.readers.clusters.login(facts)

    def _annotate(self, migration: Migration, binding: Binding) -> None:
        account = migration.snapshot.service_account
        if not isinstance(account, ServiceAccountFacts):
            raise NotFound(f"ServiceAccount {self._target.namespace}/{self._target.name} does not exist")
        cluster, target = self._cluster(migration), self._target
        self._renew()
        if self._to is Mechanism.IRSA:
            cluster.apply_annotation(target.namespace, target.name, binding.role_arn, account.resource_version)
        else:
            cluster.restore_annotation(target.namespace, target.name, None, account.resource_version)

    def _create_association(self, migration: Migration, binding: Binding) -> None:
        """Create the association, once IAM knows the trust policy that its pods need."""
        self._dependencies.sleep(SETTLE_S)
        again = self._read()
        if again.obstacles or again.binding != binding:
            raise Conflict("the binding or a precondition was changed meanwhile: run the command again")
        if again.snapshot.association is None:
            self._renew()
            self._dependencies.readers.eks.create_association(self._target, desired_settings(binding, None), _token(migration))

    def _delete_association(self, migration: Migration) -> None:
        """Delete the association, once the webhook knows the annotation that replaces it."""
        found = migration.snapshot.association
        if found is None:
            return
        self._dependencies.sleep(SETTLE_S)
        again = self._read()
        account = again.snapshot.service_account
        annotation = account.role_annotations.get(ROLE_ANNOTATION) if isinstance(account, ServiceAccountFacts) else None
        if again.obstacles or again.snapshot.association != found or annotation != found.role_arn:
            raise Conflict(f"association {found.id} or the annotation was changed meanwhile: run the command again")
        self._renew()
        if not found.owner_addon:
            self._dependencies.migration.delete_association(self._target.cluster, found.id)
            return
        eks = self._dependencies.readers.eks
        owned = eks.addon_associations(self._target.cluster, found.owner_addon)
        roles = {name: role for name, role in owned.items() if name != self._target.name}
        eks.set_addon_associations(self._target.cluster, found.owner_addon, roles, f"migrate-{found.id}")
        self._wait_for_addon(found.owner_addon)

    def _change_record(self, migration: Migration, binding: Binding) -> None:
        addon = migration.snapshot.addon
        if not isinstance(addon, AddonFacts):
            return
        self._wait_for_addon(addon.name)
        self._renew()
        if self._to is Mechanism.IRSA:
            self._dependencies.readers.eks.set_addon_role(self._target.cluster, addon.name, binding.role_arn, _token(migration))
        else:
            self._dependencies.migration.remove_addon_role(self._target.cluster, addon.name)
        role = self._wait_for_addon(addon.name)
        if self._to is Mechanism.POD_IDENTITY and role is not None:
            self._skipped = frozenset({StepKind.RECORD})
            self.notes.append(f"EKS kept the role of the add-on record {addon.name}, which has no effect beside the association")

    def _wait_for_addon(self, name: str) -> str | None:
        """Wait until no update of the add-on runs, and return the role of its record."""
        began_at = self._dependencies.now()
        while True:
            record = self._dependencies.readers.eks.addon(self._target.cluster, name)
            if not isinstance(record, AddonFacts):
                raise NotFound(f"add-on {name} of cluster {self._target.cluster} does not exist")
            if record.status not in CHANGING:
                return record.role_arn
            if self._dependencies.now() - began_at >= RECORD_TIMEOUT:
                raise CommandError(f"add-on {name} is {record.status} for {RECORD_TIMEOUT}", next_step="run the command again later")
            self._dependencies.sleep(POLL_S)

    def _replace_pods(self) -> None:
        """Replace the pods: one first, which must become ready with the new mechanism, then the others."""
        progress_at, former = self._dependencies.now(), -1
        for _ in count():
            migration = self._settled()
            if all(step.is_done for step in migration.steps if step.kind is StepKind.PODS):
                self._prove(migration)
                return
            ready = sum(pod.ready for pod in migration.moved_pods)
            if ready != former:
                progress_at, former = self._dependencies.now(), ready
            if self._dependencies.now() - progress_at >= PODS_TIMEOUT:
                raise CommandError(f"no further pod became ready with {self._to} within {PODS_TIMEOUT}", next_step=self._way_back())
            self._delete_some(migration)
            self._dependencies.sleep(POLL_S)

    def _delete_some(self, migration: Migration) -> None:
        workload, binding = migration.snapshot.workload, migration.binding
        if not isinstance(workload, WorkloadFacts) or binding is None:
            return
        chosen = next_deletions(
            migration.pods, to=self._to, role_arn=binding.role_arn, desired=workload.desired, at_a_time=workload.max_unavailable
        )
        if chosen and not migration.moved_pods:
            if self._canaries >= MAX_CANARIES:
                raise CommandError(
                    f"{MAX_CANARIES} pods started without {self._to}; the others were not replaced", next_step=self._way_back()
                )
            self._canaries += 1
        cluster = self._cluster(migration)
        for pod in chosen:
            self._renew()
            cluster.delete_pod(self._target.namespace, pod.name, pod.uid)
            self.replaced_pods += 1

    def _prove(self, migration: Migration) -> None:
        """Every pod uses the new mechanism and is ready. A call that AWS refuses disproves the role."""
        refused = migration.diagnosis[Link.PERMISSION_ERRORS]
        if refused.is_broken:
            raise CommandError(refused.sentence, next_step=self._way_back())

    def retire_trust(self) -> None:
        """Remove the statements that serve this ServiceAccount alone, by the mechanism that was left, from the trust policy."""
        migration, former = self._read(), opposite(self._to)
        role, cluster = migration.snapshot.role, migration.snapshot.cluster
        if not isinstance(role, RoleFacts) or not isinstance(cluster, ClusterFacts) or migration.remaining:
            self.notes.append("the trust policy was not changed: the migration has not ended")
            return
        smaller = retired_trust(role.trust, former, cluster, self._target)
        if smaller is None:
            self.notes.append(
                f"the trust policy of {role.arn} was not changed: no statement admits by {former} only"
                f" {self._target.namespace}/{self._target.name} of this cluster"
            )
            return
        self._renew()
        self._dependencies.migration.set_trust(role.arn, smaller)
        self._report("trust", f"the statement for {former} was removed from the trust policy")


def _token(migration: Migration) -> str:
    """A client token of this reading: EKS answers a used token with the association or update that it made for it."""
    return f"migrate-{int(migration.snapshot.began_at.timestamp())}"


def close_incident(incident: Incident, planned: Migration, ended: Migration, outcome: Outcome, dependencies: Dependencies) -> None:
    """Write the migration to the history and release the ServiceAccount. A failure leaves it to the next sweep."""
    first, current = _summary(planned), _summary(ended)
    text = f"migration to {planned.to}: {', '.join(step.kind for step in planned.remaining) or 'nothing was left'}"
    record = IncidentRecord(
        outcome=outcome,
        first=first,
        current=current,
        signals=1,
        timeline=(TimelineEntry(at=dependencies.now(), event=TimelineEvent.ASSESSMENT, text=text),),
    )
    try:
        found = dependencies.incidents.get(planned.target)
        signals = found.signals if found else 1
        healthy = dependencies.now() if outcome is Outcome.VERIFIED and current.is_healthy else None
        dependencies.incidents.close(past_incident(incident, replace(record, signals=signals), dependencies.now()), signals, healthy)
    except RemediatorError:
        return


def _summary(migration: Migration) -> AssessmentSummary:
    nothing_planned = Plan(verdict=migration.diagnosis.verdict, severity=migration.diagnosis.severity)
    return summarize(migration.snapshot, migration.diagnosis, nothing_planned)
