"""The state of a remediation: what it hands to messages, to history and to the next execution, and when the fault has ended."""

from dataclasses import fields, replace
from datetime import timedelta
from typing import Any, Final

import pytest

from lambdas.application.remediation.carried_state import CarriedState, UndeliveredNotification
from lambdas.application.remediation.results import ActionResult, ActionState, NotificationKey
from lambdas.application.remediation.state import WorkflowState
from lambdas.application.remediation.steps.history import MAX_ENTRIES, IncidentRecord, past_incident
from lambdas.domain.assessment.summary import AssessmentSummary, Counts, LinkSummary
from lambdas.domain.diagnosis.finding import Link, State
from lambdas.domain.incidents.details import CountSample, DeletedPod, NotificationRecord, TimelineEntry
from lambdas.domain.incidents.incident import Outcome
from lambdas.domain.planning.actions import Action, AnnotateServiceAccount, ReplaceStalePods, UpdateAssociation
from lambdas.domain.snapshot.snapshot import Missing, Unknown
from lambdas.notifications.kind import NotificationKind
from lambdas.notifications.message_context import ApprovalAnswer, MessageContext
from tests.unit.domain.snapshot_fixtures import snapshot_with, summary_of
from tests.unit.notifications.snapshots import NOW, ROLE, incident, pods, service_account

WITHOUT_ROLE: Final = summary_of(snapshot_with(service_account=service_account(None), pods=pods(15, None)))
HEALTHY: Final = summary_of(snapshot_with())
ANNOTATE: Final = AnnotateServiceAccount(role_arn=ROLE, old_value=None, resource_version="4711")
BATCHES: Final = ReplaceStalePods(at_a_time=1, count=2, role_arn=ROLE)
ASSOCIATE: Final = UpdateAssociation(
    association_id="a-1",
    addon="",
    role_arn=ROLE,
    target_role_arn=None,
    session_tags=True,
    policy="",
    old_role_arn="old",
    old_target_role_arn=None,
    old_session_tags=True,
    old_policy="",
    token="t",
)
KEY: Final = NotificationKey(2, NotificationKind.REMINDER, "1")


def full_state() -> WorkflowState:
    """A state with a value of its own in each field."""
    state = WorkflowState(
        incident(),
        first=WITHOUT_ROLE,
        current=HEALTHY,
        signals=4,
        timeline=[TimelineEntry(at=NOW, event="signal", text="a"), TimelineEntry(event="assessment", counts=(1, 2, 3, 4))],
        samples=[CountSample(at=NOW, pods_with_role=1, pods=2, nodes_ready=3, nodes=4)],
        changes=["annotate-service-account", "restart-workload"],
        repairs=2,
        approval_requests=1,
        gave_up=True,
        is_verified=True,
        annotated=ANNOTATE,
        associated=ASSOCIATE,
        answer=ApprovalAnswer(approved=True, plan="ab", by="ci"),
        notified=NotificationKind.REPAIRING,
        first_notified_at=NOW - timedelta(minutes=3),
        notifications=[NotificationRecord(kind="repairing", at=NOW)],
        began_at=NOW - timedelta(minutes=5),
        latest_at=NOW + timedelta(minutes=1),
        unresolved=(9, 10),
        unanswered=("restart-workload",),
    )
    state.undelivered = UndeliveredNotification(key=KEY, verification="v", trouble="t", deleted_pod=DeletedPod(name="p", node="n"))
    return state


def test_a_message_gets_the_whole_state() -> None:
    pod = DeletedPod(name="p", node="n")
    found = full_state().message_context(NotificationKind.VERIFIED, verification="all", trouble="none", deleted_pod=pod)
    assert found == MessageContext(
        kind=NotificationKind.VERIFIED,
        incident=incident(),
        first=WITHOUT_ROLE,
        current=HEALTHY,
        timeline=(TimelineEntry(at=NOW, event="signal", text="a"), TimelineEntry(event="assessment", counts=(1, 2, 3, 4))),
        changes=("annotate-service-account", "restart-workload"),
        unanswered=("restart-workload",),
        signals=4,
        verification="all",
        trouble="none",
        answer=ApprovalAnswer(approved=True, plan="ab", by="ci"),
        is_verified=True,
        has_begun_repair=True,
        latest_at=NOW + timedelta(minutes=1),
    )


