"""Invariants of diagnosis and plan over any mixture of faults."""

import json
import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from lambdas.application.codec import decode, encode
from lambdas.contract.parameters import Mechanism
from lambdas.contract.settings import Mode, RestartBy, Severity, WhenUnverified
from lambdas.domain.assessment.summary import AssessmentSummary
from lambdas.domain.assessment.summary_builder import summarize
from lambdas.domain.diagnosis.finding import PRECONDITIONS, READABLE_PRECONDITIONS, Link, State
from lambdas.domain.diagnosis.identity_chain import Diagnosis
from lambdas.domain.diagnosis.links.annotation import stale_pods
from lambdas.domain.diagnosis.links.identity import trust_breadth
from lambdas.domain.diagnosis.links.pod_identity_agent import is_agent_shown
from lambdas.domain.diagnosis.pod_credentials import (
    CredentialSource,
    association_matches,
    credential_source,
    role_check,
    uses_pod_identity,
    was_admitted_with,
)
from lambdas.domain.diagnosis.verdict import REPAIRABLE, Verdict
from lambdas.domain.diagnosis.workload_needs import harmful_errors
from lambdas.domain.planning.actions import (
    AnnotateServiceAccount,
    CreateAssociation,
    ReplaceCanaryPod,
    ReplaceStalePods,
    RestartWorkload,
    UpdateAddonRole,
    UpdateAssociation,
)
from lambdas.domain.planning.plan import BlockReason, Plan
from lambdas.domain.planning.policies import RepairHistory
from lambdas.domain.planning.role_bounds import account_of, is_passable, why_outside
from lambdas.domain.snapshot.bindings import desired_settings
from lambdas.domain.snapshot.node_reachability import is_rollout_stalled, pods_on_lost_nodes, reachable_pods
from lambdas.domain.snapshot.snapshot import AddonFacts, Binding, ServiceAccountFacts, Snapshot
from tests.unit.domain.snapshot_fixtures import diagnose_and_plan
from tests.unit.domain.strategies import observations, pasts

BOUNDED = settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
LONG = settings(BOUNDED, max_examples=20_000, derandomize=False)


def holds(snapshot: Snapshot, past: RepairHistory) -> None:
    """Every property that needs one snapshot alone."""
    found, made = diagnose_and_plan(snapshot, past)
    event(f"acts: {bool(made.actions)}")
    _writes_only_where_asked(snapshot, found, made)
    _replaces_nothing_on_a_guess(snapshot, found, made)
    _accounts_for_every_broken_link(found, made)
    _does_each_thing_once(made)
    _leaves_lost_nodes_alone(snapshot, made)
    _says_how_urgent_it_is(found, made)
    _survives_a_checkpoint(snapshot, found, made)


@given(observations(), pasts())
@BOUNDED
def test_a_plan_is_safe_and_accounts_for_everything(snapshot: Snapshot, past: RepairHistory) -> None:
    holds(snapshot, past)


@pytest.mark.long
@pytest.mark.timeout(1_800)
@given(observations(), pasts())
@LONG
def test_a_plan_is_safe_and_accounts_for_everything_at_length(snapshot: Snapshot, past: RepairHistory) -> None:
    holds(snapshot, past)


def _writes_only_where_asked(snapshot: Snapshot, found: Diagnosis, made: Plan) -> None:
    if not made.actions:
        return
    assert isinstance(snapshot.binding, Binding)
    assert snapshot.settings.mode is not Mode.OBSERVE
    assert made.needs_approval is (snapshot.settings.mode is Mode.APPROVE)
    assert not found[Link.CLUSTER].is_broken
    assert not any(found[link].is_broken for link in PRECONDITIONS)
    without_role = (None, Verdict.PODS_STALE, Verdict.PODS_WITHOUT_CREDENTIALS)
    assert found[Link.PERMISSION_ERRORS].verdict in without_role, "pods with the role are refused calls or fail at STS"
    assert not _refused_with_role(snapshot), "a refused call of a pod with the role is evidence against the role"
    _replaces_pods_only_for_the_right_association(snapshot, found, made)
    assert made.wait is None
    assert not {"update-in-progress"} & set(found.verdicts)
    assert all(action.role_arn == snapshot.binding.role_arn for action in made.actions)  # type: ignore[union-attr]
    assert snapshot.settings.restart_by is RestartBy.RESTART or not any(isinstance(action, RestartWorkload) for action in made.actions)
    assert why_outside(snapshot.binding.role_arn, account=snapshot.account, bound_roles=snapshot.bound_roles) is None
    assert uses_pod_identity(snapshot) or trust_breadth(snapshot) is None


