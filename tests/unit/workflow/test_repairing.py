"""The workflow under what happens in between its steps: conflicts, half successes, harm, people, and the clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from lambdas.contract.parameters import ServiceAccountRef, binding_path
from lambdas.contract.settings import settings_path
from lambdas.domain.errors import AccessDenied, Busy, Conflict, Denial, TransientError
from lambdas.domain.incident import Incident, Outcome, PastIncident, Signal
from lambdas.domain.observation import PluginError, RoleFacts
from lambdas.domain.ports import Parameter
from lambdas.remediator.workflow import MOST_REPAIRS
from tests.over_fakes.ground import BOUND_ROLE, CLUSTER
from tests.unit.workflow.staged import staged
from tests.world import NOON, right_trust, role_arn

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambdas.remediator.steps import Json
    from tests.over_fakes.performance import Performance

KEY = ("kube-system", "aws-node")
TARGET = ServiceAccountRef(CLUSTER, *KEY)
OTHER = role_arn("other")
REPAIR = ["annotate", "delete", "restart"]


def annotates(role: str | None, by: str = "kubectl-annotate") -> Callable[[Performance], None]:
    """Somebody sets the annotation."""
    return lambda play: play.world.set_annotation(play.world.cluster, KEY, role, by)


def test_a_plain_repair_is_told_twice_and_closes_its_incident() -> None:
    done = staged()
    assert (done.outcome, done.told, done.writes) == ("proven", ["acting", "proven"], REPAIR)
    assert done.play.incidents.get(TARGET) is None
    assert done.steps.done[-1] == "2 close"


# --- the world moves ---------------------------------------------------------------------------------------------------------------------


def test_where_the_world_moved_it_looks_again_instead_of_overwriting() -> None:
    done = staged(before={"1.1 AnnotateServiceAccount": annotates(OTHER)})
    assert done.outcome == "proven"
    assert done.writes == REPAIR
    assert done.annotation == BOUND_ROLE
    assert "2 look" in done.steps.done
    assert done.play.incidents.closed[-1].changes.count("AnnotateServiceAccount") == 1


def test_where_the_world_moves_each_time_it_stops_after_a_few_attempts_and_asks_for_a_person() -> None:
    done = staged(before={f"{n}.1 AnnotateServiceAccount": annotates(role_arn(f"other-{n}")) for n in range(1, 9)})
    assert done.writes == []
    assert done.told == ["acting", "needs-you"]


def test_where_somebody_did_the_same_meanwhile_it_goes_on() -> None:
    done = staged(before={"1.1 AnnotateServiceAccount": annotates(BOUND_ROLE)})
    assert (done.outcome, done.writes) == ("proven", ["delete", "restart"])


def restarted_by_hand(play: Performance) -> None:
    """`kubectl rollout restart` in this second, before the annotation was there: every pod is new, and none has the role."""
    key = (KEY[0], "DaemonSet", KEY[1])
    facts, account = play.world.cluster.workloads[key]
    stamp = play.world.now.strftime("%Y-%m-%dT%H:%M:%SZ")
    play.world.cluster.workloads[key] = (replace(facts, restarted_at=stamp), account)


def test_a_restart_that_somebody_made_in_the_same_second_does_not_take_the_place_of_ours() -> None:
    done = staged(before={"1 look": restarted_by_hand})
    assert (done.outcome, done.writes) == ("proven", REPAIR)


def test_a_second_change_in_the_middle_of_the_proof_is_repaired_too() -> None:
    done = staged(before={"1 proof": annotates(None, "argocd-controller")})
    assert (done.outcome, done.annotation) == ("proven", BOUND_ROLE)
    assert done.writes.count("annotate") == 2


def test_an_update_that_somebody_else_began_is_waited_for_before_ours() -> None:
    def begins(play: Performance) -> None:
        play.world.fail("eks.set_addon_role", Busy("the add-on is being updated"), times=3)

    done = staged({"addon_role": None}, before={"1.4 UpdateAddonRole": begins})
    assert done.outcome == "proven"
    assert len(done.play.eks.updates) == 1


# --- it did not work ---------------------------------------------------------------------------------------------------------------------


def a_pod_without(play: Performance) -> None:
    """A pod is replaced that the webhook misses, just as we wait for the proof."""
    play.world.roll_out(play.world.cluster, KEY, None)
    play.world.cluster.webhook.misses = 1
    play.world.replace_pod(play.world.cluster, next(iter(play.world.cluster.pods)))


def test_what_is_left_of_a_partial_success_is_repaired_once_more() -> None:
    done = staged(before={"1 proof": a_pod_without})
    assert done.outcome == "proven"
    assert done.writes == [*REPAIR, "delete"]
    assert done.told == ["acting", "proven"]


def test_after_the_last_repair_a_person_is_needed_and_nothing_more_is_written() -> None:
    done = staged(before={f"{n} proof": a_pod_without for n in range(1, 9)})
    assert done.outcome == "needs-you"
    assert done.writes.count("delete") == MOST_REPAIRS
    assert done.told == ["acting", "needs-you"]


def refused(play: Performance) -> None:
    """The role turns out not to suffice, where the node's did."""
    play.world.roll_out(play.world.cluster, KEY, None)
    for pod in play.world.cluster.pods.values():
        pod.facts = replace(pod.facts, ready=False)
        play.world.cluster.errors.append(PluginError(call="ec2:CreateNetworkInterface", pod=pod.facts.name, at=play.world.now))


