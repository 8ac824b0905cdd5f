"""Generated worlds: a repair restores everything, and a second check finds nothing to do."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lambdas.contract.parameters import ServiceAccountRef
from tests.over_fakes import events
from tests.over_fakes.scenario_world import BOUND_ROLE, CLUSTER
from tests.unit.workflow.workflow_run import run_workflow
from tests.world import role_arn

BOUNDED = settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
OTHER = role_arn("other")
ROLES = st.sampled_from(["bound", None, OTHER])

worlds = st.fixed_dictionaries(
    {
        "annotation": ROLES,
        "addon_role": ROLES,
        "annotation_key": st.sampled_from(["eks.amazonaws.com/role-arn", "eks.amazon.com/role-arn"]),
        "addon": st.booleans(),
        "nodes": st.integers(1, 7),
        "node_role_has_permissions": st.booleans(),
        "webhook_lag_s": st.sampled_from([0.0, 0.0, 3.0]),
        "service_account": st.sampled_from(["aws-node", "aws-node", "ebs-csi-controller-sa", "aws-load-balancer-controller"]),
    }
)


def converges(world: dict[str, Any], new_pods: int) -> None:
    """Repair the world, then request a second check: it writes nothing and sends nothing."""

    def drift(run: Any) -> None:
        for name in list(run.world.cluster.pods)[:new_pods]:
            run.world.replace_pod(run.world.cluster, name)

    done = run_workflow(world, first=drift)
    run = done.run
    assert run.outcome().outcome in ("verified", "no-incident")
    assert set(run.world.cluster.pod_roles) == {BOUND_ROLE}
    assert run.world.cluster.annotations[f"kube-system/{world['service_account']}"] == BOUND_ROLE
    assert {record.role_arn for record in run.world.cluster.addons.values()} <= {BOUND_ROLE}
    assert len([write for write in run.world.writes if write.startswith("restart")]) <= 1
    writes, told = list(run.world.writes), len(run.notifier.sent)
    run.world.sleep(600)
    run.deliver(events.check_requested(run.world.now))
    assert (run.world.writes, len(run.notifier.sent)) == (writes, told)
    assert run.incidents.get(ServiceAccountRef(CLUSTER, *run.world.key)) is None


@given(worlds, st.integers(0, 4))
@BOUNDED
def test_a_second_plan_after_a_repair_is_empty(world: dict[str, Any], new_pods: int) -> None:
    converges(world, new_pods)


@pytest.mark.long
@pytest.mark.timeout(1_800)
@given(worlds, st.integers(0, 4))
@settings(BOUNDED, max_examples=1_000, derandomize=False)
def test_a_second_plan_after_a_repair_is_empty_at_length(world: dict[str, Any], new_pods: int) -> None:
    converges(world, new_pods)


broken = st.fixed_dictionaries(
    {},
    optional={
        "binding": st.sampled_from([None, "nonsense", "arn:aws:iam::111122223333:role/nowhere"]),
        "role_exists": st.just(False),
        "oidc_provider": st.just(False),
        "oidc_client_ids": st.just(("example.com",)),
        "trust": st.sampled_from(["other-issuer", "other-subject", "wrong-audience"]),
        "access": st.sampled_from(["no-entry", "no-rbac"]),
        "pod_identity": st.just("bound"),
        "settings": st.sampled_from([{"mode": "observe"}]),
    },
).filter(bool)


@given(worlds, broken)
@BOUNDED
def test_nothing_is_written_without_a_working_role_or_without_a_binding(world: dict[str, Any], wrong: dict[str, Any]) -> None:
    done = run_workflow({**world, **wrong})
    assert done.run.world.writes == []
    assert "repairing" not in done.notified
