"""The permissions policies of the roles in a plan, before and after it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from preflight.iam_policies import Policy, policy_by_arn, policy_by_document, unknown_policy
from preflight.terraform.plan import Change, Plan, UnknownValue, fields, members, text
from preflight.terraform.references import changes_at, referred

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROLE: Final = "aws_iam_role"
_ATTACHMENT: Final = "aws_iam_role_policy_attachment"
_ATTACHMENTS: Final = "aws_iam_policy_attachment"
_INLINE: Final = "aws_iam_role_policy"
_POLICY: Final = "aws_iam_policy"
_EXCLUSIVE: Final = "aws_iam_role_policy_attachments_exclusive"


def policies_after(plan: Plan, role: Change) -> tuple[Policy, ...]:
    """Return the policies that the plan leaves on the role, as far as they are in the plan."""
    return tuple(_own_policies(role.after)) + tuple(_attached(plan, role, after=True))


def policies_before(plan: Plan, role: Change) -> tuple[Policy, ...]:
    """Return the policies that the role has now, as far as they are in the plan."""
    return tuple(_own_policies(role.before)) + tuple(_attached(plan, role, after=False))


def _own_policies(values: Mapping[str, Any] | None) -> Iterator[Policy]:
    own = values or {}
    for arn in members(own.get("managed_policy_arns")):
        yield policy_by_arn(arn) if isinstance(arn, str) else unknown_policy("")
    for block in map(fields, members(own.get("inline_policy"))):
        name = text(block.get("name")) or text(block.get("policy_name"))
        document = block.get("policy", block.get("policy_document"))
        if name or document:
            yield policy_by_document(name, document) if document else unknown_policy(name)


def _attached(plan: Plan, role: Change, *, after: bool) -> Iterator[Policy]:
    for change in plan.of_type(_ATTACHMENT):
        values = change.after if after else change.before
        if values is not None and _is_of(plan, change, values, role):
            yield _policy_of(plan, change, values, after=after)
    for change in plan.of_type(_ATTACHMENTS):
        values = change.after if after else change.before
        names = members((values or {}).get("roles"))
        if values is not None and (_name(role) in names or (None in names and _refers_to(plan, change, role, "roles"))):
            yield _policy_of(plan, change, values, after=after)
    for change in plan.of_type(_INLINE):
        values = change.after if after else change.before
        if values is not None and _is_of(plan, change, values, role):
            document = values.get("policy")
            name = text(values.get("name")) or change.name
            yield policy_by_document(name, document) if document else unknown_policy(name)
    for change in plan.of_type(_EXCLUSIVE):
        values = change.after if after else change.before
        if values is not None and text(values.get("role_name")) == _name(role):
            yield from (policy_by_arn(arn) if isinstance(arn, str) else unknown_policy("") for arn in members(values.get("policy_arns")))


def _name(role: Change) -> str:
    return text((role.after or role.before or {}).get("name"))


def _is_of(plan: Plan, attachment: Change, values: Mapping[str, Any], role: Change) -> bool:
    if name := text(values.get("role")):
        return name == _name(role)
    return _refers_to(plan, attachment, role, "role")


def _refers_to(plan: Plan, attachment: Change, role: Change, attribute: str) -> bool:
    """Return whether the attachment of an unnamed role is for this one.

    A reference names the resource and not its instance, so role and attachment of one module call belong together. An attachment
    whose role a plan does not show belongs to the only role of its module.
    """
    roles = list(changes_at(plan, referred(plan, attachment, attribute), ROLE))
    if roles:
        same_module = [found for found in roles if found.module == attachment.module] or roles
        return role in same_module
    own = [found for found in plan.of_type(ROLE) if found.module == attachment.module and found.after is not None]
    return own == [role]


def _policy_of(plan: Plan, attachment: Change, values: Mapping[str, Any], *, after: bool) -> Policy:
    arn = text(values.get("policy_arn"))
    policies = [
        policy
        for policy in plan.of_type(_POLICY)
        if arn and arn in (text((policy.after or {}).get("arn")), text((policy.before or {}).get("arn")))
    ]
    if arn and not policies:
        return policy_by_arn(arn)
    policies = policies or list(changes_at(plan, referred(plan, attachment, "policy_arn"), _POLICY))
    if len(policies) == 1:
        policy = policies[0]
        name = text((policy.after or policy.before or {}).get("name")) or policy.name
        document = policy.after_value("policy") if after else (policy.before or {}).get("policy")
        return policy_by_document(name, document) if document and not isinstance(document, UnknownValue) else unknown_policy(name)
    return unknown_policy(attachment.index or attachment.name)