@pytest.mark.parametrize(
    ("counts", "is_named"),
    [({"pods_ready": 3}, False), ({"pods_ready": 2}, True), ({"pods_ready": 2, "pods_lost": 1}, False), ({"pods_wanted": 0}, True)],
)
def test_a_message_names_a_deleted_pod_until_it_has_a_ready_successor(counts: dict[str, int], *, is_named: bool) -> None:
    pod = DeletedPod(name="p", node="n")
    current = replace(HEALTHY, counts=Counts(**{"pods": 3, "pods_wanted": 3, **counts}))
    state = WorkflowState(incident(), first=WITHOUT_ROLE, current=current)
    assert state.message_context(NotificationKind.NEEDS_ACTION, deleted_pod=pod).deleted_pod == (pod if is_named else None)


@pytest.mark.parametrize(("repairs", "has_begun"), [(0, False), (1, True)])
def test_a_message_knows_whether_a_repair_has_begun(repairs: int, *, has_begun: bool) -> None:
    state = WorkflowState(incident(), first=WITHOUT_ROLE, current=WITHOUT_ROLE, repairs=repairs)
    assert state.message_context(NotificationKind.REPAIRING) == MessageContext(
        kind=NotificationKind.REPAIRING, incident=incident(), first=WITHOUT_ROLE, current=WITHOUT_ROLE, has_begun_repair=has_begun
    )


def test_history_gets_the_whole_state() -> None:
    assert full_state().incident_record(Outcome.VERIFIED) == IncidentRecord(
        outcome=Outcome.VERIFIED,
        first=WITHOUT_ROLE,
        current=HEALTHY,
        signals=4,
        timeline=(TimelineEntry(at=NOW, event="signal", text="a"), TimelineEntry(event="assessment", counts=(1, 2, 3, 4))),
        samples=(CountSample(at=NOW, pods_with_role=1, pods=2, nodes_ready=3, nodes=4),),
        changes=("annotate-service-account", "restart-workload"),
        first_notified_at=NOW - timedelta(minutes=3),
        notifications=(NotificationRecord(kind="repairing", at=NOW),),
    )


@pytest.mark.parametrize(("path", "is_repaired"), [("/p", False), ("", True)])
def test_a_fault_has_not_ended_while_pods_lack_the_role_of_a_binding_that_was_deleted(path: str, *, is_repaired: bool) -> None:
    """Without a binding from the beginning, the role of the add-on record may be one that nobody uses."""
    unbound = summary_of(snapshot_with(binding=Missing("/p"), pods=(*pods(2, ROLE), *pods(1, f"{ROLE}-other"))))
    assert unbound.is_healthy
    state = WorkflowState(incident())
    state.record_assessment(replace(unbound, binding_path=path), NOW)
    assert state.is_repaired(unbound) is is_repaired


@pytest.mark.parametrize("key", ["wasReported", "formerRepair"])
def test_a_fault_has_not_ended_after_a_take_over_while_the_annotation_is_not_read(key: str) -> None:
    taken_over = replace(incident(), request={key: True if key == "wasReported" else "unfinished"})
    unread = summary_of(snapshot_with(binding=Missing("/p"), addon=Unknown("403")))
    assert unread.is_healthy
    for begun, is_repaired in ((WorkflowState.begin(incident()), True), (WorkflowState.begin(taken_over), False)):
        begun.record_assessment(unread, NOW)
        assert begun.is_repaired(unread) is is_repaired


def test_there_is_nothing_to_say_before_the_first_assessment() -> None:
    for state in (WorkflowState(incident()), WorkflowState(incident(), first=WITHOUT_ROLE)):
        with pytest.raises(ValueError, match="has no assessment yet"):
            state.message_context(NotificationKind.REPAIRING)


def test_the_next_execution_resumes_the_state() -> None:
    before = full_state()
    carried = before.carry(7)
    assert carried.iteration == 7
    found = WorkflowState.resume(incident(), carried)
    assert found == replace(before, began_at=None, latest_at=None)  # the times are those of this execution
    assert WorkflowState.resume(incident(), CarriedState(iteration=1)) == WorkflowState(incident())