def test_what_became_worse_is_put_back_once_and_left_to_a_person() -> None:
    done = staged({"node_role_suffices": True}, before={"1 proof": refused})
    assert done.annotation is None
    assert done.writes == [*REPAIR, "annotate"]
    assert done.told == ["acting", "needs-you"]
    assert done.play.outcome().changes[-1] == "RestoreAnnotation"


def test_an_old_value_is_put_back_as_it_stood() -> None:
    def works(play: Performance) -> None:
        play.world.cluster.working_roles = frozenset({OTHER, BOUND_ROLE})
        play.world.cluster.errors.clear()
        for name in list(play.world.cluster.pods):
            play.world.replace_pod(play.world.cluster, name)

    done = staged({"annotation": OTHER}, first=works, before={"1 proof": refused})
    assert done.writes[-1] == "annotate"
    assert done.annotation == OTHER


def test_what_somebody_else_set_meanwhile_is_not_put_back() -> None:
    def refused_and_changed(play: Performance) -> None:
        refused(play)

    third = role_arn("third")
    done = staged({"node_role_suffices": True}, before={"1 proof": refused_and_changed, "1 proof: restore": annotates(third)})
    assert done.annotation == third
    assert done.writes == REPAIR
    assert "RestoreAnnotation" not in done.play.outcome().changes


def test_what_we_set_before_the_world_moved_is_put_back_too() -> None:
    def moved(play: Performance) -> None:
        play.world.fail("cluster.restart", Conflict("the DaemonSet has changed"))

    done = staged({"node_role_suffices": True}, before={"1.3 RestartWorkload": moved, "2 proof": refused})
    assert "2.1 AnnotateServiceAccount" not in done.steps.done
    assert done.annotation is None
    assert done.told == ["acting", "needs-you"]


def test_what_was_proven_once_is_not_put_back_for_what_came_later() -> None:
    def stale(play: Performance) -> None:
        signalled(play)
        pod = play.world.cluster.pods[next(iter(play.world.cluster.pods))]
        pod.facts = replace(pod.facts, role_arn=None)

    done = staged({"node_role_suffices": True}, before={"2 close": stale, "3 proof": refused})
    assert done.told == ["acting", "proven", "acting", "needs-you"]
    assert done.annotation == BOUND_ROLE


def test_a_cluster_that_does_not_answer_for_a_while_does_not_keep_the_old_value_from_being_put_back() -> None:
    def slow(play: Performance) -> None:
        play.world.fail("cluster.annotate", TransientError("throttled"), times=9)

    done = staged({"node_role_suffices": True}, before={"1 proof": refused, "1 proof: restore": slow})
    assert done.annotation is None


def hangs(waiting: str) -> Callable[[Performance], None]:
    """One pod does not start with the role, as we wait for the proof."""

    def happen(play: Performance) -> None:
        play.world.roll_out(play.world.cluster, KEY, None)
        name = next(iter(play.world.cluster.pods))
        pod = play.world.cluster.pods[name]
        pod.facts = replace(pod.facts, ready=False, waiting=waiting)

    return happen


def test_a_roll_out_that_hangs_is_given_up_within_minutes() -> None:
    done = staged(before={"1 proof": hangs("ImagePullBackOff")})
    assert done.told == ["acting", "needs-you"]
    assert done.annotation == BOUND_ROLE
    assert done.play.world.now - NOON < timedelta(minutes=15)


