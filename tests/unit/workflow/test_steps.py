"""Poll schedules, ids of steps and notifications, successors of a canary, and the history record of an incident."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.application.remediation.results import NotificationKey
from lambdas.application.remediation.steps.canary import successor
from lambdas.application.remediation.steps.history import IncidentRecord, past_incident
from lambdas.application.workflow_steps import InProcessSteps, PollSchedule, StepId, StepPurpose
from lambdas.domain.incidents.incident import Outcome
from lambdas.domain.planning.actions import ReplaceCanaryPod
from lambdas.domain.snapshot.snapshot import PodFacts
from lambdas.notifications.kind import NotificationKind
from tests.unit.notifications.snapshots import pods
from tests.unit.workflow.test_arbitrary_results import BROKEN, INCIDENT
from tests.world import NOON


def delays(patience: PollSchedule) -> list[int]:
    """Every delay of a schedule."""
    found: list[int] = []
    while (delay := patience.delay_s(len(found) + 1)) is not None:
        found.append(delay)
    return found


@pytest.mark.parametrize(
    ("patience", "expected"),
    [
        (PollSchedule(timeout_s=10), [1, 2, 2, 3, 2]),
        (PollSchedule(timeout_s=1), [1]),
        (PollSchedule(timeout_s=12, first_s=5, most_s=5), [5, 5, 2]),
        (PollSchedule(timeout_s=10, first_s=4, most_s=60, growth=1.0), [4, 4, 2]),
        (PollSchedule(timeout_s=100, first_s=30, most_s=30), [30, 30, 30, 10]),
        (PollSchedule(timeout_s=500, first_s=50, most_s=50, share=0.25), [50, 50, 50, 50, 50, 62, 78, 98, 12]),
        (PollSchedule(timeout_s=5_000, first_s=900, most_s=10, share=1.0), [10, 10, 20, 40, 80, 160, 320, 640, 900, 900, 900, 900, 120]),
    ],
)
def test_delays_grow_up_to_the_longest(patience: PollSchedule, expected: list[int]) -> None:
    assert delays(patience) == expected


@given(st.integers(1, 20_000), st.integers(1, 60), st.integers(1, 900), st.sampled_from([1.3, 1.5, 2.0]))
@settings(max_examples=60)
def test_the_delays_add_up_to_the_time_out(timeout_s: int, first_s: int, most_s: int, growth: float) -> None:
    found = delays(PollSchedule(timeout_s=timeout_s, first_s=first_s, most_s=max(first_s, most_s), growth=growth))
    assert sum(found) == timeout_s
    assert all(1 <= delay <= max(first_s, most_s, 0.05 * sum(found[:number]) + 1) for number, delay in enumerate(found))
    assert found[:-1] == sorted(found[:-1])


@given(st.integers(1, 700_000), st.integers(1, 60), st.integers(1, 900))
@settings(max_examples=30)
def test_the_number_of_polls_is_known_before(timeout_s: int, first_s: int, most_s: int) -> None:
    schedule, polled = PollSchedule(timeout_s=timeout_s, first_s=first_s, most_s=most_s), []
    InProcessSteps(sleep=lambda _: None).until(StepId(StepPurpose.ASSESS), 0, lambda n: polled.append(n) or n, lambda _: False, schedule)
    assert len(polled) == schedule.polls


def test_polling_ends_with_the_last_result_when_the_time_is_up() -> None:
    slept: list[float] = []
    steps = InProcessSteps(sleep=slept.append)
    assert steps.until(StepId(StepPurpose.ASSESS, 1), 0, lambda checks: checks + 1, lambda _: False, PollSchedule(timeout_s=3)) == 3
    assert steps.until(StepId(StepPurpose.ASSESS, 2), 0, lambda checks: checks + 1, lambda n: n == 2, PollSchedule(timeout_s=3)) == 2
    assert slept == [1, 2, 1]


@pytest.mark.parametrize(
    ("step", "name"),
    [
        (StepId(StepPurpose.OPEN), "open"),
        (StepId(StepPurpose.VERIFY, 1), "1 verify"),
        (StepId(StepPurpose.WATCH, 2, part="3"), "2 watch 3"),
        (StepId(StepPurpose.APPLY, 1, 2, "replace-canary-pod"), "1.2 apply replace-canary-pod"),
        (StepId(StepPurpose.NOTIFY, 12, part="reminder 1"), "12 notify reminder 1"),
    ],
)
def test_a_step_id_has_one_durable_name(step: StepId, name: str) -> None:
    """A running execution finds its checkpoints by these names."""
    assert str(step) == name


@pytest.mark.parametrize(("request_", "trigger"), [({"trigger": "sweep"}, "sweep"), ({}, "person")])
def test_history_keeps_the_trigger_and_an_incident_without_one_was_opened_by_a_person(request_: dict[str, str], trigger: str) -> None:
    record = IncidentRecord(outcome=Outcome.VERIFIED, first=BROKEN, current=BROKEN, signals=1)
    assert past_incident(replace(INCIDENT, request=request_), record, NOON).trigger == trigger


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("2 needs-action", NotificationKey(2, NotificationKind.NEEDS_ACTION)),
        ("12 reminder 1", NotificationKey(12, NotificationKind.REMINDER, "1")),
        ("1 reminder 1 2", NotificationKey(1, NotificationKind.REMINDER, "1 2")),
        ("1 telegram", None),
        ("first reminder", None),
        ("2", None),
        ("", None),
    ],
)
def test_a_stored_key_of_a_notification_is_read_or_is_of_another_version(text: str, key: NotificationKey | None) -> None:
    assert NotificationKey.parse(text) == key
    assert key is None or str(key) == text


def _pod(uid: str, *, minutes: int = 1, node: str = "n1", deleting: bool = False) -> PodFacts:
    return replace(pods(1, None)[0], name=f"pod-{uid}", uid=uid, node=node, created_at=NOON + timedelta(minutes=minutes), deleting=deleting)


@pytest.mark.parametrize(
    ("found", "of_daemon_set", "of_deployment"),
    [
        ((), None, None),
        ((_pod("old"),), None, None),
        ((_pod("a"),), "a", "a"),
        ((_pod("a", node="n2"),), None, "a"),
        ((_pod("a", minutes=-1),), "a", None),
        ((_pod("known", minutes=0),), "known", None),
        ((_pod("a", deleting=True),), None, None),
        ((_pod("a", minutes=2), _pod("b", minutes=3), _pod("c", minutes=1)), "b", "b"),
        ((_pod("a"), _pod("b")), "b", "b"),
    ],
)
def test_a_successor_is_a_pod_in_the_place_of_the_canary(
    found: tuple[PodFacts, ...], of_daemon_set: str | None, of_deployment: str | None
) -> None:
    """On the canary's node, or where pods may run anywhere: a pod that the plan did not know. The newest one, by name where two are."""
    on_node = ReplaceCanaryPod(pod="pod-old", uid="old", node="n1", newest=NOON.isoformat(), role_arn="arn", as_new=("known",))
    pods_found = [successor(found, action) for action in (on_node, replace(on_node, node=""))]
    assert [pod.uid if pod else None for pod in pods_found] == [of_daemon_set, of_deployment]
