"""Have two executions repair one ServiceAccount: the incident is taken over while the process of its former holder still runs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, get_args

import pytest

from lambdas.adapters.incidents import Incidents
from lambdas.application.remediation.results import ActionState, ClaimResult, ReplacementResult, ReplacementState
from lambdas.domain.errors import TransientError
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
from sandbox.aws.local_aws import LocalAws
from sandbox.simulation.scenario import World
from tests.attacks.threat import Threat
from tests.integration.adapters.incident_builders import past
from tests.integration.adapters.local_session import TABLE, as_principal, create_table
from tests.over_fakes.scenario_run import ScenarioRun
from tests.over_fakes.scenario_world import BOUND_ROLE, world_of
from tests.unit.workflow.workflow_run import TARGET, run_workflow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from lambdas.application.remediation.steps.remediation_steps import RemediationSteps
    from lambdas.contract.parameters import ServiceAccountRef
    from lambdas.domain.ports import ParametersPort
    from lambdas.domain.snapshot.bindings import Parameter

THREAT = Threat(
    name="two writers",
    actor="whoever stops an execution, or a laptop that sleeps",
    controls="the moment at which an incident is taken over",
    attempt="have a former holder, whose process still runs, write beside its successor: restart twice, or write an older role",
    prevention="the incident's row is read right before each write and must still name this incident and this execution; a table that does "
    "not answer allows no write",
    proof=(
        "test_a_process_whose_incident_is_taken_over_within_a_step_writes_nothing_more",
        "test_a_holder_whose_incident_is_handed_over_or_closed_writes_nothing",
        "test_a_holder_whose_incident_is_handed_over_or_closed_marks_no_repair",
        "test_a_run_that_loses_its_incident_after_the_claim_stops_there",
        "test_without_an_answer_of_the_table_nothing_is_written",
    ),
    residual="a take-over within the milliseconds between this read and the write. A repeated deletion names the UID and a repeated "
    "annotation the version of the object; a restart or an update of the record can then happen twice, with the same role",
)


@pytest.fixture(scope="module")
def table() -> Iterator[Incidents]:
    """The real adapter over a local table."""
    with LocalAws() as local:
        local.roles.create("us")
        create_table(local.client("dynamodb"))
        with as_principal(local, "us") as session:
            yield Incidents(session, TABLE)


class InterruptedParameters:
    """Parameters that call back once while they are read: the last moment before the write at which the plan is compared."""

    def __init__(self, parameters: ParametersPort, interrupt: Callable[[], None]) -> None:
        self._parameters = parameters
        self._interrupt = [interrupt]

    def load(self, cluster: str | None = None) -> Mapping[str, Parameter]:
        found = self._parameters.load(cluster)
        if self._interrupt:
            self._interrupt.pop()()
        return found


_WORLDS = {
    CreateAssociation.kind: World(binding_mechanism="pod-identity", nodes=3),
    UpdateAssociation.kind: World(pod_identity="arn:aws:iam::111122223333:role/other", annotation=None, nodes=3),
}
"""Action kind -> a world whose repair has this action."""


class Race:
    """A broken cluster whose incident `mine` is held by the first steps. `take_over` gives it to the second ones."""

    def __init__(self, table: Incidents, kind: str = "") -> None:
        self.run = ScenarioRun(world_of(_WORLDS.get(kind, World(annotation=None, nodes=3, addon_role=None))))
        self.table = table
        left = table.get(TARGET)
        mine = Incident(id="mine", target=TARGET, opened_at=self.run.world.now, signals=1, request={}, started=True)
        self.mine = table.take_over(left, mine) if left else table.claim(mine)
        self.first = self.steps(self.mine)
        assert self.first.claim(ClaimResult()).is_ours
        self.plan = self.first.summarize(1)

    def steps(self, incident: Incident) -> RemediationSteps:
        return replace(self.run.remediation_steps(incident), incidents=self.table)

    def take_over(self) -> RemediationSteps:
        """What the next sweep does when the execution counts as ended, and the successor's claim."""
        ours = self.table.get(TARGET)
        assert ours
        second = self.steps(self.table.take_over(ours, replace(self.mine, id="successor", signals=0, started=False)))
        assert second.claim(ClaimResult()).is_ours
        return second

    def interrupt_first(self, interrupt: Callable[[], None]) -> None:
        parameters = InterruptedParameters(self.run.readers.parameters, interrupt)
        self.first = replace(self.first, readers=replace(self.run.readers, parameters=parameters))


def applied(race: Race, kind: str, steps: RemediationSteps) -> ActionState:
    """The state after this kind of write of the plan. The plan is made by the first steps, before the take-over."""
    action = next(item for item in race.plan.actions if item.kind == kind)
    return steps.apply(action, race.plan.planned_binding).state