def test_history_and_the_next_execution_keep_the_latest_entries() -> None:
    many = range(MAX_ENTRIES + 1)
    state = replace(
        full_state(),
        timeline=[TimelineEntry(event=str(number)) for number in many],
        samples=[CountSample(at=NOW, pods_with_role=number, pods=0, nodes_ready=0, nodes=0) for number in many],
        notifications=[NotificationRecord(kind=str(number)) for number in many],
    )
    details = past_incident(incident(), state.incident_record(Outcome.VERIFIED), NOW).details
    assert details
    for kept in (state.carry(1), details):
        for name in ("timeline", "samples", "notifications"):
            assert getattr(kept, name) == tuple(getattr(state, name)[1:])


def test_the_age_is_that_of_this_execution() -> None:
    assert full_state().age == timedelta(minutes=6)
    assert replace(full_state(), began_at=None).age == replace(full_state(), latest_at=None).age == timedelta()


def test_an_assessment_is_recorded() -> None:
    state = WorkflowState(incident())
    state.record_assessment(WITHOUT_ROLE, NOW)
    later = NOW + timedelta(minutes=1)
    state.record_assessment(HEALTHY, later)
    state.record_assessment(HEALTHY, None)
    assert (state.first, state.current, state.began_at, state.latest_at) == (WITHOUT_ROLE, HEALTHY, NOW, later)
    assert state.timeline == [
        TimelineEntry(at=NOW, event="assessment", text="annotation-missing", counts=(0, 15, 15, 15)),
        TimelineEntry(at=later, event="assessment", text="no-fault-found", counts=(15, 15, 15, 15)),
        TimelineEntry(at=None, event="assessment", text="no-fault-found", counts=(15, 15, 15, 15)),
    ]


def test_a_link_is_unresolved_until_it_is_read_as_right() -> None:
    state, found = WorkflowState(incident()), []
    for summary in (
        links(role=State.BROKEN, annotation=State.BROKEN),
        links(role=State.UNKNOWN, annotation=State.OK),
        links(role=State.UNKNOWN, pods=State.BROKEN, annotation=State.UNKNOWN),
        links(role=State.NOT_APPLICABLE, pods=State.UNKNOWN),
        links(),
    ):
        state.record_assessment(summary, NOW)
        found.append(state.unresolved)
    assert found == [(Link.ROLE, Link.ANNOTATION), (Link.ROLE,), (Link.ROLE, Link.PODS), (Link.PODS,), ()]


@pytest.mark.parametrize(
    ("before", "unanswered", "result", "changes", "unanswered_after"),
    [
        ([], (), ActionResult(state=ActionState.DONE), [BATCHES.kind], ()),
        ([BATCHES.kind], (BATCHES.kind, "other"), ActionResult(state=ActionState.DONE), [BATCHES.kind] * 2, ("other",)),
        ([], ("other",), ActionResult(state=ActionState.FAILED, is_unanswered=True), [BATCHES.kind], ("other", BATCHES.kind)),
        ([BATCHES.kind], (), ActionResult(state=ActionState.BUSY, is_unanswered=True), [BATCHES.kind] * 2, ()),
        ([], (), ActionResult(state=ActionState.DONE, is_by_other=True), [], ()),
        ([], (), ActionResult(state=ActionState.DONE, is_by_other=True, is_unanswered=True), [BATCHES.kind], (BATCHES.kind,)),
        ([], (), ActionResult(state=ActionState.FAILED), [], ()),
    ],
)
def test_an_applied_action_is_recorded(
    before: list[str], unanswered: tuple[str, ...], result: ActionResult, changes: list[str], unanswered_after: tuple[str, ...]
) -> None:
    state = WorkflowState(incident(), changes=before, unanswered=unanswered)
    action: Action = BATCHES
    state.record_action(action, replace(result, message="m", at=NOW))
    assert (state.changes, state.unanswered, state.latest_at) == (changes, unanswered_after, NOW)
    assert state.timeline == [TimelineEntry(at=NOW, event=BATCHES.kind, text="m")]


def links(**states: State) -> AssessmentSummary:
    """The healthy summary, with links in these states."""
    found = dict.fromkeys(Link, State.OK) | {Link[name.upper()]: state for name, state in states.items()}
    summaries = tuple(LinkSummary(link=link, title=link.title, state=state, sentence="s", verdict="") for link, state in found.items())
    verdicts = tuple("x" for state in found.values() if state is State.BROKEN)
    return replace(HEALTHY, links=summaries, verdicts=verdicts)


