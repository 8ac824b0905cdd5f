"""The roles that a template gives to aws-node: whether their trust policies allow it, and whether they have the CNI policy."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from lambdas.domain.trust import correct
from preflight import rules
from preflight.cloudformation.intrinsics import NO_VALUE, function, literal, references
from preflight.cloudformation.values import ANYWHERE, CLUSTER, DeploymentTarget, TooLargeError, name_of, plain
from preflight.context import DeclaredRole
from preflight.finding import Finding
from preflight.iam_policies import Access, Policy, cni_access, missing_calls, policy_by_arn, policy_by_document, unknown_policy
from preflight.role_trust import OWN_ISSUER, UNKNOWN_ACCOUNT, pod_identity_trust, service_account_trust

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from preflight.cloudformation.template import Resource, Template
    from preflight.context import Context
    from preflight.rules import Rule
    from preflight.source_tree import SourceNode

ROLE: Final = "AWS::IAM::Role"
_TRUST: Final = "AssumeRolePolicyDocument"
_INLINE: Final = ("AWS::IAM::Policy", "AWS::IAM::RolePolicy")
_MANAGED: Final = "AWS::IAM::ManagedPolicy"


def service_account_role(template: Template, addon: Resource, role: SourceNode, context: Context) -> Iterator[Finding]:
    """Return the findings about the role for the ServiceAccount, if the template creates it."""
    resource = role_behind(role, template)
    if resource is None:
        return
    known = _known_provider(template, addon, context)
    try:
        written = _document(resource.property(_TRUST), template, _target(template, addon, known))
    except TooLargeError:
        written = {}
    answer = service_account_trust(written, known)
    if answer.allowed is False:
        add = tuple(json.dumps(correct({}, answer.identity)["Statement"][0], indent=2).splitlines())
        place = f"as a statement of the {_TRUST} of {resource.id}, instead of the one that is wrong"
        yield _finding(rules.TRUST_WRONG, resource, f"{answer.reason}.", add=add, place=place)
    elif answer.allowed is None:
        yield _finding(rules.TRUST_UNKNOWN, resource, _undecided(answer.policy, answer.reason))
    yield from _permissions(template, addon, resource)


def association_role(template: Template, addon: Resource, role: SourceNode) -> Iterator[Finding]:
    """Return the findings about the role of a Pod Identity association, if the template creates it."""
    resource = role_behind(role, template)
    if resource is None:
        return
    try:
        policy = _document(resource.property(_TRUST), template, ANYWHERE)
    except TooLargeError:
        policy = {}
    allowed, reason = pod_identity_trust(policy)
    if allowed is False:
        yield _finding(rules.TRUST_WRONG, resource, f"{reason}.")
    yield from _permissions(template, addon, resource)


def declared_roles(template: Template) -> Iterator[DeclaredRole]:
    """Return the roles whose names are written out. Their trust policy is evaluated for the cluster of the add-on."""
    for role in template.of_type(ROLE):
        if name := literal(role.property("RoleName"), template.root):
            try:
                trust = _document(role.property(_TRUST), template, ANYWHERE)
            except TooLargeError:
                trust = {}
            yield DeclaredRole(name=name, trust=trust or None, access=cni_access(policies_of(template, role)))


def role_behind(value: SourceNode, template: Template) -> Resource | None:
    """Return the one role that the value is the ARN of: by a reference, or by the name that the template gives to a role."""
    roles = {resource.id: resource for resource in template.of_type(ROLE)}
    referred = set(references(value)) & set(roles)
    if len(referred) == 1:
        return roles[referred.pop()]
    try:
        arn = plain(value, template, ANYWHERE)
    except TooLargeError:
        return None
    named = [
        role for role in roles.values() if (name := literal(role.property("RoleName"), template.root)) and str(arn).endswith(f"/{name}")
    ]
    return named[0] if len(named) == 1 and not referred else None


def policies_of(template: Template, role: Resource) -> tuple[Policy, ...]:
    """Return the permissions policies of a role of the template."""
    try:
        found = [*_own_policies(template, role), *_attached_policies(template, role)]
    except TooLargeError:
        return (unknown_policy(""),)
    if "Fn::Transform" in role.properties.fields:
        found.append(unknown_policy(""))
    return tuple(found)


def _own_policies(template: Template, role: Resource) -> Iterator[Policy]:
    arns = role.property("ManagedPolicyArns")
    if arns is not None:
        if not isinstance(arns.value, list):
            yield unknown_policy("")
        for entry in arns.items:
            yield _policy(template, entry)
    inline = role.property("Policies")
    if inline is not None:
        if not isinstance(inline.value, list):
            yield unknown_policy("")
        for entry in inline.items:
            document = plain(entry.at("PolicyDocument"), template, ANYWHERE)
            yield policy_by_document("inline", document) if entry.fields.get("PolicyDocument") else unknown_policy("")


def _policy(template: Template, entry: SourceNode) -> Policy:
    declared = [template.resources[name] for name in references(entry) if name in template.resources]
    if declared and declared[0].type == _MANAGED:
        return policy_by_document(declared[0].id, plain(declared[0].property("PolicyDocument"), template, ANYWHERE))
    called = function(entry)
    if called and called[0] == "Ref" and called[1].text == NO_VALUE:
        return Policy(name="", actions=())
    text = plain(entry, template, ANYWHERE)
    if isinstance(text, str) and (text.startswith("arn:") or "policy/" in text):
        return policy_by_arn(text)
    return unknown_policy("")


def _attached_policies(template: Template, role: Resource) -> Iterator[Policy]:
    """Policies that name the role themselves."""
    for kind in (*_INLINE, _MANAGED):
        for policy in template.of_type(kind):
            named = policy.property("Roles") or policy.property("RoleName")
            name = literal(role.property("RoleName"), template.root)
            texts = [entry.text for entry in (named.items or [named])] if named else []
            if named and (role.id in set(references(named)) or (name and name in texts)):
                yield policy_by_document(policy.id, plain(policy.property("PolicyDocument"), template, ANYWHERE))


def _permissions(template: Template, addon: Resource, role: Resource) -> Iterator[Finding]:
    policies = policies_of(template, role)
    if cni_access(policies) is Access.MISSING:
        line = (
            '"ManagedPolicyArns": ["arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy"]'
            if template.json
            else ("ManagedPolicyArns: [arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy]")
        )
        message = "The role for aws-node has no policy that allows the calls of the VPC CNI."
        yield _finding(rules.POLICY_MISSING, role, message, key="ManagedPolicyArns", add=(line,), place=f"under Properties of {role.id}")
        return
    version = literal(addon.property("AddonVersion"), template.root)
    if calls := missing_calls(policies, version or "", ipv6=is_ipv6(template, addon)):
        message = f"vpc-cni {version} needs {', '.join(calls)}, which the policies of the role do not allow."
        yield _finding(rules.CALLS_MISSING, role, message, key="ManagedPolicyArns")


def is_ipv6(template: Template, addon: Resource) -> bool:
    """Return whether pods of the add-on's cluster get IPv6 addresses, where the template creates it."""
    value = addon.property("ClusterName")
    mine = set(references(value)) if value else set()
    clusters = [cluster for cluster in template.of_type(CLUSTER) if cluster.id in mine]
    family = clusters[0].body.at("Properties", "KubernetesNetworkConfig", "IpFamily") if clusters else None
    return literal(family, template.root) == "ipv6"