def _replaces_pods_only_for_the_right_association(snapshot: Snapshot, found: Diagnosis, made: Plan) -> None:
    """With Pod Identity, only the association is set and pods are replaced, and only where new pods get the role."""
    assert isinstance(snapshot.associations, tuple)
    replacements = [action for action in made.actions if isinstance(action, ReplaceCanaryPod | ReplaceStalePods | RestartWorkload)]
    writes = [action for action in made.actions if isinstance(action, CreateAssociation | UpdateAssociation)]
    wanted = Mechanism.POD_IDENTITY if uses_pod_identity(snapshot) else Mechanism.IRSA
    assert {action.mechanism for action in replacements} <= {wanted}
    if not uses_pod_identity(snapshot):
        assert not writes
        return
    assert len(replacements) + len(writes) == len(made.actions)
    if writes:
        event(f"sets the association: {writes[0].kind}")
        assert isinstance(snapshot.binding, Binding)
        assert snapshot.binding.mechanism is not Mechanism.IRSA
        assert is_agent_shown(snapshot)
        assert writes[0].wanted == desired_settings(snapshot.binding, snapshot.association)
        assert account_of(writes[0].role_arn) == snapshot.account
        assert is_passable(writes[0].role_arn, account=snapshot.account, bound_roles=snapshot.bound_roles)
        assert snapshot.association is None or not snapshot.association.declared_by
    else:
        event("replaces pods without the credentials of an association")
        assert found[Link.MECHANISM].state is State.OK
        assert association_matches(snapshot)
        assert not any(credential_source(pod) is CredentialSource.ASSOCIATION for pod in stale_pods(snapshot))


def _refused_with_role(snapshot: Snapshot) -> list[str]:
    """Names of pods with the role whose calls were refused since they were created."""
    born = {pod.name: pod.created_at for pod in filter(role_check(snapshot), reachable_pods(snapshot))}
    return [error.pod for error in harmful_errors(snapshot) if error.pod in born and error.at >= born[error.pod]]


def _replaces_nothing_on_a_guess(snapshot: Snapshot, found: Diagnosis, made: Plan) -> None:
    if not any(found[link].state is State.UNKNOWN for link in READABLE_PRECONDITIONS) or not made.actions:
        return
    event("acts behind an unread guard")
    assert snapshot.settings.when_unverified is not WhenUnverified.REFUSE
    for action in made.actions:
        match action:
            case AnnotateServiceAccount():
                assert not action.old_value
                assert isinstance(snapshot.service_account, ServiceAccountFacts)
            case UpdateAddonRole():
                assert isinstance(snapshot.addon, AddonFacts)
                assert snapshot.addon.role_arn is None
            case CreateAssociation():
                assert snapshot.association is None
            case UpdateAssociation():
                pytest.fail("an association is replaced on a guess")
            case ReplaceCanaryPod() | ReplaceStalePods() | RestartWorkload():
                assert all(pod.role_arn in (None, snapshot.desired_role) for pod in stale_pods(snapshot))


def _accounts_for_every_broken_link(found: Diagnosis, made: Plan) -> None:
    answered = {link for link, positions in made.answers if positions}
    held = [blocked.link for blocked in made.blocked]
    assert len(held) == len(set(held))
    assert answered | set(held) == {finding.link for finding in found.broken_findings}
    assert not answered & set(held)
    assert sorted(position for _, positions in made.answers for position in positions) == list(range(len(made.actions)))
    assert all(blocked.sentence for blocked in made.blocked)
    consequences = [blocked for blocked in made.blocked if blocked.reason is BlockReason.CONSEQUENCE]
    assert not consequences or made.actions or made.wait or len(held) > len(consequences)


