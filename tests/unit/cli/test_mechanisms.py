"""The mechanism of a ServiceAccount and what blocks EKS Pod Identity, from what was read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cli.errors import ExitCode
from cli.queries.mechanisms import AccountFacts, ClusterMechanisms, ClusterParts, InstalledAddon, PodIdentityState, assess_account
from lambdas.contract.parameters import Mechanism, ServiceAccountRef
from lambdas.domain.snapshot.snapshot import AddonFacts, Association, ComputeType, Missing, RoleFacts, Unknown
from tests.unit.domain.snapshot_fixtures import cluster
from tests.unit.notifications.snapshots import POD_IDENTITY_TRUST, ROLE, agent, pods, trust

UNREAD = Unknown("403 Forbidden")
TRUSTING = RoleFacts(arn=ROLE, trust=POD_IDENTITY_TRUST)
ADDON = AddonFacts(name="vpc-cni", version="v1.18.0-eksbuild.1", status="ACTIVE", role_arn=None)
OTHER_ACCOUNT = "arn:aws:iam::444455556666:role/audit"
NODES = tuple(pod.node for pod in pods(2, ROLE))


def _account(**changes: Any) -> AccountFacts:
    """aws-node with IRSA on two nodes, whose role trusts Pod Identity."""
    facts: dict[str, Any] = {"association": None, "annotation": ROLE, "record": None, "role": TRUSTING, "pods": pods(2, ROLE)}
    return AccountFacts(target=ServiceAccountRef("prod-blue", "kube-system", "aws-node"), **{**facts, **changes})


def _parts(**changes: Any) -> ClusterParts:
    installed = InstalledAddon(facts=ADDON, associable=frozenset({"aws-node"}))
    facts: dict[str, Any] = {"facts": cluster(), "addons": {"vpc-cni": installed}, "agents": agent().pods, "compute_types": {}}
    return ClusterParts(**{**facts, **changes})


def _trust(**condition: Any) -> RoleFacts:
    return RoleFacts(arn=ROLE, trust={**POD_IDENTITY_TRUST, "Statement": [{**POD_IDENTITY_TRUST["Statement"][0], "Condition": condition}]})


ASSOCIATED = Association(id="a-1", role_arn=ROLE)
NEW_PODS = pods(2, None, container_credentials=True)
BOTH = {**POD_IDENTITY_TRUST, "Statement": [*POD_IDENTITY_TRUST["Statement"], *trust()["Statement"]]}
NOT_ASSOCIABLE = {"vpc-cni": InstalledAddon(facts=ADDON, associable=frozenset())}
CASES: dict[str, tuple[AccountFacts, ClusterParts, PodIdentityState, str]] = {
    "fit": (_account(), _parts(), PodIdentityState.READY, ""),
    "in use": (_account(association=ASSOCIATED, pods=NEW_PODS), _parts(), PodIdentityState.IN_USE, ""),
    "in use, with pods of IRSA": (
        _account(association=ASSOCIATED, role=RoleFacts(arn=ROLE, trust=BOTH)),
        _parts(),
        PodIdentityState.IN_USE,
        "",
    ),
    "in use, with pods of IRSA that the role refuses": (
        _account(association=ASSOCIATED),
        _parts(),
        PodIdentityState.IN_USE,
        "2 pods use IRSA, which the trust policy no longer lets in",
    ),
    "no pods": (_account(pods=()), _parts(), PodIdentityState.READY, ""),
    "no pods and no agent": (_account(pods=()), _parts(agents=()), PodIdentityState.BLOCKED, "agent has no pod"),
    "no pods and Auto Mode": (_account(pods=()), _parts(agents=(), facts=cluster(auto_mode=True)), PodIdentityState.READY, ""),
    "no agent": (_account(), _parts(agents=()), PodIdentityState.BLOCKED, "agent has no pod"),
    "agent not ready on one": (
        _account(),
        _parts(agents=(agent().pods[0],)),
        PodIdentityState.BLOCKED,
        f"not ready on 1 node of the pods: {NODES[1]}",
    ),  # type: ignore[index]
    "agent built in": (_account(), _parts(agents=(), compute_types=dict.fromkeys(NODES, ComputeType.AUTO)), PodIdentityState.READY, ""),
    "Fargate": (
        _account(),
        _parts(agents=(), compute_types=dict.fromkeys(NODES, ComputeType.FARGATE)),
        PodIdentityState.BLOCKED,
        "Fargate nodes",
    ),
    "agents not read": (_account(), _parts(agents=UNREAD), PodIdentityState.UNKNOWN, "403 Forbidden"),
    "types not read": (_account(), _parts(compute_types=UNREAD), PodIdentityState.UNKNOWN, "403 Forbidden"),
    "role of another account": (_account(annotation=OTHER_ACCOUNT, role=None), _parts(), PodIdentityState.BLOCKED, "account 444455556666"),
    "role is gone": (_account(role=Missing("role")), _parts(), PodIdentityState.BLOCKED, f"does not exist: {ROLE}"),
    "role not read": (_account(role=UNREAD), _parts(), PodIdentityState.UNKNOWN, "403 Forbidden"),
    "no ARN": (_account(annotation="vpc-cni", role=None), _parts(), PodIdentityState.BLOCKED, "vpc-cni is not the ARN of a role"),
    "no role": (_account(annotation=None, role=None), _parts(), PodIdentityState.BLOCKED, "names a role"),
    "trust of IRSA": (_account(role=RoleFacts(arn=ROLE, trust=trust())), _parts(), PodIdentityState.BLOCKED, "pods.eks.amazonaws.com"),
    "trust of another namespace": (
        _account(role=_trust(StringEquals={"aws:RequestTag/kubernetes-namespace": "shop"})),
        _parts(),
        PodIdentityState.BLOCKED,
        "aws:RequestTag/kubernetes-namespace is not met",
    ),
    "trust by the name of a pod": (
        _account(role=_trust(StringLike={"aws:RequestTag/kubernetes-pod-name": "a*"})),
        _parts(),
        PodIdentityState.UNKNOWN,
        "trust policy",
    ),
    "add-on takes none": (_account(), _parts(addons=NOT_ASSOCIABLE), PodIdentityState.BLOCKED, "takes no association for aws-node"),
    "add-on not read": (
        _account(),
        _parts(addons={"vpc-cni": InstalledAddon(facts=ADDON, associable=UNREAD)}),
        PodIdentityState.UNKNOWN,
        "403 Forbidden",
    ),
    "access keys": (
        _account(pods=tuple(replace(pod, has_static_keys=True) for pod in pods(2, ROLE))),
        _parts(),
        PodIdentityState.BLOCKED,
        "2 pods have access keys",
    ),
    "both in one pod": (
        _account(association=ASSOCIATED, pods=tuple(replace(pod, container_credentials=True) for pod in pods(1, ROLE))),
        _parts(),
        PodIdentityState.IN_USE,
        "1 pod has web identity from the pod template",
    ),
    "association not read": (_account(association=UNREAD), _parts(), PodIdentityState.UNKNOWN, "403 Forbidden"),
    "annotation not read": (_account(annotation=UNREAD), _parts(), PodIdentityState.UNKNOWN, "403 Forbidden"),
    "pods not read": (_account(pods=UNREAD), _parts(), PodIdentityState.UNKNOWN, "403 Forbidden"),
}


@pytest.mark.parametrize(("account", "parts", "state", "reason"), CASES.values(), ids=CASES)
def test_a_service_account_has_a_state_and_its_reason(
    account: AccountFacts, parts: ClusterParts, state: PodIdentityState, reason: str
) -> None:
    found = assess_account(account, parts)
    reasons = (*found.obstacles, *found.unread)
    assert found.state is state
    assert len(reasons) == bool(reason)
    assert reason in "".join(reasons)
    unread = ClusterMechanisms(cluster="c", parts=parts, accounts=(found,)).exit_code
    assert unread == (ExitCode.UNKNOWN if found.unread else ExitCode.OK)


def test_the_association_decides_and_the_rest_is_left_over() -> None:
    found = assess_account(_account(association=ASSOCIATED, annotation=OTHER_ACCOUNT, record=ROLE), _parts())
    assert (found.mechanism, found.role_arn) == (Mechanism.POD_IDENTITY, ROLE)
    assert found.left_over == (f"annotation {OTHER_ACCOUNT}", f"role of the add-on record {ROLE}")


@pytest.mark.parametrize("part", ["association", "annotation"])
def test_a_mechanism_that_was_not_read_is_not_named(part: str) -> None:
    found = assess_account(_account(**{part: UNREAD}), _parts())
    assert (found.mechanism, found.is_mechanism_read, found.role_arn) == (None, False, "")
