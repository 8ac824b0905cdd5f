"""IAM's decision for a pod: whether the trust policy admits it, and the smallest correction if not."""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from functools import partial
from typing import Any, Final

from lambdas.domain.trust.conditions import Context, holds
from lambdas.domain.trust.document import VERSION, Document, Effect, MalformedPolicyError, read, statements_of
from lambdas.domain.trust.draft import Flaw
from lambdas.domain.trust.identity import ACTION, FEDERATED, WebIdentity, request_of
from lambdas.domain.trust.repair import Repair, repairs
from lambdas.domain.trust.results import Allowed, Answer, Refused, TrustFault, Undecided
from lambdas.domain.trust.statements import Request, action_matches, any_applies, applies, doubts, principal_matches

POD_IDENTITY: Final = "pods.eks.amazonaws.com"
POD_IDENTITY_ACTIONS: Final = ("sts:AssumeRole", "sts:TagSession")


def evaluate(policy: Mapping[str, object], identity: WebIdentity) -> Answer:
    """Decide as IAM does for `sts:AssumeRoleWithWebIdentity`. Never raises, for any JSON.

    The answer is `Undecided` where it depends on a key without a known value (`aws:SourceIp`), an unknown operator or a policy variable,
    or
    where IAM would not store the document.

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
    """
    try:
        document = read(policy)
    except MalformedPolicyError as error:
        return Undecided(str(error))
    return _decide(document, request_of(identity), partial(_refusal, policy, document, identity))


def is_allowed(policy: Mapping[str, object], identity: WebIdentity, *, is_everyone: bool = False) -> bool:
    """Whether `evaluate` returns `Allowed`. Faster, because it does not determine the cause of a refusal.

    Args:
        is_everyone: `Principal: "*"` counts as an Allow of this identity, although it is not known to be one.
    """
    try:
        document = read(policy)
    except MalformedPolicyError:
        return False
    request = replace(request_of(identity), is_everyone=is_everyone)
    return any_applies(document, Effect.ALLOW, request) is True and any_applies(document, Effect.DENY, request) is False


def correct(policy: Mapping[str, object], identity: WebIdentity) -> dict[str, Any]:
    """The document after the smallest change that admits the identity; equal to the input where it already does.

    The nearest statement is corrected in place. Nothing that may admit others is removed, except the issuer of the one statement that
    was
    meant for this cluster. A statement is added where none is near, several clusters share the role, or the nearest has no subject.
    Deny statements are preserved; evaluate the result to see their effect. A document that is not a policy gives a new one.
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


def evaluate_pod_identity(
    policy: Mapping[str, object],
    known: Mapping[str, str] | None = None,
    *,
    absent: tuple[str, ...] = (),
    actions: tuple[str, ...] = POD_IDENTITY_ACTIONS,
) -> Answer:
    """Decide for EKS Pod Identity: its service needs both `sts:AssumeRole` and `sts:TagSession`.

    Args:
        known: condition key -> known value, such as `aws:SourceAccount` or `aws:RequestTag/kubernetes-namespace`. Where the answer
            depends on other `aws:` and `sts:` keys, it is `Undecided`.
        absent: lower-case prefixes of keys that are not part of the request.
        actions: the calls that must be allowed.

    Source: https://docs.aws.amazon.com/eks/latest/userguide/pod-id-role.html
    """
    context = Context(known={key.lower(): value for key, value in (known or {}).items()}, opaque=("aws:", "sts:"), absent=absent)
    return evaluate_calls(policy, [Request(action=action, kind="Service", principal=POD_IDENTITY, context=context) for action in actions])


def evaluate_calls(policy: Mapping[str, object], calls: Sequence[Request]) -> Answer:
    """Decide for a caller that needs each of these calls."""
    try:
        document = read(policy)
    except MalformedPolicyError as error:
        return Undecided(str(error))
    answers = [_decide(document, call, partial(_call_refusal, document, call)) for call in calls]
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


def _call_refusal(document: Document, request: Request) -> Refused:
    allows = [statement for statement in document.statements if statement.effect is Effect.ALLOW and principal_matches(statement, request)]
    if not allows:
        return Refused(TrustFault.NO_STATEMENT, f"no statement lets {request.principal} in", None)
    acting = next((allow for allow in allows if action_matches(allow, request)), None)
    if acting is None:
        return Refused(TrustFault.ACTION_MISSING, f"no statement allows {request.action} to {request.principal}", allows[0].label)
    unmet = [item for item in acting.conditions if holds(item, request.context, variables=document.variables) is False]
    words = " and ".join(f"{item.operator} on {item.key}" for item in unmet)
    return Refused(TrustFault.CONDITION_WRONG, f"statement {acting.label}: {words} is not met", acting.label)


def _chosen(near: list[Repair], identity: WebIdentity) -> Repair | None:
    """The correction in place. Another cluster's issuer is replaced only where a single statement can have been meant."""
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
