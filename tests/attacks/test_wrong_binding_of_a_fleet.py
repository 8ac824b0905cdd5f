"""Break a whole fleet with one `_default` binding whose role exists and is trusted, but may not make the calls."""

from __future__ import annotations

from datetime import timedelta

from lambdas.domain.planning.plan import BlockReason
from lambdas.domain.planning.policies import RepairHistory
from tests.attacks.threat import Threat
from tests.unit.domain.snapshot_fixtures import binding
from tests.unit.domain.test_policies import drifted, held
from tests.unit.notifications.snapshots import NOW
from tests.unit.workflow.workflow_run import run_workflow

THREAT = Threat(
    name="wrong binding of a fleet",
    actor="writer of parameters",
    controls="`/eks-irsa-remediator/bindings/_default/`",
    attempt="take the network of all clusters with one value that passes every precondition",
    prevention="one canary pod must become Ready with the role, a worse state is rolled back once, and a circuit breaker stops a fleet "
    "whose clusters break right after a parameter changed",
    proof=(
        "test_a_role_without_permissions_costs_one_pod_and_is_rolled_back",
        "test_the_breaker_stops_all_clusters_after_the_first_few",
    ),
    residual="one pod of each cluster up to the limit of the breaker (`circuit_breaker_clusters`)",
)


def test_a_role_without_permissions_costs_one_pod_and_is_rolled_back() -> None:
    done = run_workflow({"node_role_has_permissions": True, "role_has_permissions": False})
    assert done.writes == ["annotate", "delete", "annotate"]
    assert done.annotation is None
    assert done.notified[-1] == "needs-action"


def test_the_breaker_stops_all_clusters_after_the_first_few() -> None:
    snapshot = drifted(binding=binding(changed_at=NOW - timedelta(minutes=1)))
    stopped = [held(snapshot, RepairHistory(affected_clusters=tuple(f"c{n}" for n in range(count)))) for count in range(200)]
    first = next(count for count, reason in enumerate(stopped) if reason)
    assert first == 4  # with this cluster: five, the default of the setting
    assert set(stopped[first:]) == {(BlockReason.CIRCUIT_BREAKER, None)}