def _known_provider(template: Template, addon: Resource, context: Context) -> str | None:
    """Return the provider of the cluster if it was read. A new cluster without a name in the template does not exist yet."""
    value = addon.property("ClusterName")
    declared = [
        reference
        for reference in (references(value) if value else ())
        if reference in template.resources and template.resources[reference].type == CLUSTER
    ]
    name = name_of(value, template)
    return None if declared and name is None else context.provider_of(name)


def _target(template: Template, addon: Resource, known: str | None) -> DeploymentTarget:
    """The add-on's cluster has the issuer that is known, or a placeholder for it; each other cluster has one of its own."""
    value = addon.property("ClusterName")
    mine = set(references(value)) if value else set()
    clusters = [cluster.id for cluster in template.of_type(CLUSTER)]
    own = known.partition("oidc-provider/")[2] if known else OWN_ISSUER
    issuers = {
        cluster: own if cluster in mine or len(clusters) == 1 else f"oidc.eks.REGION.amazonaws.com/id/{cluster}" for cluster in clusters
    }
    parts = known.split(":") if known else ["arn", "aws", "iam", "", UNKNOWN_ACCOUNT]
    return DeploymentTarget(partition=parts[1], account=parts[4], issuers=issuers)


def _document(value: SourceNode | None, template: Template, target: DeploymentTarget) -> Mapping[str, Any]:
    """Return the policy. A template writes it as a mapping, or as JSON text so that `Fn::Sub` reaches its keys."""
    found = plain(value, template, target)
    if isinstance(found, str):
        try:
            found = json.loads(found)
        except (ValueError, RecursionError):
            return {}
    return found if isinstance(found, dict) else {}


def _undecided(policy: Mapping[str, Any], reason: str) -> str:
    parts = sorted(set(re.findall(r"\$\{([^}]*)\}", json.dumps(policy, default=str))))
    if not policy:
        return "The trust policy is made when the template is deployed. Run `irsa-remediator check` after it."
    if parts:
        return f"The trust policy depends on values that are decided when the template is deployed: {', '.join(parts[:3])}."
    return f"{reason}."


def _finding(rule: Rule, role: Resource, message: str, *, key: str = _TRUST, add: tuple[str, ...] = (), place: str = "") -> Finding:
    line, column = role.place_of(key)
    return Finding(rule=rule, resource=role.id, line=line, column=column, block_line=role.line, message=message, add=add, place=place)
