"""Whether a statement applies to a request: its action, principal and conditions."""

from collections.abc import Iterable
from dataclasses import dataclass

from lambdas.domain.trust.conditions import Context, holds, operator
from lambdas.domain.trust.document import EVERYONE, Document, Effect, Statement
from lambdas.domain.trust.logic import Truth, all_of, any_of
from lambdas.domain.trust.patterns import matches


@dataclass(frozen=True, kw_only=True)
class Request:
    """One call to STS. `kind` and `principal` name the caller as a Principal element would, and `aliases` are other names of it.

    `is_everyone` says whether `"*"` in an Allow statement counts as this caller. Without it, the answer for `"*"` is not known.
    """

    action: str
    kind: str
    principal: str
    context: Context
    is_everyone: bool = False
    aliases: tuple[str, ...] = ()


def applies(statement: Statement, request: Request, *, variables: bool) -> Truth:
    """Whether the statement applies to the request."""
    met = (holds(condition, request.context, variables=variables) for condition in statement.conditions)
    return all_of((action_matches(statement, request), principal_matches(statement, request), *met))


def any_applies(document: Document, effect: Effect, request: Request) -> Truth:
    """Whether a statement with this effect applies."""
    return any_of(
        applies(statement, request, variables=document.variables) for statement in document.statements if statement.effect is effect
    )


def action_matches(statement: Statement, request: Request) -> bool:
    """Whether the statement names the request's action. Action names are compared without case.

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_action.html
    """
    wanted_action = request.action.lower()
    named = any(matches(action.lower(), wanted_action, wildcards=True, variables=False) for action in statement.actions)
    return named != statement.except_actions


def principal_matches(statement: Statement, request: Request) -> Truth:
    """Whether the statement names the caller. Names are compared as a whole; a wildcard inside a name is plain text.

    `"*"` in a Deny statement names every caller. That `"*"` in an Allow statement names a caller with a token of a provider is not
    documented. Neither are `NotPrincipal` and `"Federated": "*"` for trust policies. So these results are unknown.

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
    """
    if statement.except_principals:
        return None
    names_everyone = EVERYONE in statement.principals or EVERYONE in statement.principals.get("AWS", ())
    if names_everyone and (statement.effect is Effect.DENY or request.is_everyone):
        return True
    names = statement.principals.get(request.kind, ())
    if not {request.principal, *request.aliases}.isdisjoint(names):
        return True
    return None if names_everyone or EVERYONE in names else False


def doubts(document: Document, effect: Effect, request: Request) -> str:
    """The reason why statements with this effect cannot be evaluated, as text."""
    unknown = (
        statement
        for statement in document.statements
        if statement.effect is effect and applies(statement, request, variables=document.variables) is None
    )
    return "; ".join(f"statement {item.label}: {_doubt(item, request, variables=document.variables)}" for item in unknown)


def _doubt(statement: Statement, request: Request, *, variables: bool) -> str:
    if principal_matches(statement, request) is None:
        if statement.except_principals:
            return "NotPrincipal"
        return f'"{request.kind}": "*"' if EVERYONE in statement.principals.get(request.kind, ()) else 'Principal "*"'
    unknown = (condition for condition in statement.conditions if holds(condition, request.context, variables=variables) is None)
    return _joined(f"{item.operator} on {item.key}" + ("" if operator(item.operator) else " (no operator we know)") for item in unknown)


def _joined(parts: Iterable[str]) -> str:
    return " and ".join(parts)
