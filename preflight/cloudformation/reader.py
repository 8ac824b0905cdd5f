"""Reads a template and returns its findings about the role of aws-node.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-eks-addon.html
"""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from lambdas.contract.names import CNI_ADDON, POD_IDENTITY_AGENT_ADDON
from preflight import rules
from preflight.cloudformation.conditions import Case, cases
from preflight.cloudformation.intrinsics import Presence, function, literal, map_values, presence, references
from preflight.cloudformation.roles import ROLE, association_role, declared_roles, policies_of, role_behind, service_account_role
from preflight.cloudformation.template import Resource, Template, read_template
from preflight.cloudformation.values import CLUSTER, DeploymentTarget, TooLargeError, name_of, plain
from preflight.context import ALONE, NAMESPACE, SERVICE_ACCOUNT, AddonRole, Association, Context, Declarations, lowest
from preflight.declared_roles import findings_of_declared_role
from preflight.finding import Finding, by_severity
from preflight.iam_policies import Access, cni_access
from preflight.network_plugins import names_network_plugin
from preflight.role_arn import fault_of_arn
from preflight.rules import Rule
from preflight.source_tree import SourceNode, duplicate_keys
from preflight.suppression import metadata_reasons

_ADDON: Final = "AWS::EKS::Addon"
_NODEGROUP: Final = "AWS::EKS::Nodegroup"
_ASSOCIATION: Final = "AWS::EKS::PodIdentityAssociation"
_PROFILE: Final = "AWS::IAM::InstanceProfile"
_ROLE, _ASSOCIATIONS, _CONFLICTS = "ServiceAccountRoleArn", "PodIdentityAssociations", "ResolveConflicts"
_TRANSFORM: Final = "Fn::Transform"
_STACK: Final = "AWS::CloudFormation::Stack"
_FARGATE: Final = "AWS::EKS::FargateProfile"
_CHARTS: Final = ("Custom::AWSCDK-EKS-HelmChart", "Custom::AWSCDK-EKS-KubernetesResource", "AWSQS::Kubernetes::Helm")
"""Resources that install charts and manifests: those of CDK and of the public extension for Helm."""
_STORED: Final = "AWS::SSM::Parameter::Value"
"""Begin of the types of parameters whose default is a name in Parameter Store."""


def parse(source: str, file: str) -> Template:
    """Return the template of a text.

    Raises:
        MalformedFile: the text is no template.
    """
    return read_template(source, file)


def read(source: str, file: str, context: Context = ALONE) -> tuple[Finding, ...]:
    """Return the findings about the text of a template.

    Raises:
        MalformedFile: the text is no template.
    """
    return findings(parse(source, file), context)


def findings(template: Template, context: Context) -> tuple[Finding, ...]:
    """Return the findings about a template, most severe first."""
    found = [*_duplicates(template), *_merged([(case, list(_findings(case.template, context))) for case in cases(template)])]
    return by_severity(_with_metadata(template, finding) for finding in found)


_BY_CASE: Final = {rules.ROLE_MISSING: rules.ROLE_UNKNOWN, rules.NO_CNI: rules.ADDON_UNKNOWN}
"""Rules that are unknowns where the deployment decides by its conditions whether they are violated."""


def _merged(found: list[tuple[Case, list[Finding]]]) -> Iterator[Finding]:
    """Return the findings of all cases. A loss in some of the cases that have the resource is an unknown."""
    for case, listed in found:
        for finding in listed:
            others = [
                [other.rule for other in others if other.resource == finding.resource]
                for one, others in found
                if not finding.resource or finding.resource in one.template.resources
            ]
            in_all = all(finding.rule in rules_of_case for rules_of_case in others)
            if finding.rule is rules.ADDON_ABSENT and not in_all:
                continue
            if in_all or finding.rule not in _BY_CASE:
                yield finding
            else:
                message = f"{finding.message} This is the case where {case.name}."
                yield replace(finding, rule=_BY_CASE[finding.rule], message=message)


def _with_metadata(template: Template, finding: Finding) -> Finding:
    resource = template.resources.get(finding.resource)
    reasons = dict(metadata_reasons(resource)) if resource else {}
    return replace(finding, suppressed=reasons.get(finding.rule.id, ""))


