"""Whether a trust policy admits a Pod Identity association or its role, and the smallest correction if not."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any, Final, cast

from lambdas.domain.trust.conditions import Context
from lambdas.domain.trust.document import VERSION, Effect, MalformedPolicyError, read, read_statement, statements_of
from lambdas.domain.trust.evaluation import POD_IDENTITY, POD_IDENTITY_ACTIONS, evaluate_calls, evaluate_pod_identity
from lambdas.domain.trust.results import Allowed, Answer, Refused, Undecided
from lambdas.domain.trust.statements import Request

_TAG: Final = "aws:RequestTag/"
_PRINCIPAL_TAG: Final = "aws:PrincipalTag/"


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
    return _without_tags(alone, evaluate_pod_identity(policy, known, absent=absent))


def _without_tags(alone: Answer, both: Answer) -> Answer:
    """The answer with session tags disabled, from those for `sts:AssumeRole` alone and with `sts:TagSession`."""
    if not isinstance(alone, Allowed) or isinstance(both, Allowed):
        return alone
    return Undecided("whether EKS needs sts:TagSession with session tags disabled is not documented")


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
    """A statement for this ServiceAccount of this cluster, as the one of IRSA is. Without session tags, nothing tells them apart.

    Source: https://docs.aws.amazon.com/eks/latest/userguide/pod-id-role.html
    """
    names = ("eks-cluster-arn", "kubernetes-namespace", "kubernetes-service-account")
    tags = {f"{_TAG}{name}": identity.tags[f"{_TAG}{name}"] for name in names} if identity.has_session_tags else {}
    statement = {"Effect": "Allow", "Principal": {"Service": POD_IDENTITY}, "Action": list(POD_IDENTITY_ACTIONS)}
    return {**statement, "Condition": {"StringEquals": tags}} if tags else statement


# --- target roles ------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class TargetIdentity:
    """The request that EKS makes for a target role, with the credentials of the association's role `role_arn`.

    The session tags of the association are tags of the request and of its principal. With session tags disabled, EKS sends an external ID
    instead.

    Sources: https://docs.aws.amazon.com/eks/latest/userguide/pod-id-assign-target-role.html
    https://docs.aws.amazon.com/eks/latest/userguide/pod-id-abac.html
    """

    association: AssociationIdentity
    role_arn: str

    @property
    def account(self) -> str:
        """The account of the association's role."""
        return self.role_arn.split(":")[4]

    @property
    def external_id(self) -> str:
        """The external ID of a request without session tags."""
        _, _, _, region, account, cluster = self.association.cluster_arn.split(":", 5)
        return "/".join((region, account, cluster.removeprefix("cluster/"), self.association.namespace, self.association.service_account))


def evaluate_target(policy: Mapping[str, object], identity: TargetIdentity) -> Answer:
    """Decide as IAM does when EKS assumes a target role: its trust policy has to name the association's role or the role's account.

    Where the policy names a session of the role, or the answer depends on a key without a known value, it is `Undecided`.

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html#principal-roles
    """
    partition = identity.role_arn.split(":")[1]
    aliases = (f"arn:{partition}:iam::{identity.account}:root", identity.account)
    answer = _target_answer(policy, identity, aliases)
    if isinstance(answer, Refused) and _names_session(policy, identity):
        return Undecided("it names a session of the role, and the name of the session that EKS opens is not known before")
    return answer


def is_named(policy: Mapping[str, object], identity: TargetIdentity) -> bool:
    """Whether the trust policy admits the association's role by its own name. In the same account, the role then needs no permission.

    Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
    """
    return isinstance(_target_answer(policy, identity, ()), Allowed)


def _target_answer(policy: Mapping[str, object], identity: TargetIdentity, aliases: tuple[str, ...]) -> Answer:
    tags = identity.association.tags
    known = {"aws:PrincipalArn": identity.role_arn, "aws:PrincipalAccount": identity.account, "aws:PrincipalType": "AssumedRole", **tags}
    known |= {name.replace(_TAG, _PRINCIPAL_TAG): value for name, value in tags.items()} or {"sts:ExternalId": identity.external_id}
    absent = () if tags else (_TAG.lower(),)
    context = Context(known={key.lower(): value for key, value in known.items()}, opaque=("aws:", "sts:"), absent=absent)
    call = Request(action="", kind="AWS", principal=identity.role_arn, context=context, is_everyone=True, aliases=aliases)
    calls = [replace(call, action=action) for action in POD_IDENTITY_ACTIONS]
    both = evaluate_calls(policy, calls)
    return both if tags else _without_tags(evaluate_calls(policy, calls[:1]), both)


def _names_session(policy: Mapping[str, object], identity: TargetIdentity) -> bool:
    role = identity.role_arn.rpartition("/")[2]
    prefix = f"arn:{identity.role_arn.split(':')[1]}:sts::{identity.account}:assumed-role/{role}/"
    allows = (statement for statement in read(policy).statements if statement.effect is Effect.ALLOW)
    return any(name.startswith(prefix) for statement in allows for name in statement.principals.get("AWS", ()))


def correct_for_target(policy: Mapping[str, object], identity: TargetIdentity) -> dict[str, Any]:
    """The document with a statement for this ServiceAccount of the association's role; equal to the input where it admits it already.

    Nothing is removed, so a Deny still applies: evaluate the result.
    """
    try:
        read(policy)
    except MalformedPolicyError:
        return {"Version": VERSION, "Statement": [_target_statement(identity)]}
    if isinstance(evaluate_target(policy, identity), Allowed):
        return deepcopy(dict(policy))
    return _document(policy, [*deepcopy(statements_of(policy)), _target_statement(identity)])


def _target_statement(identity: TargetIdentity) -> dict[str, Any]:
    """Source: https://docs.aws.amazon.com/eks/latest/userguide/pod-id-assign-target-role.html"""
    statement = {**_statement_for(identity.association), "Principal": {"AWS": identity.role_arn}}
    if not identity.association.has_session_tags:
        statement["Condition"] = {"StringEquals": {"sts:ExternalId": identity.external_id}}
    return statement