def test_a_roll_out_that_is_slow_is_given_its_time() -> None:
    done = staged(before={"1 proof": hangs("ContainerCreating")})
    assert done.play.world.now - NOON >= timedelta(seconds=2700)
    assert "needs-you" in done.told
    assert "do not start" not in str(done.play.outcome().messages)


def test_a_canary_that_does_not_turn_ready_puts_the_annotation_back_before_the_others_follow() -> None:
    done = staged({"node_role_suffices": True, "role_suffices": False})
    assert done.annotation is None
    assert done.writes == ["annotate", "delete", "annotate"]
    assert done.told == ["acting", "needs-you"]


def test_a_canary_that_the_webhook_misses_again_and_again_leaves_the_others_as_they_are() -> None:
    done = staged(first=lambda play: setattr(play.world.cluster.webhook, "misses", 99))
    assert done.writes == ["annotate", "delete", "delete", "delete", "delete"]
    assert done.told == ["acting", "needs-you"]


def _replaced_but_for(play: Performance, count: int) -> list[str]:
    """The annotation is right, and so many pods are still without the role; their names."""
    annotates(BOUND_ROLE)(play)
    names = list(play.world.cluster.pods)
    for name in names[count:]:
        play.world.replace_pod(play.world.cluster, name)
    return names[:count]


def _down(play: Performance, names: list[str]) -> None:
    for name in names:
        pod = play.world.cluster.pods[name]
        pod.facts = replace(pod.facts, ready=False)


def test_pods_that_do_not_work_are_replaced_before_those_that_do() -> None:
    sick: list[str] = []

    def half(play: Performance) -> None:
        sick.extend(_replaced_but_for(play, 7)[-2:])
        _down(play, sick)

    done = staged({"nodes": 15, "node_role_suffices": True}, first=half)
    deleted = [it.rpartition("/")[2] for it in done.play.world.writes]
    assert len(deleted) == 7
    assert set(deleted[1:3]) == set(sick), "after the canary, the first wave of two"
    assert done.outcome == "proven"


def test_a_wave_takes_no_pod_down_while_as_many_as_may_be_are_down_already() -> None:
    def half(play: Performance) -> None:
        _replaced_but_for(play, 7)

    def others(play: Performance) -> None:
        cluster = play.world.cluster
        _down(play, [name for name, pod in cluster.pods.items() if pod.facts.role_arn == BOUND_ROLE][:2])

    done = staged(
        {"nodes": 15, "node_role_suffices": True},
        first=half,
        before={"1.2 DeleteStalePods: waves": others},
    )
    assert done.writes == ["delete"], "the canary alone"
    assert done.told == ["acting", "needs-you"]


def test_the_next_wave_waits_for_the_one_before() -> None:
    def half(play: Performance) -> None:
        annotates(BOUND_ROLE)(play)
        for name in list(play.world.cluster.pods)[:8]:
            play.world.replace_pod(play.world.cluster, name)

    def crash(play: Performance) -> None:
        play.world.cluster.successors_crash = True

    done = staged({"nodes": 15, "node_role_suffices": True}, first=half, before={"1.2 DeleteStalePods: waves": crash})
    assert done.writes == ["delete"] * 3  # the canary, and one wave of two
    assert done.told == ["acting", "needs-you"]


def test_a_wave_that_does_not_come_back_stops_the_next() -> None:
    def half(play: Performance) -> None:
        annotates(BOUND_ROLE)(play)
        for name in list(play.world.cluster.pods)[:2]:
            play.world.replace_pod(play.world.cluster, name)
        play.world.cluster.successors_crash = True

    done = staged({"nodes": 12, "node_role_suffices": True, "annotation": None}, first=half)
    assert done.writes.count("delete") == 1
    assert done.told == ["acting", "needs-you"]


def test_a_successor_of_the_same_second_is_told_from_the_pods_that_were_there() -> None:
    """Four pods of a Deployment, all created in the second of the repair: only the one that was tried is replaced before the restart."""

    def at_once(play: Performance) -> None:
        for name in list(play.world.cluster.pods):
            play.world.replace_pod(play.world.cluster, name)

    done = staged({"service_account": "ebs-csi-controller-sa"}, first=at_once)
    assert (done.outcome, done.writes) == ("proven", REPAIR)


# --- people ------------------------------------------------------------------------------------------------------------------------------

APPROVE = {"settings": {"mode": "approve"}}


def test_with_a_yes_the_plan_runs() -> None:
    done = staged(APPROVE, answer=lambda _: {"approved": True, "by": "dana"})
    assert (done.outcome, done.writes) == ("proven", REPAIR)
    assert done.told == ["asking", "acting", "proven"]


