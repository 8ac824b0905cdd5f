"""IAM's answer to a pod: does this trust policy let it assume the role, and if not, what would."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from functools import partial
from typing import Any, Final

from lambdas.domain.trust.conditions import Context
from lambdas.domain.trust.document import VERSION, Document, Effect, MalformedPolicyError, read, statements_of
from lambdas.domain.trust.draft import Flaw
from lambdas.domain.trust.identity import ACTION, FEDERATED, WebIdentity, request_of
from lambdas.domain.trust.repair import Repair, repairs
from lambdas.domain.trust.results import Allowed, Answer, Refused, TrustFault, Undecided
from lambdas.domain.trust.statements import Request, action_matches, any_applies, applies, doubts, principal_matches

_POD_IDENTITY: Final = "pods.eks.amazonaws.com"
_POD_IDENTITY_ACTIONS: Final = ("sts:AssumeRole", "sts:TagSession")


def evaluate(policy: Mapping[str, object], identity: WebIdentity) -> Answer:
    """Answer as IAM does for `sts:AssumeRoleWithWebIdentity`; never raises, whatever JSON it is given.

    Undecided where the answer hangs on a key whose value is not known from outside (`aws:SourceIp`), on an operator we do not
    know, on a policy variable, or where IAM would not have stored the document.

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
    """
    try:
        document = read(policy)
    except MalformedPolicyError as error:
        return Undecided(str(error))
    return _decide(document, request_of(identity), partial(_refusal, policy, document, identity))


def lets_in(policy: Mapping[str, object], identity: WebIdentity) -> bool:
    """Whether `evaluate` answers `Allowed`, for who does not ask why: the cause of a refusal takes most of an answer's time."""
    try:
        document = read(policy)
    except MalformedPolicyError:
        return False
    request = request_of(identity)
    return any_applies(document, Effect.ALLOW, request) is True and any_applies(document, Effect.DENY, request) is False


def correct(policy: Mapping[str, object], identity: WebIdentity) -> dict[str, Any]:
    """The same document after the least change that lets the identity in; equal to it where it does already.

    The nearest statement is corrected where it stands; nothing that may let others in is taken away, save the issuer of the one
    statement that was meant for this cluster. Where none is near, several clusters share the role, or the nearest one names no
    subject, a statement is added.
    A Deny is left alone, since somebody meant it: evaluate the result, it says so. A document that is no policy gives a new one.
    """
    try:
        document = read(policy)
    except MalformedPolicyError:
        return {"Version": VERSION, "Statement": [_statement_for(identity)]}
    corrected = deepcopy(dict(policy))
    if any_applies(document, Effect.ALLOW, request_of(identity)) is True:
        return corrected
    statements = statements_of(policy)
    chosen = _chosen(repairs(statements, identity, variables=document.variables), identity)
    if chosen:
        statements[chosen.index] = chosen.statement
    else:
        statements.append(_statement_for(identity))
    single = isinstance(policy["Statement"], Mapping) and len(statements) == 1
    return {**corrected, "Statement": deepcopy(statements[0] if single else statements)}


def evaluate_pod_identity(policy: Mapping[str, object], known: Mapping[str, str] | None = None) -> Answer:
    """Answer for EKS Pod Identity: its service must be let in with both `sts:AssumeRole` and `sts:TagSession`.

    Args:
        known: condition key -> value that the caller knows of the request, as `aws:SourceAccount` or
            `aws:RequestTag/kubernetes-namespace`; other `aws:` and `sts:` keys make the answer Undecided where it hangs on them.

    Source: https://docs.aws.amazon.com/eks/latest/userguide/pod-id-role.html
    """
    try:
        document = read(policy)
    except MalformedPolicyError as error:
        return Undecided(str(error))
    context = Context(known={key.lower(): value for key, value in (known or {}).items()}, opaque=("aws:", "sts:"))
    calls = (Request(action=action, kind="Service", principal=_POD_IDENTITY, context=context) for action in _POD_IDENTITY_ACTIONS)
    answers = [_decide(document, call, partial(_pod_refusal, document, call)) for call in calls]
    return next(answer for kind in (Refused, Undecided, Allowed) for answer in answers if isinstance(answer, kind))


def _decide(document: Document, request: Request, refusal: Callable[[], Refused]) -> Answer:
    denied, allowed = (any_applies(document, effect, request) for effect in (Effect.DENY, Effect.ALLOW))
    if denied is True:
        return _denial(document, request)
    if allowed is False:
        return refusal()
    if allowed is None:
        return Undecided(doubts(document, Effect.ALLOW, request))
    return Allowed() if denied is False else Undecided(doubts(document, Effect.DENY, request))


def _denial(document: Document, request: Request) -> Refused:
    denying = (statement for statement in document.statements if statement.effect is Effect.DENY)
    label = next(item.label for item in denying if applies(item, request, variables=document.variables))
    return Refused(TrustFault.DENIED, f"statement {label} denies {request.action}, which no Allow can outweigh", label)


def _refusal(policy: Mapping[str, object], document: Document, identity: WebIdentity) -> Refused:
    near = repairs(statements_of(policy), identity, variables=document.variables)
    if not near:
        return Refused(TrustFault.NO_STATEMENT, f"no statement lets {identity.subject} of {identity.issuer} in", None)
    return Refused(near[0].code, f"statement {near[0].label}: {near[0].reason}", near[0].label)


def _pod_refusal(document: Document, request: Request) -> Refused:
    allows = [statement for statement in document.statements if statement.effect is Effect.ALLOW and principal_matches(statement, request)]
    if not allows:
        return Refused(TrustFault.NO_STATEMENT, f"no statement lets {_POD_IDENTITY} in", None)
    acting = next((allow for allow in allows if action_matches(allow, request)), None)
    if acting is None:
        return Refused(TrustFault.ACTION_MISSING, f"no statement allows {request.action} to {_POD_IDENTITY}", allows[0].label)
    return Refused(TrustFault.CONDITION_WRONG, f"statement {acting.label}: its conditions are not met", acting.label)


def _chosen(near: list[Repair], identity: WebIdentity) -> Repair | None:
    """The repair to make in place. Another cluster's issuer is replaced only where one statement alone could have been meant."""
    if not near or near[0].statement is None:
        return None
    elsewhere = [item for item in near if Flaw.ISSUER in item.flaws]
    return None if near[0] in elsewhere and len(elsewhere) > 1 else near[0]


def _statement_for(identity: WebIdentity) -> dict[str, Any]:
    """Source: https://docs.aws.amazon.com/eks/latest/userguide/associate-service-account-role.html"""
    return {
        "Effect": "Allow",
        "Principal": {FEDERATED: identity.provider_arn},
        "Action": ACTION,
        "Condition": {"StringEquals": identity.claims},
    }
