"""The checker and the guard: what a sweep reports, and what an event of the node watcher about a kept role leads to."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from lambdas.contract.events import OwnEvent
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.contract.policy_kinds import PolicyKind
from lambdas.domain.errors import AccessDenied, Denial, TransientError
from lambdas.domain.incidents.incident import KEPT_INTERVAL, Outcome
from lambdas.domain.requests.request import Actor, RoleEffect
from lambdas.notifications.published_events import identity_changed
from sandbox.simulation.scenario import BOUND, World
from tests.events import event
from tests.over_fakes import events
from tests.over_fakes.scenario_run import ScenarioRun
from tests.over_fakes.scenario_world import BOUND_ROLE, CLUSTER, world_of
from tests.unit.notifications.snapshots import installed_policy

if TYPE_CHECKING:
    from datetime import datetime

TARGET = ServiceAccountRef(CLUSTER, "kube-system", "aws-node")
KEY = (TARGET.namespace, TARGET.name)
ARGO = "system:serviceaccount:argocd:argocd-application-controller"


def world(**changes: Any) -> ScenarioRun:
    return ScenarioRun(world_of(World(annotation=BOUND, nodes=3, **changes)))


def sweep(run: ScenarioRun) -> None:
    run.deliver({**event("sweep"), "time": run.world.now.strftime("%Y-%m-%dT%H:%M:%SZ")})


def kept(run: ScenarioRun, who: str = ARGO, effect: RoleEffect = RoleEffect.KEPT, *, number: int = 1) -> None:
    """The node watcher reports that the guard completed a write."""
    account = run.world.cluster.accounts[KEY]
    run.world.cluster.accounts[KEY] = replace(account, left_out_by=who)
    now: datetime = run.world.now
    actor = Actor(who=who, what="patch of ServiceAccount kube-system/aws-node, which left out its role", at=now, effect=effect)
    kind, detail = identity_changed(TARGET, actor=actor, changes=1, occurred_at=now)
    assert kind == OwnEvent.IDENTITY_CHANGED
    run.deliver(events.own(kind, detail, now) | {"id": f"event-{number}"})


def titles(run: ScenarioRun) -> list[str]:
    return [message.subject for message in run.notifier.sent]


def test_a_sweep_reports_a_stale_guard_with_the_command_and_writes_nothing() -> None:
    run = world()
    run.world.cluster.guards[KEY] = (installed_policy(PolicyKind.GUARD, f"{BOUND_ROLE}-former", TARGET),)
    sweep(run)
    [message] = run.notifier.sent
    assert f"irsa-remediator guard apply --cluster {CLUSTER} --service-account kube-system/aws-node" in message.text
    assert run.world.writes == []
    assert [name for name, *_ in run.metrics.counted if name == "DriftFound"]


def test_a_guard_that_follows_is_no_incident() -> None:
    run = world()
    run.world.cluster.guards[KEY] = tuple(installed_policy(kind, BOUND_ROLE, TARGET) for kind in PolicyKind)
    sweep(run)
    assert (run.opened, titles(run)) == ([], [])


@pytest.mark.parametrize("value", ["wanted", "warn-only"])
def test_a_wanted_policy_that_is_absent_is_reported(value: str) -> None:
    run = world(settings={"guard": value}, kubernetes="1.36")
    sweep(run)
    assert "the setting guard is " + value in run.notifier.sent[0].text


def test_a_guard_that_may_not_be_read_is_not_called_healthy() -> None:
    run = world()
    run.world.fail("cluster.guards", AccessDenied("read: forbidden", denial=Denial.FORBIDDEN), times=None)
    sweep(run)
    assert run.opened == []
    diagnoses = [details for title, _, details in run.log.lines if title == "diagnosis"]
    assert all("whether the guard follows the binding" in details["unproven"] for details in diagnoses)


def test_a_kept_role_is_told_once_a_day_however_often_it_is_left_out() -> None:
    run = world()
    for number in range(5):
        kept(run, number=number)
        run.world.sleep(180)
    [title] = titles(run)
    assert "the guard kept the role of aws-node" in title
    assert "argocd" in run.notifier.sent[0].text
    assert [past.outcome for past in run.incidents.closed] == [Outcome.NEEDS_ACTION]
    assert run.world.writes == []
    run.world.sleep(KEPT_INTERVAL / timedelta(seconds=1))
    kept(run, number=9)
    assert len(titles(run)) == 2


def test_the_event_that_was_delivered_again_is_told_where_the_first_delivery_failed() -> None:
    run = world()
    run.world.fail("incidents.claim", TransientError("the table did not answer"), times=1)
    with pytest.raises(TransientError):
        kept(run, number=1)
    kept(run, number=1)
    assert len(titles(run)) == 1


def test_a_guard_that_differs_comes_before_the_role_that_it_kept_also_when_that_was_told() -> None:
    run = world()
    kept(run, number=1)
    run.world.sleep(180)
    run.world.cluster.guards[KEY] = (installed_policy(PolicyKind.GUARD, f"{BOUND_ROLE}-former", TARGET),)
    kept(run, number=2)
    assert "does not follow its binding" in titles(run)[-1]


@pytest.mark.parametrize("effect", [RoleEffect.CHANGED, RoleEffect.NONE_AFTER, RoleEffect.NOT_KNOWN])
def test_another_write_of_a_healthy_service_account_sends_no_message(effect: RoleEffect) -> None:
    run = world()
    kept(run, effect=effect)
    assert titles(run) == []


def test_the_repair_of_another_fault_is_verified_although_the_event_was_about_a_kept_role() -> None:
    run = world()
    cluster = run.world.cluster
    cluster.webhook.misses = 1
    run.world.replace_pod(cluster, next(iter(cluster.pods)))
    kept(run)
    assert [past.outcome for past in run.incidents.closed] == [Outcome.VERIFIED]
