"""A precondition that any read has shown to be wrong blocks the repair until one has shown it to be right."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from lambdas.application.remediation.results import AssessmentResult, VerificationResult
from lambdas.contract.settings import settings_path
from lambdas.domain.diagnosis.finding import Link
from lambdas.domain.incidents.incident import BROKEN_PRECONDITIONS
from lambdas.domain.snapshot.bindings import Parameter
from tests.over_fakes.scenario_world import CLUSTER
from tests.unit.workflow.test_step_results import opened
from tests.unit.workflow.workflow_run import REPAIR, TARGET, break_trust, mend_trust, refuse_role, run_workflow, set_annotation

if TYPE_CHECKING:
    from tests.over_fakes.scenario_run import ScenarioRun
    from tests.unit.workflow.workflow_run import WorkflowRun

WAS_WRONG = "Trust policy was read as wrong before, and could not be read now"


def _is_blocked(done: WorkflowRun) -> bool:
    return done.writes == [] and WAS_WRONG in done.run.notifier.sent[-1].text


def test_a_missing_role_is_restored_where_the_trust_policy_was_never_read() -> None:
    """The rival of the tests below: here nothing has shown that the role does not work."""
    assert run_workflow(first=refuse_role).writes == REPAIR


def test_what_the_check_has_read_blocks_the_repair() -> None:
    assert _is_blocked(run_workflow({"trust": "other-subject"}, before={"1 assess": refuse_role}))


def test_the_incident_records_what_the_check_has_read_as_wrong() -> None:
    done = run_workflow({"trust": "other-subject"})
    found = done.run.incidents.get(TARGET)
    assert found
    assert (found.request["brokenPreconditions"], found.broken_preconditions) == ([int(Link.TRUST)], (Link.TRUST,))


@pytest.mark.parametrize("stored", [None, "trust", 7, {"7": 7}, ["x", None, 999]])
def test_a_record_of_another_version_names_no_precondition(stored: object) -> None:
    found = run_workflow({"trust": "other-subject"}).run.incidents.get(TARGET)
    assert found
    assert replace(found, request={BROKEN_PRECONDITIONS: stored}).broken_preconditions == ()


def test_what_the_end_of_a_watch_has_read_blocks_the_repair() -> None:
    def observe(run: ScenarioRun) -> None:
        run.world.parameters[settings_path(CLUSTER, "mode")] = Parameter(value="observe")

    def enforce(run: ScenarioRun) -> None:
        run.world.parameters[settings_path(CLUSTER, "mode")] = Parameter(value="enforce")
        refuse_role(run)

    done = run_workflow(first=observe, before={"1 watch 1": break_trust, "2 assess": enforce}, watches=1)
    assert _is_blocked(done)


def test_what_was_read_as_right_again_does_not_block_the_repair() -> None:
    def mend(run: ScenarioRun) -> None:
        mend_trust(run)
        set_annotation(None)(run)

    assert run_workflow({"trust": "other-subject"}, before={"1 assess": mend, "1 claim": refuse_role}).writes == REPAIR


def test_a_result_keeps_a_refuted_precondition_until_it_is_read_as_right() -> None:
    simulation, steps = opened()
    break_trust(simulation)
    refuted = steps.assess(1, AssessmentResult())
    assert refuted.refuted == (Link.TRUST,)
    refuse_role(simulation)
    assert steps.assess(1, refuted).refuted == (Link.TRUST,)
    assert steps.assess(1, AssessmentResult()).refuted == ()
    summary = refuted.summary
    assert summary
    assert steps.verify(summary, VerificationResult(refuted=(Link.TRUST,))).refuted == (Link.TRUST,)
    simulation.world.call_faults.clear()
    assert steps.verify(summary, VerificationResult()).refuted == (Link.TRUST,)
    mend_trust(simulation)
    assert steps.assess(1, refuted).refuted == ()
