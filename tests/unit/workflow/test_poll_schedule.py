"""Waiting: cool-downs, reminders, and changes by others meanwhile."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from lambdas.contract.names import FIELD_MANAGER
from lambdas.contract.parameters import binding_path
from lambdas.contract.settings import settings_path
from lambdas.domain.errors import AccessDenied, Denial, TransientError
from lambdas.domain.snapshot.bindings import Parameter
from lambdas.notifications.message_context import ApprovalAnswer
from sandbox.simulation.scenario import BOUND
from tests.over_fakes.scenario_world import BOUND_ROLE, CLUSTER
from tests.unit.domain.snapshot_fixtures import repaired
from tests.unit.workflow.workflow_run import (
    APPROVE,
    KEY,
    REPAIR,
    SHOWN,
    TARGET,
    break_trust,
    by_hand,
    count_signal,
    keep_waiting,
    mend_trust,
    refuse_role,
    run_workflow,
    set_annotation,
    together,
)
from tests.world import NOON

if TYPE_CHECKING:
    from lambdas.domain.incidents.incident import PastIncident
    from tests.over_fakes.scenario_run import ScenarioRun
    from tests.unit.workflow.workflow_run import InterruptedSteps, WorkflowRun


def repaired_ago(ago: timedelta) -> PastIncident:
    at = NOON - ago
    return replace(repaired(ago, "restart-workload"), target=TARGET, opened_at=at, closed_at=at)


def test_a_repair_that_the_cooldown_blocks_runs_after_it() -> None:
    done = run_workflow(first=lambda run: run.incidents.remember(repaired_ago(timedelta(seconds=60))))
    assert done.notified == ["blocked", "repairing", "verified"]
    assert done.writes == REPAIR
    assert timedelta(seconds=240) <= done.run.world.now - NOON < timedelta(minutes=10)


@pytest.mark.parametrize("setting", [120, 7_200], ids=["shorter than the default", "longer"])
def test_the_wait_for_a_running_update_has_its_configured_limit(setting: int) -> None:
    def runs(run: ScenarioRun) -> None:
        record = run.world.cluster.addons["vpc-cni"]
        run.world.cluster.addons["vpc-cni"] = replace(record, status="UPDATING")
        run.world.parameters[settings_path(CLUSTER, "update_timeout_s")] = Parameter(value=str(setting))

    done = run_workflow(first=runs)
    assert done.writes == []
    assert done.notified
    assert timedelta(0) <= done.run.world.now - NOON - timedelta(seconds=setting) < timedelta(minutes=1)


def test_a_fault_that_begins_to_fail_does_not_wait_for_the_maintenance_window() -> None:
    def closes(run: ScenarioRun) -> None:
        run.world.parameters[settings_path(CLUSTER, "maintenance_window")] = Parameter(value="tue 02:00-04:00")
        set_annotation(None)(run)

    def fails_after_an_hour(run: ScenarioRun, steps: InterruptedSteps) -> None:
        def sleep(seconds: float) -> None:
            is_before = run.world.now < NOON + timedelta(hours=1)
            run.world.sleep(seconds)
            if is_before and run.world.now >= NOON + timedelta(hours=1):
                run.world.replace_pod(run.world.cluster, next(iter(run.world.cluster.pods)))

        steps.sleep = sleep

    done = run_workflow({"annotation": BOUND}, first=closes, prepare=fails_after_an_hour)
    assert done.notified == ["blocked", "repairing", "verified"]
    assert done.run.world.now - NOON < timedelta(hours=2)


def test_an_incident_that_waits_for_the_maintenance_window_closes_once_a_person_has_repaired_it() -> None:
    def closes(run: ScenarioRun) -> None:
        run.world.parameters[settings_path(CLUSTER, "maintenance_window")] = Parameter(value="tue 02:00-04:00")
        set_annotation(None)(run)

    done = run_workflow({"annotation": BOUND}, first=closes, before={"1 pause": by_hand})
    assert done.notified == ["blocked", "recovered"]
    assert done.run.world.now - NOON < timedelta(hours=1)


def test_a_notification_that_could_not_be_sent_is_sent_again_before_the_wait_for_the_maintenance_window() -> None:
    def closes(run: ScenarioRun) -> None:
        run.world.parameters[settings_path(CLUSTER, "maintenance_window")] = Parameter(value="tue 02:00-04:00")
        set_annotation(None)(run)
        run.world.fail("notifier.send", TransientError("no answer"), times=4)

    done = run_workflow({"annotation": BOUND}, first=closes, before={"1 pause": by_hand})
    assert done.notified == ["blocked", "recovered"]


def test_a_wait_of_a_week_for_the_maintenance_window_is_reported_every_three_days() -> None:
    def closes(run: ScenarioRun) -> None:
        run.world.parameters[settings_path(CLUSTER, "maintenance_window")] = Parameter(value="thu 10:00-12:00")
        set_annotation(None)(run)

    done = run_workflow({"annotation": BOUND}, first=closes)
    assert done.notified == ["blocked", "blocked", "blocked", "repairing", "verified"]


def test_a_block_of_less_than_a_second_sends_one_notification() -> None:
    done = run_workflow(first=lambda run: run.incidents.remember(repaired_ago(timedelta(seconds=59, milliseconds=600))))
    assert done.notified == ["blocked", "repairing", "verified"]


def test_a_person_gets_four_reminders_before_the_incident_close() -> None:
    done = run_workflow({"trust": "other-subject"}, watches=4)
    assert done.notified == ["needs-action", "reminder", "reminder", "reminder", "reminder"]
    assert (done.outcome, done.writes) == ("needs-action", [])
    assert done.run.incidents.get(TARGET) is None
    assert done.run.world.now - NOON >= timedelta(days=4)


def _titles(done: WorkflowRun) -> list[str]:
    return [message["content"]["title"] for message in done.run.outcome().messages]


def test_a_reminder_describes_the_time_at_which_it_is_sent() -> None:
    def joins(run: ScenarioRun) -> None:
        run.world.join_nodes(1)

    done = run_workflow({"trust": "other-subject"}, before={"1 assess reminder 1": joins}, watches=4)
    ages = [title.partition("not fixed after ")[2].partition(",")[0] for title in _titles(done)[1:]]
    assert ages == ["1 h", "5 h", "29 h", "4 days"]
    assert "7 pods" in done.run.notifier.sent[1].text


def test_a_fault_that_ends_before_a_reminder_needs_none() -> None:
    def corrected(run: ScenarioRun) -> None:
        run.world.cluster.working_roles = frozenset({BOUND_ROLE})
        by_hand(run)
        mend_trust(run)

    done = run_workflow({"trust": "other-subject"}, before={"1 assess reminder 1": corrected}, watches=1)
    assert done.notified == ["needs-action", "recovered"]


def test_a_fault_that_cannot_be_read_any_more_has_not_recovered() -> None:
    def refuse(run: ScenarioRun) -> None:
        run.world.fail("iam.role", AccessDenied("read the role: 403", denial=Denial.FORBIDDEN), times=None)

    def works(run: ScenarioRun) -> None:
        run.world.cluster.working_roles = frozenset({BOUND_ROLE})
        by_hand(run)

    done = run_workflow({"trust": "other-subject"}, first=works, before={"1 watch 1": refuse}, watches=2)
    assert done.notified == ["needs-action", "reminder", "reminder"]
    assert done.run.incidents.get(TARGET) is not None


def test_the_end_of_an_incident_claims_nothing_about_a_trust_policy_that_was_never_read() -> None:
    def shut_out(run: ScenarioRun) -> None:
        by_hand(run)
        run.world.fail("cluster.workload", AccessDenied("cluster.workload: 403", denial=Denial.FORBIDDEN), times=None)

    def let_in(run: ScenarioRun) -> None:
        run.world.call_faults.clear()
        refuse_role(run)

    works = {"annotation": BOUND, "trust": "valid"}
    done = run_workflow(works, first=shut_out, before={"1 watch 1": let_in}, watches=1)
    assert done.notified == ["needs-action", "recovered"]
    assert _titles(done)[1] == "🟡 demo: no fault of aws-node is found any more · not checked: the role, the trust policy"
    assert done.run.notifier.sent[1].subject.startswith("NOTE ")


def test_a_verified_repair_names_a_trust_policy_that_could_not_be_read() -> None:
    done = run_workflow(before={"1 verify": refuse_role})
    assert done.notified == ["repairing", "verified"]
    assert _titles(done)[1].endswith("has its role again · repaired, not checked: the role, the trust policy")


def test_a_fault_after_a_verified_repair_stays_open_while_it_cannot_be_read() -> None:
    done = run_workflow(before={"2 close": together(count_signal, break_trust), "3 watch 1": refuse_role}, watches=2)
    assert done.notified == ["repairing", "verified", "needs-action", "reminder", "reminder"]
    assert done.run.incidents.get(TARGET) is not None


def test_a_fault_has_not_recovered_without_a_binding_while_pods_lack_the_lost_role() -> None:
    def lose_the_role(run: ScenarioRun) -> None:
        for name in list(run.world.cluster.pods):
            run.world.replace_pod(run.world.cluster, name)

    world = {"binding": None, "addon_role": BOUND, "node_role_has_permissions": True}
    changes = {"1 watch 1": set_annotation(BOUND_ROLE), "1 watch 2": by_hand}
    done = run_workflow(world, first=lose_the_role, before=changes, watches=2)
    assert done.notified == ["blocked", "reminder", "recovered"]
    assert "recovered without a repair" in _titles(done)[2]


def test_a_new_fault_does_not_make_a_verified_repair_a_failed_one() -> None:
    def loses(run: ScenarioRun) -> None:
        count_signal(run)
        run.world.lose_node(run.world.cluster, next(iter(run.world.cluster.nodes)))
        run.world.sleep(600)

    done = run_workflow(before={"2 close": loses})
    assert done.notified == ["repairing", "verified", "needs-action"]
    assert _titles(done)[-1].endswith("the last repair was verified")


def test_no_message_denies_a_change_that_a_crash_may_have_hidden() -> None:
    """A process that ends between a write and its checkpoint leaves no trace in the workflow, as here."""

    def written_by_a_process_that_crashed(run: ScenarioRun) -> None:
        set_annotation(BOUND_ROLE, FIELD_MANAGER)(run)
        set_annotation(None)(run)
        break_trust(run)

    def corrected(run: ScenarioRun) -> None:
        by_hand(run)
        mend_trust(run)

    changes = {"1.1 apply annotate-service-account": written_by_a_process_that_crashed, "2 watch 1": corrected}
    done = run_workflow(before=changes, watches=1)
    assert done.notified == ["repairing", "needs-action", "recovered"]
    assert _titles(done)[1].endswith("action needed now, no change is on record")
    assert _titles(done)[2].endswith("aws-node recovered · no action needed")


def test_a_second_approval_request_does_not_deny_the_first_repair() -> None:
    approve = ApprovalAnswer(approved=True, plan=SHOWN)
    done = run_workflow(APPROVE, before={"2 close": together(count_signal, set_annotation(None))}, answer=lambda _: approve)
    assert done.notified[:4] == ["approval-requested", "repairing", "verified", "approval-requested"]
    assert ["nothing was changed" in title for title in _titles(done)[:4:3]] == [True, False]


def test_a_corrected_trust_policy_starts_the_repair() -> None:
    def corrected(run: ScenarioRun) -> None:
        run.world.cluster.working_roles = frozenset({BOUND_ROLE})
        mend_trust(run)

    done = run_workflow({"trust": "other-subject"}, before={"1 watch 1": corrected}, watches=1)
    assert done.notified == ["needs-action", "repairing", "verified"]
    assert done.writes == REPAIR


def test_a_manual_repair_closes_the_incident_as_recovered() -> None:
    done = run_workflow({"settings": {"mode": "observe"}}, before={"1 watch 1": by_hand}, watches=1)
    assert done.notified == ["blocked", "recovered"]
    assert (done.outcome, done.writes) == ("recovered", [])


def test_a_recovery_after_a_failed_repair_is_reported_and_closes_the_incident() -> None:
    def runs(run: ScenarioRun) -> None:
        for name in list(run.world.cluster.pods):
            run.world.replace_pod(run.world.cluster, name)

    done = run_workflow(before={"1 verify": keep_waiting("ImagePullBackOff"), "2 watch 1": runs}, watches=1)
    assert done.notified == ["repairing", "needs-action", "verified"]
    assert done.outcome == "verified"
    assert done.writes == REPAIR


def test_no_repair_follows_a_failed_one() -> None:
    done = run_workflow(before={"1 verify": keep_waiting("ImagePullBackOff")}, watches=2)
    assert done.notified == ["repairing", "needs-action", "reminder", "reminder"]
    assert done.writes == REPAIR


def test_mode_enforce_starts_the_repair() -> None:
    def enforce(run: ScenarioRun) -> None:
        run.world.parameters[settings_path(CLUSTER, "mode")] = Parameter(value="enforce")

    done = run_workflow({"settings": {"mode": "observe"}}, before={"1 watch 1": enforce}, watches=1)
    assert done.notified == ["blocked", "repairing", "verified"]


def test_a_removed_binding_ends_the_repair() -> None:
    def unbind(run: ScenarioRun) -> None:
        del run.world.parameters[binding_path(CLUSTER, *KEY)]
        set_annotation(None)(run)

    done = run_workflow(before={"1.1 apply annotate-service-account": unbind})
    assert done.writes == []


def test_a_fault_has_not_recovered_when_its_binding_is_removed() -> None:
    def lose_the_role(run: ScenarioRun) -> None:
        run.world.cluster.webhook.misses = 99
        for name in list(run.world.cluster.pods):
            run.world.replace_pod(run.world.cluster, name)

    def unbind(run: ScenarioRun) -> None:
        del run.world.parameters[binding_path(CLUSTER, *KEY)]

    world = {"annotation": BOUND, "addon_role": BOUND, "settings": {"mode": "observe"}, "node_role_has_permissions": True}
    done = run_workflow(world, first=lose_the_role, before={"1 watch 1": unbind}, watches=1)
    assert done.notified == ["blocked", "reminder"]
    assert done.run.incidents.get(TARGET) is not None


def test_a_fault_without_a_binding_has_not_recovered_while_the_record_cannot_be_read() -> None:
    def refuse_record(run: ScenarioRun) -> None:
        run.world.fail("eks.addon", AccessDenied("eks.addon: 403", denial=Denial.FORBIDDEN), times=None)

    def unbind(run: ScenarioRun) -> None:
        del run.world.parameters[binding_path(CLUSTER, *KEY)]
        facts = run.world.cluster.facts
        run.world.cluster.facts = replace(facts, created_at=facts.created_at - timedelta(days=30))

    world = {"annotation": None, "addon_role": BOUND, "node_role_has_permissions": True}
    done = run_workflow(world, first=unbind, before={"1 watch 1": refuse_record}, watches=1)
    assert done.notified == ["blocked", "reminder"]
    assert done.run.incidents.get(TARGET) is not None


def test_a_fault_has_not_recovered_while_pods_do_not_start() -> None:
    def corrected(run: ScenarioRun) -> None:
        run.world.cluster.working_roles = frozenset({BOUND_ROLE})
        by_hand(run)
        mend_trust(run)
        pod = next(iter(run.world.cluster.pods.values()))
        pod.facts = replace(pod.facts, ready=False, waiting="ContainerCreating")

    done = run_workflow({"trust": "other-subject"}, before={"1 watch 1": corrected}, watches=1)
    assert "recovered" not in done.notified
    assert done.run.incidents.get(TARGET) is not None


def test_a_precondition_that_was_wrong_and_cannot_be_read_any_more_still_blocks_the_repair() -> None:
    def refuse(run: ScenarioRun) -> None:
        run.world.fail("iam.role", AccessDenied("read the role: 403", denial=Denial.FORBIDDEN), times=None)

    done = run_workflow({"trust": "other-subject"}, before={"1 watch 1": refuse}, watches=2)
    assert done.writes == []
    assert done.notified[:2] == ["needs-action", "needs-action"]
    assert "Trust policy was read as wrong before, and could not be read now" in done.run.notifier.sent[1].text


def test_a_precondition_that_was_wrong_is_not_forgotten_while_the_cluster_cannot_be_read() -> None:
    def shut_out(run: ScenarioRun) -> None:
        run.world.fail("cluster.workload", AccessDenied("cluster.workload: 403", denial=Denial.FORBIDDEN), times=None)

    def let_in(run: ScenarioRun) -> None:
        run.world.call_faults.clear()
        refuse_role(run)

    done = run_workflow({"trust": "other-subject"}, before={"1 watch 1": shut_out, "2 watch 1": let_in}, watches=3)
    assert done.writes == []
    assert done.notified[:3] == ["needs-action", "needs-action", "needs-action"]
    assert "Trust policy was read as wrong before, and could not be read now" in done.run.notifier.sent[2].text


def test_a_failure_gives_the_time_of_numbers_that_could_not_be_read_again() -> None:
    def is_down(run: ScenarioRun) -> None:
        run.world.fail("parameters.load", TransientError("no answer"), times=None)

    def miss_pods(run: ScenarioRun) -> None:
        run.world.cluster.webhook.misses = 99

    def is_up(run: ScenarioRun) -> None:
        run.world.call_faults.clear()

    done = run_workflow(first=miss_pods, before={"1 assess failed": is_down, "1 release": is_up})
    assert done.notified == ["repairing", "needs-action"]
    assert "Now: 0 of 6 pods" in done.run.notifier.sent[0].text
    assert "At 12:00:00 UTC: 0 of 6 pods" in done.run.notifier.sent[1].text


def test_a_reminder_gives_the_time_of_numbers_that_could_not_be_read_again() -> None:
    def is_down(run: ScenarioRun) -> None:
        run.world.fail("parameters.load", TransientError("no answer"), times=None)

    done = run_workflow({"trust": "other-subject"}, before={"1 watch 1": is_down}, watches=1)
    assert done.notified == ["needs-action", "reminder"]
    assert "Now: 0 of 6 pods" in done.run.notifier.sent[0].text
    assert "At 12:00:00 UTC: 0 of 6 pods" in done.run.notifier.sent[1].text


def test_a_reminder_that_could_not_be_sent_is_not_sent_once_the_fault_has_ended() -> None:
    def is_down(run: ScenarioRun) -> None:
        run.world.fail("notifier.send", TransientError("no answer"), times=None)

    def corrected(run: ScenarioRun) -> None:
        run.world.call_faults.clear()
        run.world.cluster.working_roles = frozenset({BOUND_ROLE})
        by_hand(run)
        mend_trust(run)

    done = run_workflow({"trust": "other-subject"}, before={"1 notify reminder 1": is_down, "1 watch 2": corrected}, watches=2)
    assert "1 notify-again reminder 1" in map(str, done.steps.done)
    assert done.notified == ["needs-action", "recovered"]
