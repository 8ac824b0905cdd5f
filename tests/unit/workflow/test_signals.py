"""Signals while an incident is open, and an incident that was taken over."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from lambdas.contract.parameters import binding_path
from lambdas.domain.incidents.incident import FORMER_REPAIR, WAS_REPORTED, FormerRepair, Incident, Signal
from sandbox.simulation.scenario import BOUND
from tests.over_fakes.scenario_world import BOUND_ROLE, CLUSTER
from tests.unit.workflow.workflow_run import (
    KEY,
    REPAIR,
    TARGET,
    break_trust,
    by_hand,
    count_signal,
    keep_waiting,
    mend_trust,
    run_workflow,
    set_annotation,
    together,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.over_fakes.scenario_run import ScenarioRun
    from tests.unit.workflow.workflow_run import WorkflowRun


def test_a_signal_of_a_new_fault_keeps_the_incident_open() -> None:
    def again(run: ScenarioRun) -> None:
        run.incidents.signal(TARGET, Signal(occurred_at=run.world.now, check="another", at=run.world.now))
        set_annotation(None)(run)

    done = run_workflow(before={"2 close": again})
    assert done.outcome == "verified"
    assert done.writes.count("annotate") == 2
    assert "3 assess" in map(str, done.steps.done)
    assert done.run.incidents.closed[-1].signals == 2


def test_a_verification_does_not_count_for_a_later_repair() -> None:
    def again(run: ScenarioRun) -> None:
        run.incidents.signal(TARGET, Signal(occurred_at=run.world.now, check="another", at=run.world.now))
        set_annotation(None)(run)

    done = run_workflow(before={"2 close": again, "3 verify": keep_waiting("ImagePullBackOff")})
    assert done.notified == ["repairing", "verified", "repairing", "needs-action"]
    assert done.outcome == "needs-action"


def test_the_end_of_another_fault_after_a_verified_repair_is_told() -> None:
    done = run_workflow(before={"2 close": together(count_signal, break_trust), "3 watch 1": mend_trust}, watches=1)
    assert done.outcome == "verified"
    assert done.notified == ["repairing", "verified", "needs-action", "verified"]


def test_the_end_of_another_fault_after_a_verified_repair_is_not_told_before_the_pods_are_ready() -> None:
    def mend_and_start(run: ScenarioRun) -> None:
        mend_trust(run)
        pod = next(iter(run.world.cluster.pods.values()))
        pod.facts = replace(pod.facts, ready=False, waiting="ContainerCreating", created_at=run.world.now)

    done = run_workflow(before={"2 close": together(count_signal, break_trust), "3 watch 1": mend_and_start}, watches=1)
    assert done.notified == ["repairing", "verified", "needs-action", "needs-action"]
    assert "do not become ready" in done.run.notifier.sent[-1].subject


def test_a_signal_without_a_new_fault_costs_one_assessment() -> None:
    done = run_workflow(before={"2 close": count_signal})
    assert (done.outcome, done.writes) == ("verified", REPAIR)
    assert "3 assess" not in map(str, done.steps.done)
    assert done.run.incidents.closed[-1].signals == 2


def test_an_incident_that_was_taken_over_is_not_closed() -> None:
    def taken(run: ScenarioRun) -> None:
        ours = run.incidents.get(TARGET)
        assert ours
        run.incidents.take_over(ours, replace(ours, id="successor"))

    done = run_workflow(before={"2 close": taken})
    found = done.run.incidents.get(TARGET)
    assert isinstance(found, Incident)
    assert found.id == "successor"
    assert done.run.incidents.closed == []


def _taken_over_after(
    former: FormerRepair, before: Callable[[ScenarioRun], None] = lambda _: None, world: dict[str, Any] | None = None
) -> WorkflowRun:
    """A run of the execution that takes over an incident, where the one before was stopped after this repair, and people knew of it.

    `before` changes the world before its first assessment.
    """

    def remember(run: ScenarioRun) -> None:
        claim = run.incidents.claim

        def claim_with(incident: Incident) -> Incident:
            return claim(replace(incident, request={**incident.request, FORMER_REPAIR: former, WAS_REPORTED: True}))

        run.incidents.claim = claim_with  # type: ignore[method-assign]

    return run_workflow(world, first=remember, before={"1 assess": before})


def test_an_execution_that_takes_over_repeats_no_repair_that_has_failed() -> None:
    done = _taken_over_after(FormerRepair.FAILED)
    assert (done.writes, done.notified) == ([], ["needs-action"])
    assert "an earlier repair failed" in done.run.notifier.sent[0].text
    assert "none is tried again" in done.run.notifier.sent[0].text


def test_an_execution_that_takes_over_a_repair_without_a_result_repairs() -> None:
    done = _taken_over_after(FormerRepair.UNFINISHED)
    assert (done.outcome, done.writes) == ("verified", REPAIR)


@pytest.mark.parametrize(("former", "title"), [(FormerRepair.NONE, "recovered without a repair"), (FormerRepair.UNFINISHED, "recovered")])
def test_the_end_is_told_where_people_were_told_before_a_take_over(former: FormerRepair, title: str) -> None:
    done = _taken_over_after(former, by_hand)
    assert (done.outcome, done.writes, done.notified) == ("recovered", [], ["recovered"])
    assert f"aws-node {title} - no action needed" in done.run.notifier.sent[0].subject


def test_a_repair_that_was_stopped_is_not_over_while_pods_lack_the_role() -> None:
    """Without a binding no link says which role is right, and nothing verifies what the former repair has changed."""

    def unbind(run: ScenarioRun) -> None:
        set_annotation(BOUND_ROLE)(run)
        del run.world.parameters[binding_path(CLUSTER, *KEY)]

    done = _taken_over_after(FormerRepair.UNFINISHED, unbind, {"addon_role": BOUND, "node_role_has_permissions": True})
    assert (done.writes, done.notified) == ([], ["needs-action"])
    assert "not every pod runs with the role" in done.run.notifier.sent[0].text