def declarations(template: Template) -> Declarations:
    """Return what the template declares that matters to other files."""
    associations = [
        Association(
            cluster=name_of(resource.property("ClusterName"), template),
            namespace=literal(resource.property("Namespace"), template.root),
            service_account=literal(resource.property("ServiceAccount"), template.root),
            role=literal(resource.property("RoleArn"), template.root),
        )
        for resource in template.of_type(_ASSOCIATION)
    ]
    addons = [(addon, _name(addon, template)) for addon in template.of_type(_ADDON)]
    return Declarations(
        associations=tuple(associations),
        agents=frozenset(name_of(addon.property("ClusterName"), template) for addon, name in addons if name == POD_IDENTITY_AGENT_ADDON),
        nodes=tuple(
            (name_of(group.property("ClusterName"), template), _group_access(template, group)) for group in template.of_type(_NODEGROUP)
        ),
        roles=tuple(declared_roles(template)),
        addon_roles=tuple(
            AddonRole(
                cluster=name_of(addon.property("ClusterName"), template),
                role=_known_role(addon, template),
                resource=addon.id,
                line=addon.line,
                column=addon.column,
            )
            for addon, name in addons
            if name == CNI_ADDON
        ),
    )


def _known_role(addon: Resource, template: Template) -> str | None:
    if (
        presence(addon.property(_ROLE), template.root) is Presence.ABSENT
        and presence(addon.property(_ASSOCIATIONS), template.root) is Presence.ABSENT
    ):
        return ""
    return literal(addon.property(_ROLE), template.root)


def _findings(template: Template, context: Context) -> Iterator[Finding]:
    is_named = False
    for addon in template.of_type(_ADDON):
        name = _name(addon, template)
        if name is None:
            is_named = True
            message = "AddonName is decided when the template is deployed, so the add-on may be vpc-cni."
            yield _finding(rules.ADDON_UNKNOWN, addon, message, at=("AddonName",))
        elif name == CNI_ADDON:
            is_named = True
            yield from _identity(template, addon, context)
            yield from _roles(template, addon, context)
            yield from _conflicts(addon, template)
            yield from _order(template, addon)
    if not is_named:
        yield from _absent(template, context)
        for entry in template.of_type(_ASSOCIATION):
            if _is_for_aws_node(template, entry) and (value := entry.property("RoleArn")) is not None:
                yield from association_role(template, entry, value)


def _name(addon: Resource, template: Template) -> str | None:
    """Return the name of the add-on; None where it is not known."""
    return literal(addon.property("AddonName"), template.root)


def _absent(template: Template, context: Context) -> Iterator[Finding]:
    for cluster in template.of_type(CLUSTER):
        if _is_auto_mode(cluster):
            yield _finding(rules.AUTO_MODE, cluster, "The template creates a cluster in Auto Mode, which needs no vpc-cni add-on.")
            return
        bootstrap = cluster.property("BootstrapSelfManagedAddons")
        if (
            bootstrap is None
            or bootstrap.value not in (False, "false")
            or context.has_addon(literal(cluster.property("Name"), template.root))
        ):
            continue
        at = ("BootstrapSelfManagedAddons",)
        message = "The template creates the cluster with BootstrapSelfManagedAddons: false, and installs no network plug-in"
        if template.of_type(_STACK) or not template.is_complete:
            yield _finding(rules.ADDON_UNKNOWN, cluster, f"{message} itself; a nested stack or transform may do it.", at=at)
            return
        if not any(names_network_plugin(_texts(chart)) for kind in _CHARTS for chart in template.of_type(kind)):
            yield _finding(rules.NO_CNI, cluster, f"{message}.", at=at)
            return
    if template.of_type(CLUSTER) and template.root.at("Resources", _TRANSFORM) is not None:
        line, column = template.root.fields["Resources"].place_of(_TRANSFORM)
        message = f"{_TRANSFORM} adds resources when the template is deployed, and a vpc-cni add-on may be one of them."
        yield Finding(rule=rules.ADDON_UNKNOWN, line=line, column=column, message=message)
        return
    nested = template.of_type(_STACK)
    advice = " Nested stacks are templates of their own: give them too." if nested else ""
    yield Finding(rule=rules.ADDON_ABSENT, message=f"The template holds no vpc-cni add-on.{advice}")


def _is_auto_mode(cluster: Resource) -> bool:
    """Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-eks-cluster-computeconfig.html"""
    enabled = cluster.body.at("Properties", "ComputeConfig", "Enabled")
    return enabled is not None and enabled.value in (True, "true")


