"""Refusals in CloudTrail's event history: when they are looked up, and what a lookup shows."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from lambdas.application.assessment import PolicySources, assess
from lambdas.application.readers import Hints
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.domain.assessment.summary_builder import summarize
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.errors import AccessDenied, Denial, TransientError
from lambdas.domain.requests.request import Refusal
from sandbox.simulation.scenario import load
from tests.over_fakes.fake_steps import FakeSteps
from tests.over_fakes.scenario_run import ScenarioRun
from tests.over_fakes.scenario_world import BOUND_ROLE, CLUSTER, world_of

if TYPE_CHECKING:
    from datetime import datetime

    from lambdas.domain.assessment.summary import AssessmentSummary

TARGET = ServiceAccountRef(CLUSTER, "kube-system", "aws-node")


@dataclass
class FakeEventHistory:
    """An event history with these refusals, or one that cannot be read."""

    refusals: tuple[Refusal, ...] = ()
    error: Exception | None = None
    lookups: list[tuple[str, timedelta]] = field(default_factory=list)

    def refused_tokens(self, subject: str, since: datetime, until: datetime) -> tuple[Refusal, ...]:
        self.lookups.append((subject, until - since))
        if self.error:
            raise self.error
        return self.refusals


def failing() -> ScenarioRun:
    """Pods that STS refuses although every link is correct, ten minutes after they started."""
    simulation = ScenarioRun(world_of(replace(load("refused-token").world, settings={"node_grace_s": "0"})))
    FakeSteps(simulation).refuse_tokens("AccessDenied")
    simulation.world.sleep(600)
    return simulation


def refusal(simulation: ScenarioRun, *, minutes: float = 2, provider: str = "", role: str = BOUND_ROLE) -> Refusal:
    return Refusal(
        call="sts:AssumeRoleWithWebIdentity",
        code="AccessDenied",
        principal="system:serviceaccount:kube-system:aws-node",
        at=simulation.world.now - timedelta(minutes=minutes),
        role_arn=role,
        provider_arn=provider or simulation.world.cluster.facts.provider_arn or "",
    )


def assessed(simulation: ScenarioRun, history: FakeEventHistory | None) -> AssessmentSummary:
    readers = replace(simulation.readers, event_history=history)
    sources = PolicySources(incidents=simulation.incidents, calendar=simulation.calendar)
    found = assess(TARGET, readers, sources, simulation.world.now, Hints())
    return summarize(found.snapshot, found.diagnosis, found.plan)


def test_a_refusal_in_the_event_history_explains_pods_that_do_not_become_ready() -> None:
    simulation = failing()
    history = FakeEventHistory((refusal(simulation),))
    summary = assessed(simulation, history)
    assert summary.verdict is Verdict.STS_ERROR
    assert history.lookups == [("system:serviceaccount:kube-system:aws-node", timedelta(hours=1))]


def test_an_empty_answer_proves_nothing() -> None:
    summary = assessed(failing(), FakeEventHistory())
    assert summary.verdict is Verdict.PODS_NOT_READY
    assert not summary.is_role_cleared
    assert any("which proves nothing" in warning for warning in summary.warnings)


@pytest.mark.parametrize(
    "error", [TransientError("look up: ThrottlingException"), AccessDenied("look up: denied", denial=Denial.FORBIDDEN)], ids=str
)
def test_a_history_that_cannot_be_read_is_not_known(error: Exception) -> None:
    summary = assessed(failing(), FakeEventHistory(error=error))
    assert summary.verdict is Verdict.PODS_NOT_READY
    assert any(f"could not be read: {error}" in warning for warning in summary.warnings)


def test_without_the_grant_nothing_is_said_about_the_history() -> None:
    summary = assessed(failing(), None)
    assert summary.verdict is Verdict.PODS_NOT_READY
    assert not any("event history" in warning for warning in summary.warnings)


def test_a_refusal_of_another_cluster_or_role_explains_nothing() -> None:
    simulation = failing()
    other = "arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/OTHER"
    for found in (refusal(simulation, provider=other), refusal(simulation, role="arn:aws:iam::111122223333:role/other")):
        assert assessed(simulation, FakeEventHistory((found,))).verdict is Verdict.PODS_NOT_READY


def test_a_healthy_or_an_explained_target_costs_no_lookup() -> None:
    history = FakeEventHistory()
    for name in ("healthy", "annotation-missing", "pod-identity-in-use"):
        assessed(ScenarioRun(world_of(load(name).world)), history)
    assert history.lookups == []
