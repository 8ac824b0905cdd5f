"""The source of a pod's credentials, and whether the pod was admitted with a role."""

from dataclasses import replace
from itertools import product
from typing import Final

import pytest

from lambdas.contract.parameters import Mechanism
from lambdas.domain.diagnosis.pod_credentials import CredentialSource, credential_source, refuses_irsa, role_check, was_admitted_with
from lambdas.domain.snapshot.snapshot import Missing, PodFacts, RoleFacts, Unknown
from tests.unit.domain.link_cases.fixtures import associated
from tests.unit.domain.snapshot_fixtures import OTHER_ROLE, snapshot_with
from tests.unit.notifications.snapshots import ROLE, TRUST_OF_BOTH, pods, service_account

_KEYS, _TOKEN, _AGENT = CredentialSource.STATIC_KEYS, CredentialSource.WEB_IDENTITY, CredentialSource.ASSOCIATION


def pod(role: str | None, *, token: bool = False, agent: bool = False, keys: bool = False) -> PodFacts:
    (found,) = pods(1, role, container_credentials=agent)
    return replace(found, has_token_file=token, has_static_keys=keys)


PODS: Final = {
    "nothing": (pod(None), CredentialSource.NODE_ROLE),
    "a token file alone": (pod(None, token=True), CredentialSource.NODE_ROLE),
    "the role alone": (pod(ROLE), CredentialSource.NODE_ROLE),
    "the role and a token file": (pod(ROLE, token=True), _TOKEN),
    "another role and a token file": (pod(OTHER_ROLE, token=True), _TOKEN),
    "the agent": (pod(None, agent=True), _AGENT),
    "the role alone, and the agent": (pod(ROLE, agent=True), _AGENT),
    "the role, a token file and the agent": (pod(ROLE, token=True, agent=True), _TOKEN),
    "another role, a token file and the agent": (pod(OTHER_ROLE, token=True, agent=True), _TOKEN),
    "access keys, the role and a token file": (pod(ROLE, token=True, keys=True), _KEYS),
    "access keys and the agent": (pod(None, agent=True, keys=True), _KEYS),
}
BY_IRSA: Final = {
    "the role and a token file",
    "the role, a token file and the agent",
    "access keys, the role and a token file",  # the webhook set both, and the keys are of the template
}
BY_ASSOCIATION: Final = {"the agent", "the role alone, and the agent"}
BY_TOKEN: Final = {"the role and a token file", "the role, a token file and the agent"}


@pytest.mark.parametrize(("found", "source"), PODS.values(), ids=PODS)
def test_the_first_provider_of_the_chain_decides(found: PodFacts, source: CredentialSource) -> None:
    assert credential_source(found) is source


@pytest.mark.parametrize(
    ("mechanism", "refuses_irsa", "admitted"),
    [
        (Mechanism.IRSA, False, BY_IRSA),
        (Mechanism.IRSA, True, BY_IRSA),
        (Mechanism.POD_IDENTITY, False, BY_ASSOCIATION | BY_TOKEN),
        (Mechanism.POD_IDENTITY, True, BY_ASSOCIATION),
    ],
)
def test_a_pod_was_admitted_with_a_role_by_one_mechanism(mechanism: Mechanism, admitted: set[str], *, refuses_irsa: bool) -> None:
    found = {name for name, (each, _) in PODS.items() if was_admitted_with(each, ROLE, mechanism, refuses_irsa=refuses_irsa)}
    assert found == admitted


def test_a_role_refuses_web_identity_for_the_audience_of_the_pods() -> None:
    base = associated(role=RoleFacts(arn=ROLE, trust=TRUST_OF_BOTH))
    assert not refuses_irsa(base)
    assert refuses_irsa(replace(base, service_account=replace(service_account(), audience="vault")))
    assert not refuses_irsa(replace(base, associations=()))
    assert not refuses_irsa(replace(base, role=Unknown("x")))
    assert not refuses_irsa(replace(associated(), cluster=Missing("x")))
    assert refuses_irsa(associated())


@pytest.mark.parametrize(("has_association", "accepts_irsa", "is_right"), list(product((False, True), repeat=3)))
def test_a_pod_has_the_right_role(*, has_association: bool, accepts_irsa: bool, is_right: bool) -> None:
    """A trust policy that refuses web identity counts only where an association gives the role."""
    changes = {"role": RoleFacts(arn=ROLE, trust=TRUST_OF_BOTH)} if accepts_irsa else {}
    snapshot = associated(**changes) if has_association else snapshot_with()
    if has_association and not is_right:
        snapshot = replace(snapshot, associations=(replace(snapshot.associations[0], role_arn=OTHER_ROLE),))
    expected = set(BY_TOKEN) if accepts_irsa or not has_association else set()
    expected |= BY_ASSOCIATION if has_association and is_right else set()
    check = role_check(snapshot)
    assert {name for name, (each, _) in PODS.items() if check(each)} == expected