@pytest.mark.parametrize("answer", [{"approved": False, "by": "dana"}, {"timed_out": True}, {}], ids=["no", "nobody", "nonsense"])
def test_without_a_yes_nothing_is_written(answer: Json) -> None:
    done = staged(APPROVE, answer=lambda _: answer)
    assert (done.outcome, done.writes) == ("needs-you", [])
    assert done.told == ["asking", "not-approved"]


def test_a_plan_that_changed_while_a_person_thought_is_asked_again() -> None:
    answers = iter([{"approved": True, "by": "dana"}, {"approved": False, "by": "dana"}])
    lost = {"1000 look": _lose_record}
    done = staged(APPROVE, answer=lambda _: next(answers), before=lost)
    assert done.writes == []
    assert done.told == ["asking", "asking", "not-approved"]


def _lose_record(play: Performance) -> None:
    record = play.world.cluster.addons["vpc-cni"]
    play.world.cluster.addons["vpc-cni"] = replace(record, role_arn=None)


def test_what_was_repaired_by_hand_while_a_person_thought_is_not_repaired_again() -> None:
    def by_hand(play: Performance) -> None:
        annotates(BOUND_ROLE)(play)
        for name in list(play.world.cluster.pods):
            play.world.replace_pod(play.world.cluster, name)

    done = staged(APPROVE, answer=lambda _: {"approved": True, "by": "dana"}, before={"1000 look": by_hand})
    assert (done.outcome, done.writes) == ("recovered", [])


def test_the_answer_is_waited_for_under_an_id_that_the_incident_names() -> None:
    asked: list[str | None] = []

    def answer(given: str) -> Json:
        asked.append(given)
        return {"approved": False}

    staged(APPROVE, answer=answer)
    assert len(asked) == 1
    assert asked[0]


# --- time --------------------------------------------------------------------------------------------------------------------------------


def _repaired(ago: timedelta) -> PastIncident:
    at = NOON - ago
    return PastIncident(
        id="past-1",
        target=TARGET,
        opened_at=at,
        closed_at=at,
        outcome=Outcome.PROVEN,
        verdict="annotation-missing",
        trigger="sweep",
        changes=("RestartWorkload",),
        signals=1,
    )


def test_what_the_cool_down_holds_back_is_repaired_when_it_ends() -> None:
    done = staged(first=lambda play: play.incidents.remember(_repaired(timedelta(seconds=60))))
    assert done.told == ["withheld", "acting", "proven"]
    assert done.writes == REPAIR
    assert timedelta(seconds=240) <= done.play.world.now - NOON < timedelta(minutes=10)


def test_a_wait_that_ends_within_a_second_is_told_once() -> None:
    done = staged(first=lambda play: play.incidents.remember(_repaired(timedelta(seconds=59, milliseconds=600))))
    assert done.told == ["withheld", "acting", "proven"]


def test_a_person_is_told_once_and_reminded_ever_more_rarely_and_then_the_sweep_takes_over() -> None:
    done = staged({"trust": "other-subject"}, watches=4)
    assert done.told == ["needs-you", "reminder", "reminder", "reminder", "reminder"]
    assert (done.outcome, done.writes) == ("needs-you", [])
    assert done.play.incidents.get(TARGET) is None
    assert done.play.world.now - NOON >= timedelta(days=4)


def test_when_a_person_has_corrected_the_trust_policy_it_repairs() -> None:
    def corrected(play: Performance) -> None:
        play.world.cluster.working_roles = frozenset({BOUND_ROLE})
        play.world.roles[BOUND_ROLE] = RoleFacts(arn=BOUND_ROLE, trust=right_trust(play.world.cluster.facts.issuer or ""))

    done = staged({"trust": "other-subject"}, before={"1 watch 1": corrected}, watches=1)
    assert done.told == ["needs-you", "acting", "proven"]
    assert done.writes == REPAIR


def test_when_a_person_has_repaired_it_all_it_says_so_and_closes() -> None:
    def by_hand(play: Performance) -> None:
        annotates(BOUND_ROLE)(play)
        for name in list(play.world.cluster.pods):
            play.world.replace_pod(play.world.cluster, name)

    done = staged({"settings": {"mode": "observe"}}, before={"1 watch 1": by_hand}, watches=1)
    assert done.told == ["withheld", "recovered"]
    assert (done.outcome, done.writes) == ("recovered", [])


