"""Changes by others while an association is repaired, and what is written in the end."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from lambdas.contract.parameters import Mechanism, binding_path
from lambdas.domain.snapshot.bindings import BindingValue, Parameter
from lambdas.domain.snapshot.snapshot import Association, PluginError
from sandbox.simulation.scenario import BOUND
from tests.over_fakes.scenario_world import BOUND_ROLE, CLUSTER
from tests.unit.workflow.workflow_run import KEY, OTHER, run_workflow
from tests.world.state import Update

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.over_fakes.scenario_run import ScenarioRun

WANTED: dict[str, Any] = {"binding_mechanism": "pod-identity", "annotation": BOUND}
OWNED: dict[str, Any] = {"pod_identity": OTHER, "pod_identity_owner": "addon"}
CREATE, UPDATE = "1.1 apply create-association", "1.1 apply update-association"


def association(run: ScenarioRun) -> Association | None:
    return next(iter(run.world.cluster.associations.get(KEY, ())), None)


def put(found: Association | None) -> Callable[[ScenarioRun], None]:
    """Someone else creates, changes or deletes the association."""

    def change(run: ScenarioRun) -> None:
        run.world.cluster.associations[KEY] = (found,) if found else ()

    return change


def test_an_association_is_created_once() -> None:
    done = run_workflow(WANTED)
    assert (done.outcome, done.notified, done.writes) == ("verified", ["repairing", "verified"], ["create"])
    found = association(done.run)
    assert found
    assert found.role_arn == BOUND_ROLE


def test_the_equal_association_of_someone_else_is_no_conflict() -> None:
    done = run_workflow(WANTED, before={CREATE: put(Association(id="a-9", role_arn=BOUND_ROLE))})
    assert (done.outcome, done.writes) == ("verified", [])


def test_the_association_that_a_program_creates_first_is_named_and_left_alone() -> None:
    theirs = Association(id="a-9", role_arn=OTHER, declared_by="CloudFormation (stack eks)")
    done = run_workflow(WANTED, before={CREATE: put(theirs)})
    assert done.writes == []
    assert association(done.run) == theirs
    assert done.notified[-1] == "needs-action"
    assert "CloudFormation (stack eks) declares the association" in str(done.run.outcome().messages[-1])


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(None, id="deleted"),
        pytest.param(Association(id="a-9", role_arn=OTHER), id="made anew"),
        pytest.param(Association(id="a-1", role_arn=f"{OTHER}-x"), id="another role"),
        pytest.param(Association(id="a-1", role_arn=OTHER, policy="{}", has_session_tags=False), id="a policy"),
    ],
)
def test_an_association_that_has_changed_since_the_plan_is_assessed_again(changed: Association | None) -> None:
    """A binding without a mechanism asks for no new association."""
    done = run_workflow({"pod_identity": OTHER}, before={UPDATE: put(changed)})
    assert "2 assess" in map(str, done.steps.done)
    assert done.writes == ([] if changed is None else ["update"])
    found = association(done.run)
    assert found is None if changed is None else found == replace(changed, role_arn=BOUND_ROLE, modified_at=found and found.modified_at)


def test_a_binding_that_has_changed_since_the_plan_is_not_carried_out() -> None:
    def bind(run: ScenarioRun) -> None:
        value = BindingValue(role=BOUND_ROLE, mechanism=Mechanism.POD_IDENTITY, session_tags=False).text
        run.world.parameters[binding_path(CLUSTER, *KEY)] = Parameter(value=value, version=2, changed_at=run.world.now)

    done = run_workflow(WANTED, before={CREATE: bind})
    assert (done.outcome, done.writes) == ("verified", ["create"])
    found = association(done.run)
    assert found
    assert not found.has_session_tags


def test_the_other_associations_of_an_addon_are_kept() -> None:
    def share(run: ScenarioRun) -> None:
        owned = association(run)
        assert owned
        run.world.cluster.associations["kube-system", "other"] = (replace(owned, id="a-2", role_arn=OTHER),)

    done = run_workflow(OWNED, first=share)
    assert done.outcome == "verified"
    assert done.run.world.writes == [f"set associations of add-on {CLUSTER}/vpc-cni {{'aws-node': '{BOUND_ROLE}', 'other': '{OTHER}'}}"]


def test_an_update_of_the_addon_is_waited_for_and_then_assessed_again() -> None:
    def begins(run: ScenarioRun) -> None:
        record = run.world.cluster.addons["vpc-cni"]
        run.world.cluster.addons["vpc-cni"] = replace(record, status="UPDATING")
        run.world.cluster.updates["vpc-cni"] = Update(replace(record, status="ACTIVE"), 3, annotates=False)

    done = run_workflow(OWNED, before={UPDATE: begins})
    assert done.outcome == "verified"
    assert len(done.run.world.writes) == 1
    assert "2 assess" in map(str, done.steps.done)


def test_an_association_that_makes_pods_worse_is_given_what_it_gave_before() -> None:
    """The role of the binding lacks a call, which the former one did not."""

    def refuse(run: ScenarioRun) -> None:
        pods = run.world.cluster.pods
        name = next(iter(pods))
        run.world.cluster.errors.append(PluginError(call="ec2:CreateNetworkInterface", pod=name, at=run.world.now))

    done = run_workflow({"pod_identity": OTHER}, before={"1 verify": refuse})
    assert done.writes == ["update", "update"]
    found = association(done.run)
    assert found
    assert (found.id, found.role_arn) == ("a-1", OTHER)
    assert done.notified[-1] == "needs-action"


def test_a_rollback_leaves_an_association_that_was_changed_meanwhile() -> None:
    theirs = Association(id="a-1", role_arn=f"{OTHER}-x")

    def refuse(run: ScenarioRun) -> None:
        name = next(iter(run.world.cluster.pods))
        run.world.cluster.errors.append(PluginError(call="ec2:CreateNetworkInterface", pod=name, at=run.world.now))

    done = run_workflow({"pod_identity": OTHER}, before={"1 verify": refuse, "1 restore": put(theirs)})
    assert done.writes == ["update"]
    assert association(done.run) == theirs


def test_an_agent_that_a_new_node_waits_for_holds_the_association_back() -> None:
    """The pods of the node are too young to be late."""

    def join(run: ScenarioRun) -> None:
        name = next(iter(run.world.cluster.nodes))
        run.world.cluster.without_agent.add(name)
        for pod in run.world.cluster.pods.values():
            if pod.facts.node == name:
                pod.facts = replace(pod.facts, created_at=run.world.now)

    done = run_workflow(WANTED, first=join, before={"1 watch 1": lambda run: run.world.cluster.without_agent.clear()}, watches=1)
    assert (done.outcome, done.writes) == ("verified", ["create"])
    assert done.notified[0] == "blocked"
