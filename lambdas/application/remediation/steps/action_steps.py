"""The steps that write: one action of a plan, with every check that comes right before the write."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar, assert_never

from lambdas.application.remediation.results import ActionResult, ActionState
from lambdas.application.remediation.steps.step_context import MAX_ERROR_LENGTH, StepContext
from lambdas.application.remediation.steps.write_check import WriteCheck
from lambdas.contract.names import FIELD_MANAGER, ROLE_ANNOTATION
from lambdas.contract.parameters import Mechanism
from lambdas.domain.diagnosis.links.annotation import last_writer
from lambdas.domain.errors import (
    AccessDenied,
    Busy,
    Conflict,
    Denial,
    MadeByOther,
    NotFound,
    PermanentError,
    Rejected,
    RemediatorError,
    TransientError,
)
from lambdas.domain.incidents.incident import Incident
from lambdas.domain.planning.actions import (
    Action,
    AnnotateServiceAccount,
    CreateAssociation,
    ReplaceCanaryPod,
    ReplaceStalePods,
    RestartWorkload,
    RestoreAnnotation,
    UpdateAddonRole,
    UpdateAssociation,
)
from lambdas.domain.planning.planned_binding import PlannedBinding
from lambdas.domain.plurals import pluralize
from lambdas.domain.snapshot.snapshot import ServiceAccountFacts

T = TypeVar("T")
PodReplacement = ReplaceCanaryPod | RestartWorkload | ReplaceStalePods
"""Actions that replace pods."""


@dataclass(kw_only=True)
class ActionSteps(StepContext):
    """The actions of the plans of one incident."""

    _is_unanswered: bool = field(default=False, init=False)

    def apply(self, action: Action, binding: PlannedBinding, former: ActionResult | None = None) -> ActionResult:
        """Run one action of a plan that was made from this binding. The same action again has no further effect.

        The binding, the mode and the object are read again right before the write. A change since the plan is a conflict.
        """
        return self._run(action, lambda: self._write(action, binding, former or ActionResult()), former)

    def _run(self, action: Action, write: Callable[[], str], former: ActionResult | None = None) -> ActionResult:
        error: RemediatorError | None = None
        waited = former is not None and former.waited_for_update
        self._is_unanswered = former is not None and former.is_unanswered
        is_by_other = False
        try:
            text, state = write(), ActionState.DONE
        except MadeByOther as found:
            text, state, is_by_other = str(found), ActionState.DONE, True
        except RemediatorError as caught:
            error, text, state = caught, str(caught)[:MAX_ERROR_LENGTH], _state_after(caught)
            waited = waited or isinstance(caught, Busy)
        is_done = state is ActionState.DONE
        self.log("actions", text, incident=self.incident.id, action=action.kind, done=is_done, error=error)
        unanswered = self._is_unanswered and (is_by_other or not is_done)
        return ActionResult(
            at=self.now(), state=state, message=text, waited_for_update=waited, is_unanswered=unanswered, is_by_other=is_by_other
        )

    def _write(self, action: Action, binding: PlannedBinding, former: ActionResult) -> str:
        match action:
            case AnnotateServiceAccount():
                self.retry(lambda: self.write_check.check_binding(action.role_arn, binding))
                return self.retry(lambda: self._annotate(action))
            case ReplaceCanaryPod():
                self._check_pods(action, binding)
                return self._delete(action)
            case RestartWorkload():
                self._check_pods(action, binding)
                return self.retry(lambda: self._restart(action))
            case ReplaceStalePods():  # `replace_stale_pods` deletes them
                return f"{pluralize(action.count, 'stale pod')}, {action.at_a_time} at a time"
            case UpdateAddonRole():
                self.retry(lambda: self.write_check.check_binding(action.role_arn, binding))
                return self.retry(lambda: self._update_record(action, former))
            case RestoreAnnotation():
                self.write_check.check_restored(action)
                return self.retry(lambda: self._restore(action))
            case CreateAssociation():
                return self.retry(lambda: self._create_association(action, binding))
            case UpdateAssociation():
                return self.retry(lambda: self._update_association(action, binding, former))
            case _:
                assert_never(action)

    def _check_holder(self) -> None:
        """Check that the incident's row still names this incident and this execution: the last read before each write.

        A process can outlive its execution. One that was stopped or timed out counts as ended, its incident is taken over, and the
        successor may write while the former process still runs. Then that process must not write.

        Raises:
            Conflict: the incident has another holder, or is closed.
        """
        if not self._is_holder(self.incidents.get(self.incident.target)):
            raise Conflict("the incident has another holder, so nothing more is written")

    def _request(self, write: Callable[[], T]) -> T:
        """Check the holder, and run one write. A write without an answer may have taken effect, which the result of the action says.

        Raises:
            Conflict: the incident has another holder, or the object has changed.
        """
        self._check_holder()
        return self._send_write(write)

    def _send_write(self, write: Callable[[], T]) -> T:
        try:
            return write()
        except Busy:  # refused
            raise
        except TransientError:
            self._is_unanswered = True
            raise

    def _is_holder(self, found: Incident | None) -> bool:
        return found is not None and (found.id, found.execution) == (self.incident.id, self.incident.execution)

    @property
    def write_check(self) -> WriteCheck:
        """The checks right before a write."""
        return WriteCheck(self.incident.target, self.readers)

    def _check_pods(self, action: PodReplacement, binding: PlannedBinding) -> None:
        """Check that new pods would get the role: the binding is unchanged, and the annotation or the association names the role.

        Raises:
            Conflict: one of the two has changed.
        """
        bound = self.retry(lambda: self.write_check.check_binding(action.role_arn, binding))
        if action.mechanism is Mechanism.POD_IDENTITY:
            self.retry(lambda: self.write_check.check_association(bound))
        else:
            self.retry(lambda: self.write_check.check_annotation(action.role_arn, self.cluster()))

    def _why_outdated(self, action: PodReplacement, binding: PlannedBinding) -> str | None:
        try:
            self._check_pods(action, binding)
        except PermanentError as error:
            return str(error)
        return None

    def _delete(self, action: ReplaceCanaryPod) -> str:
        cluster, namespace = self.retry(self.cluster), self.incident.target.namespace
        is_deleted = self.retry(lambda: self._request(lambda: cluster.delete_pod(namespace, action.pod, action.uid)))
        return f"{action.pod} deleted" if is_deleted else f"{action.pod} was gone already"

    def _restart(self, action: RestartWorkload) -> str:
        cluster, namespace = self.cluster(), self.incident.target.namespace
        self._request(lambda: cluster.restart(namespace, action.workload, action.name, action.restarted_at))
        return f"{action.name} restarts, {action.at_a_time} at a time"

    def _update_record(self, action: UpdateAddonRole, former: ActionResult) -> str:
        cluster, eks = self.incident.target.cluster, self.readers.eks
        if self.write_check.has_record_role(action, waited=former.waited_for_update):
            return f"the add-on record {action.addon} has the role already"
        update = self._request(lambda: eks.set_addon_role(cluster, action.addon, action.role_arn, action.token))
        return f"update {update} of the add-on record {action.addon}"

    def _create_association(self, action: CreateAssociation, planned: PlannedBinding) -> str:
        if found := self.write_check.planned_association(action, planned):
            return f"association {found.id} exists already"  # by our own call whose answer was lost, or by someone else's equal one
        created = self._request(lambda: self.readers.eks.create_association(self.incident.target, action.wanted, action.token))
        return f"association {created} created"

    def _update_association(self, action: UpdateAssociation, planned: PlannedBinding, former: ActionResult) -> str:
        """Change the association by its owner: the add-on's record, with the other associations as they are, or directly."""
        target, eks = self.incident.target, self.readers.eks
        found = self.write_check.planned_association(action, planned)
        if found is None or found.settings == action.wanted:
            return f"association {action.association_id} gives the role already"
        if not action.addon:
            self._request(lambda: eks.update_association(target.cluster, found, action.wanted, action.token))
            return f"association {found.id} changed to {action.role_arn}"
        self.write_check.check_addon_idle(action.addon, waited=former.waited_for_update)
        roles = {**eks.addon_associations(target.cluster, action.addon), target.name: action.role_arn}
        update = self._request(lambda: eks.set_addon_associations(target.cluster, action.addon, roles, action.token))
        return f"update {update} of the associations of the add-on {action.addon}"

    def _annotate(self, action: AnnotateServiceAccount) -> str:
        target, cluster = self.incident.target, self.cluster()
        self._check_holder()
        try:
            self._send_write(lambda: cluster.apply_annotation(target.namespace, target.name, action.role_arn, action.resource_version))
        except Conflict:
            found = cluster.service_account(target.namespace, target.name)
            if isinstance(found, ServiceAccountFacts) and found.role_annotations.get(ROLE_ANNOTATION) == action.role_arn:
                if _is_ours(found):
                    return "the annotation is set already"  # by our own write whose answer was lost
                if action.old_value != action.role_arn:
                    raise MadeByOther("someone else has set the annotation") from None
            writer = last_writer(found) if isinstance(found, ServiceAccountFacts) else None
            if writer is None:
                raise
            raise Conflict(f"{target.namespace}/{target.name} has changed since the plan, last by {writer.manager}") from None
        return f"annotation set to {action.role_arn}"

    def _restore(self, action: RestoreAnnotation) -> str:
        target, cluster = self.incident.target, self.cluster()
        found = cluster.service_account(target.namespace, target.name)
        value = found.role_annotations.get(ROLE_ANNOTATION) if isinstance(found, ServiceAccountFacts) else ""
        if isinstance(found, ServiceAccountFacts) and value == action.ours:
            version = found.resource_version
            self._request(lambda: cluster.restore_annotation(target.namespace, target.name, action.value, version))
        elif value != action.value:
            raise Conflict("the annotation was changed by someone else and was not restored")
        return f"annotation restored to {action.value or 'none'}"


def _is_ours(found: ServiceAccountFacts) -> bool:
    """Whether the remediator owns the annotation: only its own write makes it an owner."""
    return any(writer.manager == FIELD_MANAGER and writer.owns_annotation for writer in found.writers)


def _state_after(error: RemediatorError) -> ActionState:
    """What follows an error: retries where the resource is busy, a new assessment after a conflict, another action, or a person.

    A cluster that no longer lets us in counts as a conflict, since its API server may be restarting; the next assessment shows if it lasts.
    """
    if isinstance(error, TransientError):
        return ActionState.BUSY
    if isinstance(error, Rejected) or (isinstance(error, AccessDenied) and error.denial is Denial.FORBIDDEN):
        return ActionState.REJECTED
    is_shut_out = isinstance(error, AccessDenied) and error.denial in (Denial.UNREACHABLE, Denial.UNAUTHENTICATED)
    return ActionState.CONFLICT if is_shut_out or isinstance(error, Conflict | NotFound) else ActionState.FAILED
