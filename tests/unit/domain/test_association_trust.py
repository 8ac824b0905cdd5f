"""Trust policies for EKS Pod Identity: IAM's answer for an association and for a target role, and the smallest correction."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from lambdas.domain.trust import (
    POD_IDENTITY,
    AssociationIdentity,
    TargetIdentity,
    correct_for_association,
    correct_for_target,
    evaluate_association,
    evaluate_target,
    is_named,
)
from tests.unit.notifications.test_golden import assert_golden

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CLUSTER: Final = "arn:aws:eks:eu-west-1:111122223333:cluster/prod-blue"
ASSOCIATION: Final = "arn:aws:eks:eu-west-1:111122223333:podidentityassociation/prod-blue/a-1"
ROLE: Final = "arn:aws:iam::111122223333:role/path/prod-blue-vpc-cni"
BOTH: Final = ["sts:AssumeRole", "sts:TagSession"]
NAMESPACE: Final = "aws:RequestTag/kubernetes-namespace"
EXTERNAL_ID: Final = "eu-west-1/111122223333/prod-blue/kube-system/aws-node"


def statement(principal: Mapping[str, Any], actions: Any = BOTH, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": principal, "Action": actions, **more}


def eks(actions: Any = BOTH, **more: Any) -> dict[str, Any]:
    return statement({"Service": POD_IDENTITY}, actions, **more)


def by(principal: str = ROLE, **condition: Any) -> dict[str, Any]:
    return statement({"AWS": principal}, **({"Condition": condition} if condition else {}))


POLICIES: Final[dict[str, Any]] = {
    "as the guide writes it": [eks()],
    "without sts:TagSession": [eks("sts:AssumeRole")],
    "without sts:AssumeRole": [eks(["STS:tagsession"])],
    "one statement, not in a list": eks(["sts:AssumeRole"]),
    "every action of STS": [eks("sts:*")],
    "every action but one": [{"Effect": "Allow", "Principal": {"Service": POD_IDENTITY}, "NotAction": "sts:TagSession"}],
    "another service": [statement({"Service": "ec2.amazonaws.com"})],
    "another service, and this one without a tag": [statement({"Service": "ec2.amazonaws.com"}), eks(["sts:AssumeRole"])],
    "every principal but this service": [{"Effect": "Allow", "NotPrincipal": {"Service": POD_IDENTITY}, "Action": BOTH}],
    "this namespace": [eks(Condition={"StringEquals": {NAMESPACE: "kube-system"}})],
    "another namespace": [eks(Condition={"StringEquals": {NAMESPACE: "shop"}})],
    "another namespace, and one action": [eks("sts:AssumeRole", Condition={"StringEquals": {NAMESPACE: "shop"}})],
    "this cluster by name": [eks(Condition={"StringEquals": {"aws:RequestTag/eks-cluster-name": "prod-blue"}})],
    "this ServiceAccount": [eks(Condition={"StringLike": {"aws:RequestTag/kubernetes-service-account": "aws-*"}})],
    "a pod by name": [eks(Condition={"StringEquals": {"aws:RequestTag/kubernetes-pod-name": "aws-node-1"}})],
    "this account as source": [eks(Condition={"StringEquals": {"aws:SourceAccount": "111122223333"}})],
    "another account as source": [eks(Condition={"StringEquals": {"aws:SourceAccount": "444455556666"}})],
    "the cluster as source": [eks(Condition={"ArnEquals": {"aws:SourceArn": CLUSTER}})],
    "the association as source": [eks(Condition={"ArnEquals": {"aws:SourceArn": ASSOCIATION}})],
    "an organization": [eks(Condition={"StringEquals": {"aws:PrincipalOrgID": "o-1"}})],
    "denied": [eks(), {**eks(), "Effect": "Deny"}],
    "denied to another namespace": [eks(), {**eks(Condition={"StringEquals": {NAMESPACE: "shop"}}), "Effect": "Deny"}],
    "everyone, and one action": [{**eks(), "Principal": "*", "Action": "sts:AssumeRole"}],
    "all actions but one": [{key: value for key, value in eks().items() if key != "Action"} | {"NotAction": ["sts:TagSession"]}],
    "all other services": [
        {key: value for key, value in eks().items() if key != "Principal"} | {"NotPrincipal": {"Service": "pods.eks.amazonaws.com"}}
    ],
    "another service, and one action": [{**eks(), "Principal": {"Service": "ec2.amazonaws.com"}}, {**eks(), "Action": "sts:AssumeRole"}],
    "no policy": "none",
    "the role": [by()],
    "the role, one action": [statement({"AWS": ROLE}, "sts:AssumeRole")],
    "another role": [by(f"{ROLE}-2")],
    "the account": [by("arn:aws:iam::111122223333:root")],
    "the account by number": [by("111122223333")],
    "another account": [by("arn:aws:iam::444455556666:root")],
    "everyone": [by("*")],
    "a session of the role": [by("arn:aws:sts::111122223333:assumed-role/prod-blue-vpc-cni/session")],
    "a session of another role": [by("arn:aws:sts::111122223333:assumed-role/prod-blue-vpc/session")],
    "the role, and the external ID": [by(StringEquals={"sts:ExternalId": EXTERNAL_ID})],
    "the role, and another external ID": [by(StringEquals={"sts:ExternalId": "other"})],
    "the role, and its ARN": [by(ArnEquals={"aws:PrincipalArn": ROLE})],
    "the account, and the namespace of the principal": [by("111122223333", StringEquals={"aws:PrincipalTag/kubernetes-namespace": "shop"})],
    "the account, and its kind": [by("111122223333", StringEquals={"aws:PrincipalType": "AssumedRole"})],
    "the account, and its number": [by("111122223333", StringEquals={"aws:PrincipalAccount": "111122223333"})],
    "denied to a session": [by(), {**by("arn:aws:sts::111122223333:assumed-role/prod-blue-vpc-cni/session"), "Effect": "Deny"}],
}


@pytest.mark.parametrize("has_tags", [True, False], ids=["session tags", "no session tags"])
@pytest.mark.parametrize("of", ["association", "target role"])
def test_each_answer_and_correction_is_as_reviewed(of: str, has_tags: bool) -> None:
    """After a wanted change: `UPDATE_GOLDEN=1`."""
    identity = AssociationIdentity(
        cluster_arn=CLUSTER, namespace="kube-system", service_account="aws-node", association_arn=ASSOCIATION, has_session_tags=has_tags
    )
    lines = [line for name, statements in POLICIES.items() for line in (f"######## {name}", *_reading(of, statements, identity))]
    file = f"trust-of-{of.replace(' ', '-')}{'' if has_tags else '-without-tags'}.txt"
    assert_golden(Path(__file__).parent / "golden" / file, "\n".join(lines) + "\n")


def _reading(of: str, statements: Any, identity: AssociationIdentity) -> Iterator[str]:
    """The answer, the new statements of the corrected policy, and the answer to that one."""
    policy, target = {"Version": "2012-10-17", "Statement": statements}, TargetIdentity(association=identity, role_arn=ROLE)
    if of == "association":
        answer = partial(evaluate_association, identity=identity)
        better = correct_for_association(policy, identity)
    else:
        answer = partial(evaluate_target, identity=target)
        better = correct_for_target(policy, target)
    if statements != "none":
        yield str(answer(policy)) + ("; names the role" if is_named(policy, target) else "")
    if better != policy:
        after, single = better["Statement"], isinstance(better["Statement"], dict)
        before = statements if isinstance(statements, list) else [statements]
        new = [statement for statement in ([after] if single else after) if statement not in before]
        yield from (f"+ {json.dumps(statement)}{' alone' if single else ''}" for statement in new)
        yield f"then {answer(better)}"
