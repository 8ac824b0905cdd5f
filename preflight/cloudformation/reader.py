"""Reads a template and says all there is to say about the role of the vpc-cni add-on.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-eks-addon.html
"""

import json
from collections.abc import Iterator
from typing import Final

from lambdas.contract.names import CNI_ADDON
from preflight.cloudformation.intrinsics import Presence, function, literal, presence, references
from preflight.cloudformation.template import Resource, Template, read_template
from preflight.cloudformation.trust import trust_of_association, trust_of_role
from preflight.finding import Finding, by_severity
from preflight.oidc_providers import NO_PROVIDERS, Providers
from preflight.rules import Rule
from preflight.rules import files as rules
from preflight.source_tree import SourceNode

_ADDON: Final = "AWS::EKS::Addon"
_NODEGROUP: Final = "AWS::EKS::Nodegroup"
_ASSOCIATION: Final = "AWS::EKS::PodIdentityAssociation"
_ROLE, _ASSOCIATIONS, _CONFLICTS = "ServiceAccountRoleArn", "PodIdentityAssociations", "ResolveConflicts"
_NAMESPACE, _ACCOUNT = "kube-system", "aws-node"


def read(source: str, file: str, providers: Providers = NO_PROVIDERS) -> tuple[Finding, ...]:
    """The concerns about a template, the gravest first.

    Args:
        providers: OIDC providers of the clusters that were looked at.

    Raises:
        MalformedFile: the text is no template.
    """
    template = read_template(source, file)
    return by_severity(_concerns(template, file, providers))


def _concerns(template: Template, file: str, providers: Providers) -> Iterator[Finding]:
    told = False
    for addon in template.of_type(_ADDON):
        name = _name(addon, template)
        if name is None:
            told = True
            message = "AddonName is decided when the template is deployed, so nobody can tell whether this is vpc-cni."
            yield _concern(rules.ADDON_UNKNOWN, addon, file, message, at=("AddonName",))
        elif name == CNI_ADDON:
            told = True
            yield from _identity(template, addon, file)
            yield from _trust(template, addon, file, providers)
            yield from _conflicts(addon, template, file)
            yield from _order(template, addon, file)
    if not told:
        yield _absent(template, file)


def _name(addon: Resource, template: Template) -> str | None:
    """The add-on's name, vpc-cni if it is one of those that a loop makes; None where it is not known."""
    value = addon.property("AddonName")
    called = function(value)
    looped = f"${{{addon.variable}}}" if addon.variable else ""
    if called and looped and called[0] in ("Fn::Sub", "Ref") and called[1].text in (looped, addon.variable):
        return None if addon.loop is None else CNI_ADDON if CNI_ADDON in addon.loop else ""
    if value and looped and value.text == looped:
        return None if addon.loop is None else CNI_ADDON if CNI_ADDON in addon.loop else ""
    return literal(value, template.root)


def _absent(template: Template, file: str) -> Finding:
    nested = template.of_type("AWS::CloudFormation::Stack")
    seen = " Its nested stacks are templates of their own: give them too." if nested else ""
    return Finding(rule=rules.ADDON_ABSENT, resource="", file=file, message=f"The template holds no vpc-cni add-on.{seen}")


# --- the role


def _identity(template: Template, addon: Resource, file: str) -> Iterator[Finding]:
    role = presence(addon.property(_ROLE), template.root)
    own = presence(addon.property(_ASSOCIATIONS), template.root)
    if own is Presence.SET or _associated(template):
        beside = f" {_ROLE} is ignored beside it." if role is Presence.SET else ""
        message = f"A pod identity association gives aws-node its role.{beside}"
        yield _concern(rules.POD_IDENTITY, addon, file, message, at=(_ASSOCIATIONS, _ROLE))
    elif role is Presence.UNKNOWN or (role is Presence.ABSENT and own is Presence.UNKNOWN):
        which = _ROLE if role is Presence.UNKNOWN else _ASSOCIATIONS
        message = f"{which} is there or not, as conditions and parameters are when the template is deployed."
        yield _concern(rules.ROLE_UNKNOWN, addon, file, message, at=(which,), said=_written(addon.property(which)))
    elif role is Presence.ABSENT:
        message = f"The add-on has neither {_ROLE} nor {_ASSOCIATIONS}."
        yield _concern(rules.ROLE_MISSING, addon, file, message, at=(_ROLE, _ASSOCIATIONS), add=_role_lines(template), place=_place(addon))


def _associated(template: Template) -> bool:
    return bool(_associations(template))


def _associations(template: Template) -> list[Resource]:
    """The associations of aws-node that are resources of their own."""

    def is_for(it: Resource, name: str, wanted: str) -> bool:
        return literal(it.property(name), template.root) == wanted

    found = template.of_type(_ASSOCIATION)
    return [item for item in found if is_for(item, "Namespace", _NAMESPACE) and is_for(item, "ServiceAccount", _ACCOUNT)]