@pytest.mark.parametrize("kind", [AnnotateServiceAccount.kind, RestartWorkload.kind, ReplaceCanaryPod.kind, UpdateAddonRole.kind, *_WORLDS])
@pytest.mark.parametrize("successor_writes", [True, False], ids=["the successor writes first", "the successor has not written yet"])
def test_a_process_whose_incident_is_taken_over_within_a_step_writes_nothing_more(
    kind: str, successor_writes: bool, table: Incidents
) -> None:
    race = Race(table, kind)
    if kind in (RestartWorkload.kind, ReplaceCanaryPod.kind):
        assert applied(race, AnnotateServiceAccount.kind, race.first) is ActionState.DONE
    written: list[str] = []

    def take_over() -> None:
        second = race.take_over()
        if successor_writes:
            assert applied(race, kind, second) is ActionState.DONE
        written.extend(race.run.world.writes)

    race.interrupt_first(take_over)
    state = applied(race, kind, race.first)
    assert race.run.world.writes == written
    is_updating = successor_writes and kind == UpdateAddonRole.kind  # the successor's update of the record is in progress
    has_association = successor_writes and kind in _WORLDS  # nothing is left to write
    assert state is (ActionState.BUSY if is_updating else ActionState.DONE if has_association else ActionState.CONFLICT)


def test_a_rolling_replacement_stops_at_the_batch_at_which_the_incident_is_taken_over(table: Incidents) -> None:
    race = Race(table)
    assert applied(race, AnnotateServiceAccount.kind, race.first) is ActionState.DONE
    before = list(race.run.world.writes)
    race.interrupt_first(lambda: race.take_over() and None)
    action = ReplaceStalePods(at_a_time=2, count=3, role_arn=BOUND_ROLE)
    result = race.first.replace_stale_pods(action, race.plan.planned_binding, ReplacementResult())
    assert result.state is not ReplacementState.DONE
    assert race.run.world.writes == before


def closed(race: Race) -> None:
    found = race.table.get(TARGET)
    assert found
    assert race.table.close(past(race.mine), found.signals, None)


def handed_over(race: Race) -> None:
    assert race.table.hand_over(race.mine, "{}")


@pytest.mark.parametrize("lose", [closed, handed_over, lambda race: race.take_over()], ids=["closed", "handed over", "taken over"])
@pytest.mark.parametrize("kind", [AnnotateServiceAccount.kind, RestoreAnnotation.kind, *_WORLDS])
def test_a_holder_whose_incident_is_handed_over_or_closed_writes_nothing(
    kind: str, lose: Callable[[Race], object], table: Incidents
) -> None:
    race = Race(table, kind)
    plan = race.plan
    if kind == RestoreAnnotation.kind:
        assert applied(race, AnnotateServiceAccount.kind, race.first) is ActionState.DONE
    before = list(race.run.world.writes)
    lose(race)
    action = RestoreAnnotation(value=None, ours=BOUND_ROLE) if kind == RestoreAnnotation.kind else plan.actions[0]
    assert race.first.apply(action, plan.planned_binding).state is ActionState.CONFLICT
    assert race.run.world.writes == before


@pytest.mark.parametrize("repairing", [True, False])
@pytest.mark.parametrize("lose", [closed, handed_over, lambda race: race.take_over()], ids=["closed", "handed over", "taken over"])
def test_a_holder_whose_incident_is_handed_over_or_closed_marks_no_repair(
    lose: Callable[[Race], object], repairing: bool, table: Incidents
) -> None:
    race = Race(table)
    lose(race)
    before = table.get(TARGET)
    mark = race.first.claim if repairing else race.first.release
    assert mark(ClaimResult()).is_ours is False
    assert table.get(TARGET) == before


class SilentTable(Incidents):
    def get(self, target: ServiceAccountRef) -> Incident | None:
        raise TransientError(f"read the incident of {target.key}: no answer")


def test_without_an_answer_of_the_table_nothing_is_written(table: Incidents) -> None:
    race = Race(table)
    plan = race.plan
    silent = SilentTable.__new__(SilentTable)
    race.first = replace(race.first, incidents=silent)
    assert race.first.apply(plan.actions[0], plan.planned_binding).state is ActionState.BUSY
    assert race.run.world.writes == []


@pytest.mark.parametrize(
    ("step", "writes"),
    [
        ("1.1 apply annotate-service-account", []),
        ("1.2 apply replace-canary-pod", ["annotate"]),
        ("1.2 check-canary", ["annotate", "delete"]),
        ("1.3 apply restart-workload", ["annotate", "delete"]),
    ],
)
def test_a_run_that_loses_its_incident_after_the_claim_stops_there(step: str, writes: list[str]) -> None:
    """The whole workflow: it writes, says and closes nothing more."""
    notified: list[int] = []

    def take_over(run: ScenarioRun) -> None:
        ours = run.incidents.get(TARGET)
        assert ours
        run.incidents.take_over(ours, replace(ours, id="successor"))
        notified.append(len(run.notifier.sent))

    done = run_workflow(before={step: take_over})
    assert done.writes == writes
    assert [len(done.run.notifier.sent)] == notified
    assert done.run.incidents.closed == []


def test_every_kind_of_write_is_tried() -> None:
    tried = {AnnotateServiceAccount, RestartWorkload, ReplaceCanaryPod, ReplaceStalePods, UpdateAddonRole, RestoreAnnotation}
    assert tried | {CreateAssociation, UpdateAssociation} == set(get_args(Action))
    assert set(_WORLDS) == {CreateAssociation.kind, UpdateAssociation.kind}