def _duplicates(template: Template) -> Iterator[Finding]:
    for key, (line, column) in duplicate_keys(template.root):
        message = f"The key {key!r} is written twice; CloudFormation refuses the template or uses one of the two."
        yield Finding(rule=rules.DUPLICATE_KEY, resource=key, line=line, column=column, message=message)


# --- the identity of aws-node


def _identity(template: Template, addon: Resource, context: Context) -> Iterator[Finding]:
    role = presence(addon.property(_ROLE), template.root)
    own = presence(addon.property(_ASSOCIATIONS), template.root)
    mismatches = list(_mismatches(template, addon))
    yield from mismatches
    right = own is Presence.SET and len(mismatches) < len(_own_associations(addon))
    if right or _associations(template, addon) or context.association_for(name_of(addon.property("ClusterName"), template)):
        beside = f" aws-node then ignores {_ROLE}." if role is Presence.SET else ""
        message = f"A Pod Identity association gives aws-node its role.{beside}"
        yield _finding(rules.POD_IDENTITY, addon, message, at=(_ASSOCIATIONS, _ROLE))
        yield from _associated_not_arn(template, addon)
        yield from _agent(template, addon, context)
    elif (_TRANSFORM in addon.properties.fields or _TRANSFORM in addon.body.fields) and role is Presence.ABSENT:
        message = f"{_TRANSFORM} adds properties when the template is deployed, and {_ROLE} may be one of them."
        yield _finding(rules.ROLE_UNKNOWN, addon, message, at=(_TRANSFORM,))
    elif role is Presence.UNKNOWN or (role is Presence.ABSENT and own is Presence.UNKNOWN):
        which = _ROLE if role is Presence.UNKNOWN else _ASSOCIATIONS
        message = f"Parameters, conditions or mappings decide whether {which} has a value."
        yield _finding(rules.ROLE_UNKNOWN, addon, message, at=(which,), origin=_written(addon.property(which)))
    elif role is Presence.ABSENT:
        yield from _without_role(template, addon, context)
    else:
        yield from _not_arn(template, addon)


def _own_associations(addon: Resource) -> list[SourceNode]:
    listed = addon.property(_ASSOCIATIONS)
    return listed.items if listed else []


def _mismatches(template: Template, addon: Resource) -> Iterator[Finding]:
    """Associations of the add-on for other ServiceAccounts, and association resources for aws-node of another cluster."""
    for entry in _own_associations(addon):
        account = literal(entry.fields.get("ServiceAccount"), template.root)
        if account not in (None, SERVICE_ACCOUNT):
            line, column = entry.place_of("ServiceAccount")
            message = f"The association is for ServiceAccount {account!r}; aws-node gets nothing from it."
            add = (f"ServiceAccount: {SERVICE_ACCOUNT}",)
            yield Finding(rule=rules.ASSOCIATION_MISMATCH, resource=addon.id, line=line, column=column, message=message, add=add)


def _associations(template: Template, addon: Resource) -> list[Resource]:
    """Return the association resources for aws-node of the add-on's cluster."""
    found = [resource for resource in template.of_type(_ASSOCIATION) if _is_for_aws_node(template, resource)]
    return [resource for resource in found if _is_same_cluster(template, resource, addon)]


def _is_for_aws_node(template: Template, association: Resource) -> bool:
    names = [literal(association.property(name), template.root) for name in ("Namespace", "ServiceAccount")]
    return names == [NAMESPACE, SERVICE_ACCOUNT]


def _agent(template: Template, addon: Resource, context: Context) -> Iterator[Finding]:
    """Warn where the template creates the cluster and no file declares the agent. Other clusters may have it already."""
    value = addon.property("ClusterName")
    mine = set(references(value)) if value else set()
    created = [cluster for cluster in template.of_type(CLUSTER) if cluster.id in mine]
    names = [_name(other, template) for other in template.of_type(_ADDON)]
    if created and not any(map(_is_auto_mode, created)) and POD_IDENTITY_AGENT_ADDON not in names and None not in names:
        if context.has_agent(name_of(value, template)):
            return
        message = f"The template creates the cluster without the add-on {POD_IDENTITY_AGENT_ADDON}."
        yield _finding(rules.AGENT_MISSING, addon, message, at=(_ASSOCIATIONS,))


