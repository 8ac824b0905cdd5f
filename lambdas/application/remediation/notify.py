"""Notifications of the workflow: each is sent once, and sent again where it was not delivered before the workflow waits or ends."""

from lambdas.application.remediation.carried_state import UndeliveredNotification
from lambdas.application.remediation.results import DeliveryState, NotificationKey, NotificationResult
from lambdas.application.remediation.state import Iteration, WorkflowState
from lambdas.application.workflow_steps import NOTIFY_SCHEDULE, StepPurpose
from lambdas.domain.incidents.details import DeletedPod, NotificationRecord
from lambdas.notifications.kind import NotificationKind
from lambdas.notifications.message_context import MessageContext


def notify(
    iteration: Iteration,
    kind: NotificationKind,
    *,
    part: str = "",
    verification: str = "",
    trouble: str = "",
    deleted_pod: DeletedPod | None = None,
) -> None:
    """Send a notification about the state so far. `part` numbers the notifications of one kind in one iteration."""
    state, key = iteration.state, NotificationKey(iteration.number, kind, part)
    unsent = UndeliveredNotification(key=key, verification=verification, trouble=trouble, deleted_pod=deleted_pod)
    context, step = _context(state, unsent), iteration.step(StepPurpose.NOTIFY, f"{kind} {part}".strip())
    result = iteration.steps.once(step, lambda: iteration.work.notify(key, context), NotificationResult)
    state.undelivered = None if result.is_settled else unsent
    _record_delivery(state, kind, result)
    if result.state is not DeliveryState.SKIPPED and kind is not NotificationKind.REMINDER:
        state.notified = kind


def notify_undelivered(iteration: Iteration, part: str = "") -> None:
    """Send the latest notification again, where it was not delivered. `part` numbers these attempts in one iteration.

    It describes the latest assessment. That a repair begins is not sent once it has ended: the next repair announces itself.
    """
    state, unsent = iteration.state, iteration.state.undelivered
    if unsent is None or unsent.key.kind is NotificationKind.REPAIRING:
        return
    context, step = _context(state, unsent), iteration.step(StepPurpose.NOTIFY_AGAIN, part)
    result = iteration.steps.until(
        step, NotificationResult(), lambda _: iteration.work.notify(unsent.key, context), lambda sent: sent.is_settled, NOTIFY_SCHEDULE
    )
    state.undelivered = None if result.is_settled else unsent
    _record_delivery(state, unsent.key.kind, result)


def _context(state: WorkflowState, unsent: UndeliveredNotification) -> MessageContext:
    return state.message_context(unsent.key.kind, verification=unsent.verification, trouble=unsent.trouble, deleted_pod=unsent.deleted_pod)


def _record_delivery(state: WorkflowState, kind: NotificationKind, result: NotificationResult) -> None:
    if result.state is DeliveryState.SENT:
        state.first_notified_at = state.first_notified_at or result.at
        state.notifications.append(NotificationRecord(kind=kind, at=result.at))


def give_up(iteration: Iteration, trouble: str, deleted_pod: DeletedPod | None = None) -> None:
    """Leave the incident to a person, since the repair failed; the workflow only watches from here on."""
    iteration.state.gave_up = True
    notify(iteration, NotificationKind.NEEDS_ACTION, trouble=trouble, deleted_pod=deleted_pod)