def test_what_turns_well_after_we_gave_up_is_told_and_closed() -> None:
    def runs(play: Performance) -> None:
        for name in list(play.world.cluster.pods):
            play.world.replace_pod(play.world.cluster, name)

    done = staged(before={"1 proof": hangs("ImagePullBackOff"), "2 watch 1": runs}, watches=1)
    assert done.told == ["acting", "needs-you", "proven"]
    assert done.outcome == "proven"
    assert done.writes == REPAIR


def test_having_given_up_it_does_not_try_again_though_the_plan_could_run() -> None:
    done = staged(before={"1 proof": hangs("ImagePullBackOff")}, watches=2)
    assert done.told == ["acting", "needs-you", "reminder", "reminder"]
    assert done.writes == REPAIR


def test_a_mode_that_is_set_back_lets_it_repair() -> None:
    def enforce(play: Performance) -> None:
        play.world.parameters[settings_path(CLUSTER, "mode")] = Parameter(value="enforce")

    done = staged({"settings": {"mode": "observe"}}, before={"1 watch 1": enforce}, watches=1)
    assert done.told == ["withheld", "acting", "proven"]


def test_a_binding_that_is_taken_away_ends_the_repair() -> None:
    def unbind(play: Performance) -> None:
        del play.world.parameters[binding_path(CLUSTER, *KEY)]
        annotates(None)(play)

    done = staged(before={"1.1 AnnotateServiceAccount": unbind})
    assert done.writes == []


# --- signals -----------------------------------------------------------------------------------------------------------------------------


def test_a_signal_that_no_look_has_seen_lets_it_look_again_before_it_closes() -> None:
    def again(play: Performance) -> None:
        play.incidents.signal(TARGET, Signal(occurred_at=play.world.now, check="another", at=play.world.now))
        annotates(None)(play)

    done = staged(before={"2 close": again})
    assert done.outcome == "proven"
    assert done.writes.count("annotate") == 2
    assert "3 look" in done.steps.done
    assert done.play.incidents.closed[-1].signals == 2


def test_what_was_proven_before_says_nothing_of_a_repair_since() -> None:
    def again(play: Performance) -> None:
        play.incidents.signal(TARGET, Signal(occurred_at=play.world.now, check="another", at=play.world.now))
        annotates(None)(play)

    done = staged(before={"2 close": again, "3 proof": hangs("ImagePullBackOff")})
    assert done.told == ["acting", "proven", "acting", "needs-you"]
    assert done.outcome == "needs-you"


def signalled(play: Performance) -> None:
    play.incidents.signal(TARGET, Signal(occurred_at=play.world.now, check="another", at=play.world.now))


def test_a_signal_of_nothing_new_costs_a_look_and_closes() -> None:
    done = staged(before={"2 close": signalled})
    assert (done.outcome, done.writes) == ("proven", REPAIR)
    assert "3 look" not in done.steps.done
    assert done.play.incidents.closed[-1].signals == 2


def test_an_incident_that_another_execution_has_taken_over_is_its_to_close() -> None:
    def taken(play: Performance) -> None:
        ours = play.incidents.get(TARGET)
        assert ours
        play.incidents.take_over(ours, replace(ours, id="successor"))

    done = staged(before={"2 close": taken})
    found = done.play.incidents.get(TARGET)
    assert isinstance(found, Incident)
    assert found.id == "successor"
    assert done.play.incidents.closed == []


# --- the outside fails -------------------------------------------------------------------------------------------------------------------


def test_while_nobody_can_be_told_the_repair_goes_on_and_the_message_follows() -> None:
    def down(play: Performance) -> None:
        play.world.fail("notifier.send", TransientError("SNS: 503"), times=None)

    def up(play: Performance) -> None:
        play.world.troubles.clear()

    done = staged(first=down, before={"2 tell again": up})
    assert (done.outcome, done.writes) == ("proven", REPAIR)
    assert done.told == ["proven"]


def _nobody_hears(play: Performance) -> None:
    play.world.fail("notifier.send", TransientError("SNS: 503"), times=9)


def test_a_person_who_is_needed_hears_of_it_as_soon_as_anybody_can_be_told() -> None:
    done = staged({"trust": "other-subject"}, before={"1 tell needs-you": _nobody_hears}, watches=0)
    assert done.told == ["needs-you"]


def test_a_question_that_nobody_heard_is_put_again() -> None:
    done = staged(APPROVE, answer=lambda _: {"approved": True, "by": "dana"}, first=_nobody_hears)
    assert done.told == ["asking", "acting", "proven"]