def _without_role(template: Template, addon: Resource, context: Context) -> Iterator[Finding]:
    at, cause = (_ROLE, _ASSOCIATIONS), f"The add-on has neither {_ROLE} nor {_ASSOCIATIONS}"
    clusters = [cluster for cluster in template.of_type(CLUSTER) if cluster.id in set(references(addon.properties))]
    access = _node_access(template, addon, context) or context.node_access(name_of(addon.property("ClusterName"), template))
    if any(map(_is_auto_mode, clusters)) and access is None:
        yield _finding(rules.AUTO_MODE, addon, f"{cause}. The nodes of Auto Mode do not use aws-node.", at=at)
    elif access is Access.GRANTED:
        yield _finding(rules.NODE_ROLE, addon, f"{cause}. The node role has the CNI policy.", at=at)
    elif access is Access.UNKNOWN:
        message = f"{cause}, and the files do not show whether the node role has the CNI policy."
        yield _finding(rules.ROLE_UNKNOWN, addon, message, at=at, add=_role_lines(template), place=_place(addon))
    elif access is None and template.of_type(_FARGATE):
        message = f"{cause}. The template has Fargate profiles alone, and aws-node does not run on Fargate."
        yield _finding(rules.ROLE_ABSENT, addon, message, at=at)
    else:
        lacks = ", and the node role lacks the CNI policy" if access is Access.MISSING else ""
        elsewhere = [resource for resource in template.of_type(_ASSOCIATION) if not _is_same_cluster(template, resource, addon)]
        other = f" Association {elsewhere[0].id} is for another cluster." if elsewhere else ""
        yield _finding(rules.ROLE_MISSING, addon, f"{cause}{lacks}.{other}", at=at, add=_role_lines(template), place=_place(addon))


def _node_access(template: Template, addon: Resource, context: Context) -> Access | None:
    """Return whether the node roles of the add-on's cluster have the CNI policy; None where the template has no nodes."""
    groups = [group for group in template.of_type(_NODEGROUP) if _is_same_cluster(template, group, addon)]
    if groups:
        return lowest(_group_access(template, group, context) for group in groups)
    profiles = [profile.property("Roles") for profile in template.of_type(_PROFILE)]
    names = [name for named in profiles if named for name in references(named) if name in template.resources]
    return lowest(_role_access(template, template.resources[name]) for name in names)


def _group_access(template: Template, group: Resource, context: Context = ALONE) -> Access:
    value = group.property("NodeRole")
    role = role_behind(value, template) if value is not None else None
    return _role_access(template, role) if role else context.access_of_role(literal(value, template.root) or "")


def _role_access(template: Template, role: Resource | None) -> Access:
    return cni_access(policies_of(template, role)) if role and role.type == ROLE else Access.UNKNOWN


def _not_arn(template: Template, addon: Resource) -> Iterator[Finding]:
    value = addon.property(_ROLE)
    if value and (default := _default_fault(template, value)):
        yield _finding(rules.ROLE_UNKNOWN, addon, f"The default of the parameter: {default}.", at=(_ROLE,), origin=_written(value))
        return
    fault = _arn_fault(template, value) if value else ""
    if fault:
        yield _finding(
            rules.ROLE_NOT_ARN, addon, f"{fault}.", at=(_ROLE,), origin=_written(value), add=_role_lines(template), place=_place(addon)
        )


def _associated_not_arn(template: Template, addon: Resource) -> Iterator[Finding]:
    """Associations whose role is no ARN."""
    role_properties = [(addon, entry.fields.get("RoleArn"), entry.place_of("RoleArn")) for entry in _own_associations(addon)]
    for resource in _associations(template, addon):
        role_properties.append((resource, resource.property("RoleArn"), resource.place_of("RoleArn")))
    for resource, value, (line, column) in role_properties:
        by_default = _default_fault(template, value) if value else ""
        fault = f"The default of the parameter: {by_default}" if by_default else _arn_fault(template, value) if value else ""
        if fault:
            rule = rules.ROLE_UNKNOWN if by_default else rules.ROLE_NOT_ARN
            yield Finding(rule=rule, resource=resource.id, line=line, column=column, message=f"{fault}.", expression=_written(value))


