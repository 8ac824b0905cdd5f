"""The registration of the identity webhook: when it is read, and what each of the three answers says."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from lambdas.application.assessment import PolicySources, assess
from lambdas.application.readers import Hints
from lambdas.contract.names import IDENTITY_WEBHOOK
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.domain.assessment.summary_builder import summarize
from lambdas.domain.diagnosis.finding import Link
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.errors import AccessDenied, Denial, TransientError
from sandbox.simulation.scenario import BOUND, World, load
from tests.over_fakes.scenario_run import ScenarioRun, run_scenario
from tests.over_fakes.scenario_world import CLUSTER, world_of

if TYPE_CHECKING:
    from lambdas.domain.assessment.summary import AssessmentSummary

TARGET = ServiceAccountRef(CLUSTER, "kube-system", "aws-node")
SUBJECT = f"MutatingWebhookConfiguration {IDENTITY_WEBHOOK}"


def missing_pods(*, is_registered: bool = True, stale: int = 3) -> ScenarioRun:
    """Pods that were created without the role after the annotation was set."""
    simulation = ScenarioRun(world_of(World(annotation=BOUND, nodes=3)))
    cluster = simulation.world.cluster
    simulation.world.sleep(60)
    cluster.webhook.is_registered = is_registered
    cluster.webhook.misses = stale
    for name in list(cluster.pods)[:stale]:
        simulation.world.replace_pod(cluster, name)
    return simulation


def assessed(simulation: ScenarioRun) -> AssessmentSummary:
    sources = PolicySources(incidents=simulation.incidents, calendar=simulation.calendar)
    found = assess(TARGET, simulation.readers, sources, simulation.world.now, Hints())
    return summarize(found.snapshot, found.diagnosis, found.plan)


def state(summary: AssessmentSummary) -> list[str]:
    facts = [fact for link in summary.links if link.link == Link.PODS for fact in link.evidence]
    return [fact[2] for fact in facts if fact[0] == SUBJECT]


@pytest.mark.parametrize(("is_registered", "word"), [(True, "present"), (False, "absent")])
@pytest.mark.parametrize("stale", [1, 3])
def test_the_evidence_names_whether_the_webhook_is_registered(is_registered: bool, word: str, stale: int) -> None:
    summary = assessed(missing_pods(is_registered=is_registered, stale=stale))
    assert summary.verdict is Verdict.WEBHOOK_MISSED
    assert state(summary) == [word]


def test_only_an_absent_webhook_is_a_matter_for_aws() -> None:
    found = [assessed(missing_pods(is_registered=is_registered)).remedies for is_registered in (True, False)]
    assert [any(IDENTITY_WEBHOOK in remedy.text for remedy in remedies) for remedies in found] == [False, True]


def test_no_pod_is_replaced_without_the_webhook_and_the_message_says_what_to_restore() -> None:
    run = run_scenario(load("webhook-absent"))
    [message] = run.outcome().messages
    assert run.outcome().actions == []
    assert f"Have AWS Support restore the MutatingWebhookConfiguration {IDENTITY_WEBHOOK}" in json.dumps(message)


@pytest.mark.parametrize("error", [TransientError("read: 503"), AccessDenied("read: forbidden", denial=Denial.FORBIDDEN)], ids=str)
def test_a_webhook_that_cannot_be_read_is_neither_present_nor_absent(error: Exception) -> None:
    simulation = missing_pods(is_registered=False)
    simulation.world.fail("cluster.has_identity_webhook", error, times=None)
    summary = assessed(simulation)
    assert summary.verdict is Verdict.WEBHOOK_MISSED
    assert state(summary) == [f"not read: {error}"]
    assert not any(IDENTITY_WEBHOOK in remedy.text for remedy in summary.remedies)


@pytest.mark.parametrize("name", ["healthy", "annotation-missing", "pod-identity-in-use", "refused-token"])
def test_the_webhook_is_not_read_where_it_explains_nothing(name: str) -> None:
    simulation = ScenarioRun(world_of(load(name).world))
    simulation.world.fail("cluster.has_identity_webhook", AssertionError("read"), times=None)
    assert state(assessed(simulation)) == []


def test_pods_with_another_role_were_admitted_by_the_webhook() -> None:
    simulation = ScenarioRun(world_of(World(annotation=BOUND, nodes=2)))
    pods = simulation.world.cluster.pods
    for pod in pods.values():
        pod.facts = replace(pod.facts, role_arn="arn:aws:iam::111122223333:role/other")
    summary = assessed(simulation)
    assert (summary.verdict, state(summary)) == (Verdict.PODS_STALE, [])