def test_where_nobody_can_ever_be_told_the_incident_is_closed_all_the_same() -> None:
    done = staged(first=lambda play: play.world.fail("notifier.send", TransientError("SNS: 503"), times=None))
    assert (done.outcome, done.told, done.writes) == ("proven", [], REPAIR)


def test_which_clusters_turned_wrong_is_asked_only_where_the_parameter_changed_lately() -> None:
    def of_yesterday(play: Performance) -> None:
        path = binding_path(CLUSTER, *KEY)
        play.world.parameters[path] = replace(play.world.parameters[path], changed_at=NOON - timedelta(days=1))
        play.world.fail("incidents.turned_wrong", AccessDenied("read the marks: 403", denial=Denial.FORBIDDEN), times=None)

    assert staged(first=of_yesterday).outcome == "proven"


@pytest.mark.parametrize("method", ["parameters.load", "eks.cluster", "cluster.pods", "incidents.get", "incidents.history"])
def test_what_does_not_answer_for_a_while_is_waited_for(method: str) -> None:
    def slow(play: Performance) -> None:
        play.world.fail(method, TransientError("throttled"), times=9)

    done = staged(before={"1 look": slow, "1 proof": slow})
    assert (done.outcome, done.writes) == ("proven", REPAIR)


@pytest.mark.parametrize("method", ["cluster.annotate", "cluster.delete_pod", "cluster.restart", "eks.set_addon_role"])
@pytest.mark.parametrize("after", [False, True], ids=["before its effect", "after its effect"])
@pytest.mark.parametrize("times", [1, 3, 9])
def test_a_write_whose_answer_is_lost_is_made_once(method: str, after: bool, times: int) -> None:
    def lost(play: Performance) -> None:
        play.world.fail(method, TransientError("connection reset"), times=times, after=after)

    done = staged({"addon_role": None}, first=lost)
    assert (done.outcome, sorted(done.writes)) == ("proven", sorted([*REPAIR, "set"]))
    assert done.told == ["acting", "proven"]


@pytest.mark.parametrize("denial", [Denial.UNREACHABLE, Denial.UNAUTHENTICATED])
def test_a_door_that_is_closed_for_a_moment_is_tried_again(denial: Denial) -> None:
    def shut(play: Performance) -> None:
        play.world.fail("cluster.service_account", AccessDenied("401", denial=denial), times=5)

    done = staged(before={"1 look": shut})
    assert (done.outcome, done.told) == ("proven", ["acting", "proven"])


LOST: dict[str, Callable[[], Exception]] = {
    "its name does not resolve": lambda: AccessDenied("[Errno -2] Name or service not known", denial=Denial.UNREACHABLE),
    "the login ran out": lambda: AccessDenied("401 Unauthorized", denial=Denial.UNAUTHENTICATED),
    "the connection is half open": lambda: TransientError("read timed out"),
    "our credentials ran out": lambda: TransientError("ExpiredTokenException"),
}


STEPS = {
    "1 look": [],
    "1.1 AnnotateServiceAccount": ["annotate"],
    "1.2 ReplaceOnePod": ["delete_pod"],
    "1.2 ReplaceOnePod: successor": [],
    "1.3 RestartWorkload": ["restart"],
    "1 proof": [],
}
"""Steps of a repair, each with the write that it makes."""


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("error", LOST.values(), ids=LOST)
def test_a_cluster_that_is_lost_before_any_step_is_found_again(step: str, error: Callable[[], Exception]) -> None:
    def lost(play: Performance) -> None:
        for request in ("service_account", "workload", "pods", "nodes", *STEPS[step]):
            play.world.fail(f"cluster.{request}", error(), times=1 if request in STEPS[step] else 3)

    done = staged(before={step: lost})
    assert step in done.steps.done
    assert (done.outcome, done.told) == ("proven", ["acting", "proven"])
    assert done.writes.count("restart") <= 1


def test_a_write_that_is_refused_for_good_is_told_with_the_reason() -> None:
    def forbid(play: Performance) -> None:
        play.world.fail("cluster.restart", AccessDenied("restart aws-node: 403", denial=Denial.FORBIDDEN), times=None)

    done = staged(first=forbid)
    assert done.told == ["acting", "needs-you"]
    assert "aws-node: 403" in str(done.play.outcome().messages[-1])


def test_what_pagers_are_told_is_in_words() -> None:
    sent = [detail for kind, detail in staged().play.bus.sent if kind == "Remediation Proven"]
    assert sent[0]["changes"] == ["annotation set", "one pod replaced first", "all pods restarted"]