def _default_fault(template: Template, value: SourceNode) -> str:
    """Return why the default of the parameter that the value refers to is no ARN. The deployment may give another value."""
    called = function(value)
    parameter = template.root.at("Parameters", called[1].text or "") if called and called[0] == "Ref" else None
    kind, default = (parameter.at("Type"), parameter.at("Default")) if parameter else (None, None)
    if kind is not None and (kind.text or "").startswith(_STORED):
        return ""
    return fault_of_arn(default.text) if default is not None and default.text else ""


def _arn_fault(template: Template, value: SourceNode) -> str:
    """Return why the value is no ARN of a role; "" where it is one or may be one."""
    called = function(value)
    if called and called[0] == "Fn::If":
        return next(filter(None, (_arn_fault(template, branch) for branch in called[1].items[1:3])), "")
    if called and called[0] == "Fn::FindInMap":
        faults = [fault_of_arn(entry.text) for entry in map_values(called[1], template.root) if entry and entry.text]
        return next(filter(None, faults), "")
    try:
        text = plain(value, template, _ANY_ACCOUNT)
    except TooLargeError:
        return ""
    if text is None:
        return ""
    if not isinstance(text, str):
        return "The value is not a text"
    whole = _WHOLE.fullmatch(text)
    return _reference_fault(template, whole[1]) if whole else "" if _DYNAMIC in text else fault_of_arn(text)


_ANY_ACCOUNT: Final = DeploymentTarget(partition="aws", account="${AWS::AccountId}", issuers={})
_WHOLE: Final = re.compile(r"\$\{([^}]*)\}")
_DYNAMIC: Final = "{{resolve:"
"""Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references.html"""


_NO_ROLES: Final = ("AWS::IAM::", "AWS::EKS::")
"""Begins of the types whose attributes are never the ARN of a role, except for roles."""


def _reference_fault(template: Template, path: str) -> str:
    """Return why a reference gives no ARN of a role. `Ref` of a role gives its name.

    Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-role.html#aws-resource-iam-role-return-values
    """
    name, _, attribute = path.partition(".")
    resource = template.resources.get(name)
    parameter = template.root.at("Parameters", name)
    if name.startswith("AWS::"):
        return f"{name} is not the ARN of a role"
    if "::" in name or parameter is not None:
        allowed = parameter.at("AllowedValues") if parameter else None
        values = [entry.text for entry in (allowed.items if allowed else []) if entry.text]
        return next(filter(None, map(fault_of_arn, values)), "")
    if resource is None:
        return "" if not template.is_complete else f"{name} is neither a resource nor a parameter of the template"
    if resource.type == ROLE and attribute != "Arn":
        return f"{attribute if attribute else 'Ref'} of role {name} is not its ARN; use the attribute Arn"
    if resource.type.startswith("AWS::") and resource.type != ROLE and (attribute == "Arn" or resource.type.startswith(_NO_ROLES)):
        return f"{name} is a resource of type {resource.type}, not a role"
    return ""


def _roles(template: Template, addon: Resource, context: Context) -> Iterator[Finding]:
    """Findings about the role that decides: an association's before the ServiceAccount's."""
    own = [
        entry.fields.get("RoleArn")
        for entry in _own_associations(addon)
        if literal(entry.fields.get("ServiceAccount"), template.root) in (None, SERVICE_ACCOUNT)
    ]
    role_properties = [
        value for value in (*own, *(entry.property("RoleArn") for entry in _associations(template, addon))) if value is not None
    ]
    for value in role_properties:
        yield from association_role(template, addon, value)
        yield from _declared_elsewhere(template, addon, value, context, is_association=True)
    role = addon.property(_ROLE)
    if role is not None and not role_properties and presence(addon.property(_ASSOCIATIONS), template.root) is Presence.ABSENT:
        for value in _branches(role):
            yield from service_account_role(template, addon, value, context)
            yield from _declared_elsewhere(template, addon, value, context, is_association=False)


def _declared_elsewhere(
    template: Template, addon: Resource, value: SourceNode, context: Context, *, is_association: bool
) -> Iterator[Finding]:
    """Findings about a role whose ARN is written out, and which another file declares."""
    arn = literal(value, template.root) or ""
    declared = context.role_with_arn(arn) if role_behind(value, template) is None else None
    if declared:
        provider = context.provider_of(name_of(addon.property("ClusterName"), template))
        at = _ASSOCIATIONS if is_association else _ROLE
        place = _finding(rules.TRUST_WRONG, addon, "", at=(at,))
        yield from findings_of_declared_role(declared, place, provider, is_association=is_association)