ENDED: Final[dict[str, tuple[AssessmentSummary, dict[str, Any], tuple[bool, bool]]]] = {
    # the summary, fields of the state, and whether the end of the fault is (not shown, shown)
    "healthy": (HEALTHY, {}, (False, True)),
    "a link is broken": (links(annotation=State.BROKEN), {}, (False, False)),
    "another link is not read": (links(role=State.UNKNOWN), {}, (False, True)),
    "the link that was broken is not read": (links(annotation=State.UNKNOWN), {}, (True, False)),
    "the link does not apply any more": (links(annotation=State.NOT_APPLICABLE), {}, (False, True)),
    "the binding was deleted": (replace(links(annotation=State.NOT_APPLICABLE), binding_path=""), {}, (True, False)),
    "there never was a binding": (
        replace(links(annotation=State.NOT_APPLICABLE), binding_path=""),
        {"first": replace(WITHOUT_ROLE, binding_path="")},
        (False, True),
    ),
    "refused calls are not read": (links(permission_errors=State.UNKNOWN), {"unresolved": (Link.PERMISSION_ERRORS,)}, (False, True)),
    "a pod is not ready yet": (replace(HEALTHY, counts=Counts(pods=3, pods_right=3, pods_ready=2)), {}, (True, False)),
    "a pod lacks the role": (replace(HEALTHY, counts=Counts(pods=3, pods_right=2, pods_ready=3)), {}, (True, False)),
    "a pod lacks the role, and none is known": (
        replace(HEALTHY, counts=Counts(pods=3, pods_right=2, pods_ready=3), desired_role=""),
        {},
        (False, True),
    ),
    "a pod lacks the role, and the annotation was right": (
        replace(HEALTHY, counts=Counts(pods=3, pods_right=2, pods_ready=3)),
        {"first": links(role=State.BROKEN)},
        (False, True),
    ),
    "changed, and verified before": (
        replace(HEALTHY, counts=Counts(pods=3, pods_right=2, pods_ready=2)),
        {"changes": ["x"], "is_verified": True},
        (False, True),
    ),
    "changed, and not verified": (
        replace(HEALTHY, counts=Counts(pods=3, pods_right=2, pods_ready=2)),
        {"changes": ["x"]},
        (False, False),
    ),
    "changed, and verified now": (HEALTHY, {"changes": ["x"]}, (False, True)),
    "changed, and the annotation is not read": (links(annotation=State.UNKNOWN), {"changes": ["x"], "is_verified": True}, (False, True)),
    "changed, and the role is not read": (
        links(role=State.UNKNOWN),
        {"changes": ["x"], "is_verified": True, "unresolved": (Link.ROLE,)},
        (True, False),
    ),
}


@pytest.mark.parametrize(("summary", "fields_", "expected"), ENDED.values(), ids=ENDED)
def test_the_end_of_a_fault_is_shown_or_not_known(summary: AssessmentSummary, fields_: dict[str, Any], expected: tuple[bool, bool]) -> None:
    state = replace(WorkflowState(incident(), first=WITHOUT_ROLE, unresolved=(Link.ANNOTATION,)), **fields_)
    assert (state.is_undecided(summary), state.is_repaired(summary)) == expected


def test_a_cluster_that_cannot_be_read_leaves_every_link_unresolved() -> None:
    closed = summary_of(snapshot_with(pods=Unknown("x"), service_account=Unknown("403")))
    state = WorkflowState(incident())
    state.record_assessment(summary_of(snapshot_with(role=Missing("role"), service_account=service_account(None))), NOW)
    broken = state.unresolved
    state.record_assessment(
        replace(closed, links=links(cluster=State.BROKEN, **dict.fromkeys(("role", "annotation"), State.NOT_APPLICABLE)).links), NOW
    )
    assert set(state.unresolved) == {*broken, Link.CLUSTER}


def test_the_state_that_is_carried_has_each_field_of_the_state() -> None:
    of_one_execution = {"incident", "began_at", "latest_at"}
    assert {item.name for item in fields(WorkflowState)} - of_one_execution == {item.name for item in fields(CarriedState)} - {"iteration"}
