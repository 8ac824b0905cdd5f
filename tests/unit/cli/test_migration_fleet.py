"""A migration of several clusters: what a failure holds back, and that the same command continues."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cli.interactive.migration_fleet import MigrationResult, MigrationState, migrate_all, summary, why_held_back
from cli.queries.migration import Migration, read_migration
from lambdas.contract.names import POD_IDENTITY_AGENT_ADDON
from lambdas.contract.parameters import Mechanism, ServiceAccountRef, binding_path
from lambdas.domain.errors import AccessDenied, Denial
from lambdas.domain.snapshot.bindings import Parameter
from lambdas.domain.snapshot.snapshot import AddonFacts, RoleFacts
from tests.unit.cli.fake_dependencies import Fakes, fake_dependencies
from tests.unit.notifications.snapshots import POD_IDENTITY_TRUST
from tests.world import NAME, NAMESPACE, World, described, right_trust, role_arn

NAMES = ("a", "b", "c", "d")
AGENT = AddonFacts(name=POD_IDENTITY_AGENT_ADDON, version="v1.3.4", status="ACTIVE", role_arn=None)
TO = Mechanism.POD_IDENTITY


def fleet(*, role: str = "") -> tuple[World, Fakes]:
    """Four clusters on IRSA that are ready to move. With `role`, all of them use this role."""
    world = World()
    for name in NAMES:
        made = described({"cluster": {"name": name, "nodes": 2}})
        world.clusters |= made.clusters
        world.parameters |= made.parameters
        world.providers |= made.providers
        both = [*right_trust(made.clusters[name].facts.issuer or "")["Statement"], *POD_IDENTITY_TRUST["Statement"]]
        arn = role_arn(role or f"{name}-vpc-cni")
        world.roles[arn] = RoleFacts(arn=arn, trust={"Version": "2012-10-17", "Statement": both})
        world.clusters[name].addons[POD_IDENTITY_AGENT_ADDON] = AGENT
        if role:
            world.parameters[binding_path(name, NAMESPACE, NAME)] = Parameter(value=arn)
            world.clusters[name].working_roles = None
    return world, fake_dependencies(world)


def targets(*names: str) -> list[ServiceAccountRef]:
    return [ServiceAccountRef(name, NAMESPACE, NAME) for name in names or NAMES]


def planned(fakes: Fakes, *names: str) -> list[Migration]:
    return [read_migration(target, TO, fakes.dependencies) for target in targets(*names)]


def run(fakes: Fakes) -> dict[str, MigrationState]:
    left = [item for item in planned(fakes) if item.remaining]
    results = migrate_all(left, fakes.dependencies, apply_trust=False, retire_trust=False, report=lambda *_: None)
    return {result.target.cluster: result.state for result in results}


DONE, STOPPED, NOT_STARTED = MigrationState.DONE, MigrationState.STOPPED, MigrationState.NOT_STARTED


def test_one_cluster_whose_pods_fail_does_not_stop_the_others_and_the_same_command_continues() -> None:
    world, fakes = fleet()
    world.clusters["b"].webhook.misses, world.clusters["b"].falls_back = 99, True
    assert run(fakes) == {"a": DONE, "b": STOPPED, "c": DONE, "d": DONE}
    world.clusters["b"].webhook.misses = 0
    assert run(fakes) == {"b": DONE}
    assert run(fakes) == {}


def test_pods_that_fail_in_two_clusters_hold_back_the_rest() -> None:
    world, fakes = fleet()
    for name in ("a", "b"):
        world.clusters[name].webhook.misses, world.clusters[name].falls_back = 99, True
    assert run(fakes) == {"a": STOPPED, "b": STOPPED, "c": NOT_STARTED, "d": NOT_STARTED}
    assert not any("/c/" in write or "/d/" in write for write in world.writes)


def test_clusters_with_the_role_of_failed_pods_are_held_back() -> None:
    world, fakes = fleet(role="shared")
    world.clusters["a"].webhook.misses, world.clusters["a"].falls_back = 99, True
    assert run(fakes) == {"a": STOPPED, "b": NOT_STARTED, "c": NOT_STARTED, "d": NOT_STARTED}


def test_a_write_that_is_denied_before_a_pod_was_replaced_holds_nothing_back_elsewhere() -> None:
    world, fakes = fleet()
    world.fail("eks.create_association", AccessDenied("create the association: 403", denial=Denial.FORBIDDEN), times=3)
    assert run(fakes) == {"a": STOPPED, "b": STOPPED, "c": STOPPED, "d": DONE}


def test_pods_that_an_earlier_run_left_unready_count_as_failed() -> None:
    world, fakes = fleet()
    for name in ("a", "b"):
        world.clusters[name].successors_crash = True
    assert run(fakes) == {"a": STOPPED, "b": STOPPED, "c": NOT_STARTED, "d": NOT_STARTED}
    before = list(world.writes)
    assert run(fakes) == {"a": STOPPED, "b": STOPPED, "c": NOT_STARTED, "d": NOT_STARTED}
    assert not any(write.startswith("delete") for write in world.writes[len(before) :]), "the second run replaced no pod"


def test_other_service_accounts_of_the_cluster_wait() -> None:
    _, fakes = fleet()
    first, second = planned(fakes, "a", "b")
    elsewhere = replace(second, snapshot=replace(second.snapshot, target=ServiceAccountRef("a", "shop", "cart")))
    stopped = [MigrationResult(migration=first, state=STOPPED, reason="no route")]
    assert why_held_back(elsewhere, stopped) == "a/kube-system/aws-node of the same cluster stopped"
    assert why_held_back(second, stopped) == ""


def test_an_error_of_the_program_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    _, fakes = fleet()
    monkeypatch.setattr("cli.interactive.migration_fleet.claim", lambda *_, **__: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        run(fakes)


def test_the_counts_name_only_states_that_occur() -> None:
    _, fakes = fleet()
    first, second = planned(fakes, "a", "b")
    results = [MigrationResult(migration=first, state=DONE), MigrationResult(migration=second, state=STOPPED)]
    assert summary(results) == {DONE: 1, STOPPED: 1}