def _branches(value: SourceNode) -> list[SourceNode]:
    """Return the values of both branches of a condition; the value itself elsewhere."""
    called = function(value)
    return called[1].items[1:3] if called and called[0] == "Fn::If" else [value]


def _role_lines(template: Template) -> tuple[str, ...]:
    candidates = [
        resource.id
        for resource in template.of_type(ROLE)
        if "AssumeRoleWithWebIdentity" in _texts(resource) and cni_access(policies_of(template, resource)) is not Access.MISSING
    ]
    if len(candidates) == 1 and template.json:
        return (f'"{_ROLE}": {{"Fn::GetAtt": ["{candidates[0]}", "Arn"]}}',)
    if len(candidates) == 1:
        return (f"{_ROLE}: !GetAtt {candidates[0]}.Arn",)
    arn = "<ARN of the role for kube-system/aws-node>"
    return (f'"{_ROLE}": "{arn}"' if template.json else f"{_ROLE}: {arn}",)


def _texts(resource: Resource) -> str:
    """Return every text below the properties, once each."""
    waiting, visited, found = [resource.properties], set[int](), list[str]()
    while waiting:
        node = waiting.pop()
        if id(node) not in visited:
            visited.add(id(node))
            found.append(node.text or "")
            waiting.extend([*node.items, *node.fields.values()])
    return "\n".join(found)


# --- conflicts and order


def _conflicts(addon: Resource, template: Template) -> Iterator[Finding]:
    if (literal(addon.property(_CONFLICTS), template.root) or "").upper() == "OVERWRITE":
        line = (f'"{_CONFLICTS}": "PRESERVE"' if template.json else f"{_CONFLICTS}: PRESERVE",)
        yield _finding(rules.OVERWRITE, addon, f"{_CONFLICTS} is OVERWRITE.", at=(_CONFLICTS,), add=line, place=_place(addon))


def _order(template: Template, addon: Resource) -> Iterator[Finding]:
    groups = [
        group for group in template.of_type(_NODEGROUP) if _is_same_cluster(template, group, addon) and not template.waits_for(group, addon)
    ]
    if not groups:
        return
    names = ", ".join(group.id for group in groups)
    line = (f'"DependsOn": ["{addon.id}"]' if template.json else f"DependsOn: [{addon.id}]",)
    if late := next((group for group in groups if template.waits_for(addon, group)), None):
        message = f"The add-on waits for node group {late.id}, so nodes join without it."
        place = f"in {names}, and not the other way round in {addon.id}"
    else:
        message, place = f"Node group {names} does not wait for the add-on: CloudFormation creates both at once.", f"in {names}"
    yield _finding(rules.AFTER_COMPUTE, addon, message, add=line, place=place)


def _is_same_cluster(template: Template, one: Resource, other: Resource) -> bool:
    """Return False where both name their clusters, and differ."""
    first, second = one.property("ClusterName"), other.property("ClusterName")
    if first is None or second is None:
        return True
    names = name_of(first, template), name_of(second, template)
    if None not in names:
        return names[0] == names[1]
    referred = set(references(first)), set(references(second))
    if not referred[0] or not referred[1]:
        # A new cluster without a name in the template gets a generated one, which no text can be.
        own_clusters = [
            name for name in referred[0] | referred[1] if name in template.resources and template.resources[name].type == CLUSTER
        ]
        return not (own_clusters and any(names))
    return referred[0] == referred[1]


def _place(addon: Resource) -> str:
    return f"under Properties of {addon.id}" + (f" (construct {addon.path.removesuffix('/Resource')})" if addon.path else "")


def _written(value: SourceNode | None) -> str:
    called = function(value)
    if called is None:
        return ""
    name, argument = called
    parts = [entry.text if entry.text is not None else "…" for entry in argument.items] or [argument.text or "…"]
    return json.dumps({name: parts if argument.items else parts[0]}, ensure_ascii=False)


def _finding(
    rule: Rule, addon: Resource, message: str, *, at: tuple[str, ...] = (), origin: str = "", add: tuple[str, ...] = (), place: str = ""
) -> Finding:
    line, column = addon.place_of(*at) if at else (addon.line, addon.column)
    return Finding(
        rule=rule,
        resource=addon.id,
        line=line,
        column=column,
        block_line=addon.line,
        message=message,
        expression=origin,
        add=add,
        place=place,
    )
