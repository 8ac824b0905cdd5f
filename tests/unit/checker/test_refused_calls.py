"""Calls that AWS refused: which ServiceAccounts they concern, and what they cost."""

from typing import Any

from lambdas.application.check.pipeline import MIN_REFUSAL_INTERVAL, run
from lambdas.application.check.results import ClusterChecked, EventIgnored
from lambdas.application.remediation.results import AssessmentResult
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.requests.request import refusal_to_json, refusals_of
from tests.events import event as recorded
from tests.over_fakes.events import check_requested
from tests.over_fakes.scenario_run import ScenarioRun
from tests.over_fakes.scenario_world import BOUND_ROLE, CLUSTER
from tests.unit.checker.simulated_checker import NO_FAULT_FOUND, TARGET, check, simulate, verdict_of


def refused(simulation: ScenarioRun, name: str, *, role: str = BOUND_ROLE, **detail: Any) -> dict[str, Any]:
    """The recorded refusal with the time, the role and the OIDC provider of the simulation."""
    event = recorded(name)
    provider = simulation.ports.readers.eks.cluster(CLUSTER).provider_arn
    detail = {**event["detail"], "eventTime": simulation.world.now.isoformat(), **detail}
    identity = detail["userIdentity"]
    if "identityProvider" in identity:
        identity |= {"identityProvider": provider}
        detail["requestParameters"]["roleArn"] = role
    else:
        identity["sessionContext"]["sessionIssuer"]["arn"] = role
        if "webIdFederationData" in identity["sessionContext"]:
            identity["sessionContext"]["webIdFederationData"]["federatedProvider"] = provider
    return {**event, "time": simulation.world.now.isoformat(), "detail": detail}


def needed_call(simulation: ScenarioRun, **changes: Any) -> dict[str, Any]:
    return refused(simulation, "refused-call-of-role", eventName="CreateNetworkInterface", **changes)


def test_a_refused_call_of_the_bound_role_opens_an_incident_that_names_call_and_principal() -> None:
    simulation = simulate()
    result = run(needed_call(simulation), simulation.ports)
    assert verdict_of(result) is Verdict.PERMISSIONS_MISSING
    opened = simulation.incidents.get(TARGET)
    assert opened
    (stored,) = refusals_of(opened.request)
    assert (stored.call, stored.principal, stored.code) == ("ec2:CreateNetworkInterface", BOUND_ROLE, "Client.UnauthorizedOperation")
    assert refusals_of({"refusal": refusal_to_json(stored)}) == (stored,)


def test_a_refusal_is_not_answered_by_a_check_that_began_after_it() -> None:
    simulation = simulate()
    event = needed_call(simulation)
    simulation.world.sleep(60)
    assert check(simulation) == NO_FAULT_FOUND
    assert verdict_of(run(event, simulation.ports)) is Verdict.PERMISSIONS_MISSING


def test_a_storm_of_refused_calls_of_an_unbound_role_costs_no_check() -> None:
    simulation = simulate()
    event = needed_call(simulation, role="arn:aws:iam::111122223333:role/other-app")
    before = list(simulation.world.reads)
    for _ in range(1_000):
        assert isinstance(run(event, simulation.ports), EventIgnored)
    assert {read for read in simulation.world.reads[len(before) :] if read.startswith("cluster.")} == set()


def test_the_same_refusal_is_checked_once_a_minute() -> None:
    simulation = simulate()
    ports, refusal = simulation.ports, refused(simulation, "refused-call-of-role", eventName="DescribeTags")
    assert run(refusal, ports) == NO_FAULT_FOUND
    for _ in range(100):
        assert isinstance(run(refusal, ports), EventIgnored)
    simulation.world.sleep(MIN_REFUSAL_INTERVAL.total_seconds() + 1)
    assert run(refusal, ports) == NO_FAULT_FOUND


def test_a_refused_token_is_resolved_by_the_issuer_of_the_cluster() -> None:
    simulation = simulate()
    assert verdict_of(run(refused(simulation, "refused-token"), simulation.ports)) is Verdict.STS_ERROR


def test_a_refused_token_of_another_issuer_costs_no_check() -> None:
    simulation = simulate()
    event = refused(simulation, "refused-token")
    event["detail"]["userIdentity"]["identityProvider"] += "0"
    assert isinstance(run(event, simulation.ports), EventIgnored)


def test_a_refused_call_of_the_cni_with_the_role_of_a_node_checks_aws_node_and_blames_no_role() -> None:
    simulation = simulate()
    event = refused(simulation, "refused-cni-call-of-node-role", role="arn:aws:iam::111122223333:role/prod-blue-nodes")
    assert run(event, simulation.ports) == NO_FAULT_FOUND


def test_a_refused_pod_identity_of_another_cluster_costs_no_check() -> None:
    simulation = simulate()
    event = recorded("refused-pod-identity")
    event["detail"]["requestParameters"]["clusterName"] = "other"
    assert isinstance(run(event, simulation.ports), EventIgnored)


def test_another_event_cannot_carry_a_refusal() -> None:
    simulation = simulate()
    event = recorded("check-requested-by-person")
    forged = refused(simulation, "refused-call-of-role")["detail"]
    event["detail"] |= {"cluster": CLUSTER, "trigger": "refused-call", "refusal": {"call": "ec2:X", "at": "2026-01-01T00:00:00Z", **forged}}
    assert run(event, simulation.ports) == NO_FAULT_FOUND


def test_a_refusal_during_an_open_incident_is_in_its_next_assessment() -> None:
    simulation = simulate(annotation=None)
    opened_by_a_person = run(check_requested(simulation.world.now), simulation.ports)
    assert verdict_of(opened_by_a_person) is Verdict.ANNOTATION_MISSING
    incident = simulation.incidents.get(TARGET)
    assert incident
    steps = simulation.remediation_steps(incident)
    before = steps.assess(1, AssessmentResult()).summary
    assert before
    assert before.refusals == ()
    simulation.world.sleep(30)
    event = refused(simulation, "refused-cni-call-of-node-role", role="arn:aws:iam::111122223333:role/prod-blue-nodes")
    assert isinstance(run(event, simulation.ports), ClusterChecked)
    after = steps.assess(2, AssessmentResult()).summary
    assert after
    (sentence,) = after.refusals
    assert sentence.startswith(f"AWS refused ec2:{event['detail']['eventName']} to prod-blue-nodes at 12:0")
