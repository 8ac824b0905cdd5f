"""Whether a trust policy admits a Pod Identity association, and the smallest correction if not."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final, cast

from lambdas.domain.trust.document import VERSION, Effect, MalformedPolicyError, read, read_statement, statements_of
from lambdas.domain.trust.evaluation import POD_IDENTITY, POD_IDENTITY_ACTIONS, evaluate_pod_identity
from lambdas.domain.trust.results import Allowed, Answer, Undecided

_TAG: Final = "aws:RequestTag/"


@dataclass(frozen=True, kw_only=True)
class AssociationIdentity:
    """The request that EKS makes for the pods of an association. `association_arn` is empty where no association exists yet.

    The values of the session tags for the pod's name and UID are not known before the pod exists.

    Source: https://docs.aws.amazon.com/eks/latest/userguide/pod-id-abac.html
    """

    cluster_arn: str
    namespace: str
    service_account: str
    association_arn: str = ""
    has_session_tags: bool = True

    @property
    def tags(self) -> dict[str, str]:
        """Condition key -> value, for the session tags with a known value."""
        values = {
            "eks-cluster-arn": self.cluster_arn,
            "eks-cluster-name": self.cluster_arn.rpartition("/")[2],
            "kubernetes-namespace": self.namespace,
            "kubernetes-service-account": self.service_account,
        }
        return {f"{_TAG}{name}": value for name, value in values.items()} if self.has_session_tags else {}


def evaluate_association(policy: Mapping[str, object], identity: AssociationIdentity) -> Answer:
    """Decide as IAM does when EKS assumes the role for a pod of the association.

    Whether `aws:SourceArn` is the ARN of the cluster or of the association was not found in AWS's documentation, and both occur in
    published policies. The answer is `Undecided` where it depends on that.
    """
    answers = [_answer(policy, identity, arn) for arn in filter(None, (identity.cluster_arn, identity.association_arn))]
    if len(set(map(type, answers))) > 1:
        return Undecided("the answer depends on the value of aws:SourceArn, which is not documented")
    return answers[0]


def _answer(policy: Mapping[str, object], identity: AssociationIdentity, source_arn: str) -> Answer:
    known = {"aws:SourceAccount": identity.cluster_arn.split(":")[4], "aws:SourceArn": source_arn, **identity.tags}
    if identity.has_session_tags:
        return evaluate_pod_identity(policy, known)
    absent = (_TAG.lower(),)
    alone = evaluate_pod_identity(policy, known, absent=absent, actions=POD_IDENTITY_ACTIONS[:1])
    if not isinstance(alone, Allowed):
        return alone
    both = evaluate_pod_identity(policy, known, absent=absent)
    return both if isinstance(both, Allowed) else Undecided("whether EKS needs sts:TagSession with session tags disabled is not documented")


def correct_for_association(policy: Mapping[str, object], identity: AssociationIdentity) -> dict[str, Any]:
    """The document after the smallest change that admits the association; equal to the input where it already does.

    A statement for the service that lacks an action gets the action. Else a statement for this ServiceAccount is added. Nothing is
    removed, so a Deny still applies: evaluate the result.
    """
    try:
        read(policy)
    except MalformedPolicyError:
        return {"Version": VERSION, "Statement": [_statement_for(identity)]}
    if isinstance(evaluate_association(policy, identity), Allowed):
        return deepcopy(dict(policy))
    for document in (*_with_actions(policy), _with_statement(policy, identity)):
        if isinstance(evaluate_association(document, identity), Allowed):
            return document
    return _with_statement(policy, identity)


def _with_actions(policy: Mapping[str, object]) -> Iterator[dict[str, Any]]:
    for index, raw in enumerate(statements_of(policy)):
        statement = read_statement(raw, index)
        names_service = POD_IDENTITY in statement.principals.get("Service", ()) and not statement.except_principals
        if statement.effect is Effect.ALLOW and names_service and not statement.except_actions:
            named = {action.lower() for action in statement.actions}
            added = [action for action in POD_IDENTITY_ACTIONS if action.lower() not in named]
            changed = deepcopy(statements_of(policy))
            changed[index] = {**cast("dict[str, Any]", changed[index]), "Action": [*statement.actions, *added]}
            yield _document(policy, changed)


def _with_statement(policy: Mapping[str, object], identity: AssociationIdentity) -> dict[str, Any]:
    return _document(policy, [*deepcopy(statements_of(policy)), _statement_for(identity)])


def _document(policy: Mapping[str, object], statements: list[Any]) -> dict[str, Any]:
    single = isinstance(policy["Statement"], Mapping) and len(statements) == 1
    return {**deepcopy(dict(policy)), "Statement": statements[0] if single else statements}


def _statement_for(identity: AssociationIdentity) -> dict[str, Any]:
    """Source: https://docs.aws.amazon.com/eks/latest/userguide/pod-id-role.html"""
    names = ("kubernetes-namespace", "kubernetes-service-account")
    tags = {f"{_TAG}{name}": identity.tags[f"{_TAG}{name}"] for name in names} if identity.has_session_tags else {}
    statement = {"Effect": "Allow", "Principal": {"Service": POD_IDENTITY}, "Action": list(POD_IDENTITY_ACTIONS)}
    return {**statement, "Condition": {"StringEquals": tags}} if tags else statement
