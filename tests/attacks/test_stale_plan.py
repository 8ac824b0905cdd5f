"""A plan that is out of date overwrites the rotation of a role by a person, since `UpdateAddon` has no precondition."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from lambdas.contract.names import ANY_CLUSTER
from lambdas.contract.settings import settings_path
from lambdas.domain.snapshot.bindings import Parameter
from lambdas.domain.snapshot.snapshot import RoleFacts
from tests.attacks.threat import Threat
from tests.attacks.writes import bind, unauthorized
from tests.over_fakes.scenario_world import BOUND_ROLE
from tests.unit.workflow.workflow_run import KEY, WorkflowRun, run_workflow
from tests.world import Update, role_arn

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.over_fakes.scenario_run import ScenarioRun

THREAT = Threat(
    name="stale plan",
    actor="race with a person or pipeline",
    controls="the moment of a rotation",
    attempt="have a plan that is out of date overwrite a rotation, since `UpdateAddon` has no precondition",
    prevention="binding, mode, annotation and record are read again right before each write; a change is a conflict",
    proof=("test_a_rotation_is_never_overwritten", "test_a_record_that_another_update_changes_is_assessed_again_before_the_write"),
    residual="a change within the milliseconds between read and `UpdateAddon`",
)

NEW = role_arn("demo-vpc-cni-v2")


def rotate_parameter(run: ScenarioRun) -> None:
    bind(NEW)(run)
    run.world.roles[NEW] = RoleFacts(arn=NEW, trust=run.world.roles[BOUND_ROLE].trust)
    run.world.cluster.working_roles = frozenset({*(run.world.cluster.working_roles or ()), NEW})


def rotate(run: ScenarioRun) -> None:
    """Parameter, annotation and record name the new role."""
    rotate_parameter(run)
    run.world.set_annotation(run.world.cluster, KEY, NEW, "terraform")
    record = run.world.cluster.addons["vpc-cni"]
    run.world.cluster.addons["vpc-cni"] = replace(record, role_arn=NEW)


def begin_rotation(run: ScenarioRun) -> None:
    """Parameter and annotation name the new role; the update of the record takes a while."""
    rotate_parameter(run)
    run.world.set_annotation(run.world.cluster, KEY, NEW, "terraform")
    record = run.world.cluster.addons["vpc-cni"]
    run.world.cluster.addons["vpc-cni"] = replace(record, status="UPDATING")
    run.world.cluster.updates["vpc-cni"] = Update(replace(record, role_arn=NEW, status="ACTIVE"), 2, annotates=True)


def begin_update_of_record_alone(run: ScenarioRun) -> None:
    """An owner writes another role into the record, and the update takes a while. The binding is unchanged."""
    record = run.world.cluster.addons["vpc-cni"]
    run.world.cluster.addons["vpc-cni"] = replace(record, status="UPDATING")
    run.world.cluster.updates["vpc-cni"] = Update(replace(record, role_arn=NEW, status="ACTIVE"), 4)


ROTATIONS = {"finished": rotate, "running": begin_rotation, "parameter alone": rotate_parameter}
STEPS = (
    "1.1 apply annotate-service-account",
    "1.2 apply replace-canary-pod",
    "1.2 check-canary",
    "1.3 apply restart-workload",
    "1.4 apply update-addon-role",
)


def repair(step: str, change: Callable[[ScenarioRun], None]) -> tuple[WorkflowRun, list[str]]:
    """Run a repair whose record is lost, with a change before a step. Returns the writes after the change, too."""
    before: list[int] = []

    def changed(run: ScenarioRun) -> None:
        before.append(len(run.world.writes))
        change(run)

    done = run_workflow({"addon_role": None}, before={step: changed})
    return done, done.run.world.writes[before[0] :]


@pytest.mark.parametrize("rotation", ROTATIONS.values(), ids=ROTATIONS)
@pytest.mark.parametrize("step", STEPS)
def test_a_rotation_is_never_overwritten(step: str, rotation: Callable[[ScenarioRun], None]) -> None:
    done, after = repair(step, rotation)
    assert [write for write in after if write.split()[-1] == BOUND_ROLE] == []
    assert unauthorized(done.run, (BOUND_ROLE, NEW)) == []
    assert done.annotation == NEW
    assert done.run.world.cluster.addons["vpc-cni"].role_arn == NEW


def test_a_record_that_another_update_changes_is_assessed_again_before_the_write() -> None:
    done, _ = repair("1.4 apply update-addon-role", begin_update_of_record_alone)
    assert "2 assess" in map(str, done.steps.done)
    assert [update[3].split("-")[-1] for update in done.run.eks.updates] == ["2"], "the plan of the second assessment, not the stale one"


def test_no_pod_is_deleted_for_an_annotation_that_someone_else_changed() -> None:
    done, after = repair("1.2 apply replace-canary-pod", lambda run: run.world.set_annotation(run.world.cluster, KEY, NEW, "kubectl"))
    assert after[0].startswith("annotate"), "the annotation first, since new pods would get the other role"
    assert done.outcome == "verified"


def test_a_switch_to_observe_stops_a_repair_that_runs() -> None:
    def stop(run: ScenarioRun) -> None:
        run.world.parameters[settings_path(ANY_CLUSTER, "mode")] = Parameter(value="observe", changed_at=run.world.now)

    for step in STEPS:
        _, after = repair(step, stop)
        assert after == [], step