def _trust(template: Template, addon: Resource, file: str, providers: Providers) -> Iterator[Finding]:
    """The trust of whichever role decides: an association's before the ServiceAccount's."""
    beside = addon.property(_ASSOCIATIONS)
    own = [item.fields.get("RoleArn") for item in (beside.items if beside else [])]
    given = [item for item in (*own, *(association.property("RoleArn") for association in _associations(template))) if item is not None]
    for one in given:
        yield from trust_of_association(template, one, file)
    role = addon.property(_ROLE)
    if role is not None and not given and presence(beside, template.root) is Presence.ABSENT:
        yield from trust_of_role(template, addon, role, providers, file)


def _role_lines(template: Template) -> tuple[str, ...]:
    candidates = [
        item.id for item in template.of_type("AWS::IAM::Role") if "AmazonEKS_CNI_Policy" in _texts(item) and _is_web_identity(item)
    ]
    if len(candidates) == 1 and template.json:
        return (f'"{_ROLE}": {{"Fn::GetAtt": ["{candidates[0]}", "Arn"]}}',)
    if len(candidates) == 1:
        return (f"{_ROLE}: !GetAtt {candidates[0]}.Arn",)
    arn = "<ARN of the role for kube-system/aws-node>"
    return (f'"{_ROLE}": "{arn}"' if template.json else f"{_ROLE}: {arn}",)


def _is_web_identity(role: Resource) -> bool:
    return "AssumeRoleWithWebIdentity" in _texts(role)


def _texts(resource: Resource) -> str:
    """Every text below the properties, once each."""
    waiting, seen, found = [resource.properties], set[int](), list[str]()
    while waiting:
        one = waiting.pop()
        if id(one) not in seen:
            seen.add(id(one))
            found.append(one.text or "")
            waiting.extend([*one.items, *one.fields.values()])
    return "\n".join(found)


# --- conflicts and order


def _conflicts(addon: Resource, template: Template, file: str) -> Iterator[Finding]:
    if (literal(addon.property(_CONFLICTS), template.root) or "").upper() == "OVERWRITE":
        line = (f'"{_CONFLICTS}": "PRESERVE"' if template.json else f"{_CONFLICTS}: PRESERVE",)
        message = f"{_CONFLICTS} is OVERWRITE."
        yield _concern(rules.OVERWRITE, addon, file, message, at=(_CONFLICTS,), add=line, place=_place(addon))


def _order(template: Template, addon: Resource, file: str) -> Iterator[Finding]:
    groups = [item for item in template.of_type(_NODEGROUP) if _same_cluster(item, addon) and not template.waits_for(item, addon)]
    if not groups:
        return
    names = ", ".join(group.id for group in groups)
    line = (f'"DependsOn": ["{addon.id}"]' if template.json else f"DependsOn: [{addon.id}]",)
    if late := next((group for group in groups if template.waits_for(addon, group)), None):
        message = f"The add-on waits for node group {late.id}, so nodes join without it."
        place = f"in {names}, and not the other way round in {addon.id}"
    else:
        message, place = f"Nothing makes node group {names} wait for the add-on: CloudFormation makes both at once.", f"in {names}"
    yield _concern(rules.AFTER_COMPUTE, addon, file, message, add=line, place=place)


def _same_cluster(group: Resource, addon: Resource) -> bool:
    """Unless both name their clusters, and differ."""
    one, other = group.property("ClusterName"), addon.property("ClusterName")
    if one is None or other is None:
        return True
    if one.text is not None and other.text is not None:
        return one.text == other.text
    return not set(references(one)) or not set(references(other)) or set(references(one)) == set(references(other))


def _place(addon: Resource) -> str:
    return f"under Properties of {addon.id}" + (f" (construct {addon.path.removesuffix('/Resource')})" if addon.path else "")


def _written(value: SourceNode | None) -> str:
    called = function(value)
    if called is None:
        return ""
    name, argument = called
    parts = [item.text if item.text is not None else "…" for item in argument.items] or [argument.text or "…"]
    return json.dumps({name: parts if argument.items else parts[0]}, ensure_ascii=False)


def _concern(
    rule: Rule,
    addon: Resource,
    file: str,
    message: str,
    *,
    at: tuple[str, ...] = (),
    said: str = "",
    add: tuple[str, ...] = (),
    place: str = "",
) -> Finding:
    line, column = addon.place_of(*at) if at else (addon.line, addon.column)
    return Finding(
        rule=rule, resource=addon.id, file=file, line=line, column=column, message=message, expression=said, add=add, place=place
    )