def _does_each_thing_once(made: Plan) -> None:
    kinds = [type(action) for action in made.actions]
    assert len(kinds) == len(set(kinds))
    assert not {RestartWorkload, ReplaceStalePods} <= set(kinds)
    order = [
        CreateAssociation,
        UpdateAssociation,
        AnnotateServiceAccount,
        ReplaceCanaryPod,
        RestartWorkload,
        ReplaceStalePods,
        UpdateAddonRole,
    ]
    assert kinds == sorted(kinds, key=order.index)
    assert ReplaceCanaryPod in kinds or not {RestartWorkload, ReplaceStalePods} & set(kinds)


def _leaves_lost_nodes_alone(snapshot: Snapshot, made: Plan) -> None:
    lost = pods_on_lost_nodes(snapshot)
    event(f"pods on lost nodes: {bool(lost)}")
    for action in made.actions:
        match action:
            case ReplaceCanaryPod():
                assert action.uid not in {pod.uid for pod in lost}
            case ReplaceStalePods():
                without = [
                    pod
                    for pod in reachable_pods(snapshot)
                    if not was_admitted_with(pod, action.role_arn, action.mechanism, refuses_irsa=action.refuses_irsa)
                ]
                assert action.count == len(without) - 1
            case RestartWorkload():
                assert not is_rollout_stalled(snapshot)
    assert not {pod.uid for pod in lost} & {pod.uid for pod in stale_pods(snapshot)}


def _says_how_urgent_it_is(found: Diagnosis, made: Plan) -> None:
    failing = (
        found[Link.NODES].is_broken or found[Link.PERMISSION_ERRORS].is_broken or any(verdict in REPAIRABLE for verdict in found.verdicts)
    )
    assert not failing or found.severity is not Severity.INFO
    assert found.is_healthy is (found.broken_findings == ())
    assert not found.is_healthy or found.severity is Severity.INFO
    assert made.severity is found.severity


def _survives_a_checkpoint(snapshot: Snapshot, found: Diagnosis, made: Plan) -> None:
    seen = summarize(snapshot, found, made)
    text = json.dumps(encode(seen))
    assert decode(AssessmentSummary, json.loads(text)) == seen
    assert len(text) < 32 * 1024
    assert seen.is_healthy is found.is_healthy


def _shuffled(snapshot: Snapshot, seed: int) -> Snapshot:
    order = random.Random(seed)

    def mixed(part: Any) -> Any:
        return tuple(order.sample(part, len(part))) if isinstance(part, tuple) else part

    account = snapshot.service_account
    return replace(
        snapshot,
        pods=mixed(snapshot.pods),
        nodes=mixed(snapshot.nodes),
        permission_errors=mixed(snapshot.permission_errors),
        service_account=replace(account, writers=mixed(account.writers)) if isinstance(account, ServiceAccountFacts) else account,
        addon=replace(snapshot.addon, issues=mixed(snapshot.addon.issues)) if isinstance(snapshot.addon, AddonFacts) else snapshot.addon,
    )


@given(observations(), pasts(), st.integers(0, 1000))
@BOUNDED
def test_the_order_of_lists_does_not_matter(snapshot: Snapshot, past: RepairHistory, seed: int) -> None:
    mixed = replace(past, incidents=past.incidents[::-1], affected_clusters=past.affected_clusters[::-1])
    (found, made), (again, remade) = diagnose_and_plan(snapshot, past), diagnose_and_plan(_shuffled(snapshot, seed), mixed)
    assert (again.verdict, again.verdicts, again.severity) == (found.verdict, found.verdicts, found.severity)
    assert [(finding.state, finding.sentence) for finding in again.findings] == [
        (finding.state, finding.sentence) for finding in found.findings
    ]
    assert remade == made
