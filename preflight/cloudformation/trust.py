"""Whether the roles that a template gives to aws-node let it in, as far as their trust policies are decided."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from lambdas.domain.trust import Allowed, Refused, WebIdentity, correct, evaluate, evaluate_pod_identity
from preflight.cloudformation.intrinsics import literal, references
from preflight.cloudformation.values import CLUSTER, DeploymentTarget, TooLarge, name_of, plain
from preflight.finding import Finding
from preflight.oidc_providers import provider_for
from preflight.rules import files as rules

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from preflight.cloudformation.template import Resource, Template
    from preflight.oidc_providers import Providers
    from preflight.rules import Rule
    from preflight.source_tree import SourceNode

_SUBJECT: Final = "system:serviceaccount:kube-system:aws-node"
_ROLE: Final = "AWS::IAM::Role"
_POLICY: Final = "AssumeRolePolicyDocument"
_OPEN: Final = "${"
_UNKNOWN_ACCOUNT: Final = "ACCOUNT"
_OWN: Final = "oidc.eks.REGION.amazonaws.com/id/THIS-CLUSTER"
"""Stands for the issuer of the add-on's cluster where it is not known; whatever is left open in a policy's issuers is taken for it."""
_LITERAL_PROVIDER: Final = re.compile(r"arn:[\w-]+:iam::\d{12}:oidc-provider/[^$]+\Z")


def trust_of_role(template: Template, addon: Resource, role: SourceNode, providers: Providers, file: str) -> Iterator[Finding]:
    """What there is to say about the role for the ServiceAccount, if the template makes it."""
    resource = _made_here(role, template)
    if resource is None:
        return
    known = _known_provider(template, addon, providers)
    try:
        written = _document(resource.property(_POLICY), template, _place(template, addon, known))
    except TooLarge:
        written = {}
    policy, identity = _assumed(written, known)
    answer = evaluate(policy, identity)
    if isinstance(answer, Refused):
        add = tuple(json.dumps(correct({}, identity)["Statement"][0], indent=2).splitlines())
        place = f"as a statement of the {_POLICY} of {resource.id}, in the place of one that was meant to be it"
        yield _concern(rules.TRUST_WRONG, resource, file, f"{answer.reason}.", add=add, place=place)
    elif not isinstance(answer, Allowed):
        yield _concern(rules.TRUST_UNKNOWN, resource, file, _undecided(policy, answer.reason))


def trust_of_association(template: Template, role: SourceNode, file: str) -> Iterator[Finding]:
    """What there is to say about the role of a pod identity association, if the template makes it."""
    resource = _made_here(role, template)
    if resource is None:
        return
    place = DeploymentTarget(partition="aws", account=_UNKNOWN_ACCOUNT, issuers={})
    try:
        policy = _document(resource.property(_POLICY), template, place)
    except TooLarge:
        policy = {}
    answer = evaluate_pod_identity(policy)
    if isinstance(answer, Refused):
        yield _concern(rules.TRUST_WRONG, resource, file, f"{answer.reason}.")


def _made_here(value: SourceNode, template: Template) -> Resource | None:
    """The one role that the value is the ARN of: by a reference, or by the name that the template gives to a role."""
    roles = {item.id: item for item in template.of_type(_ROLE)}
    named = set(references(value)) & set(roles)
    if len(named) == 1:
        return roles[named.pop()]
    try:
        arn = plain(value, template, DeploymentTarget(partition="aws", account=_UNKNOWN_ACCOUNT, issuers={}))
    except TooLarge:
        return None
    called = [
        role for role in roles.values() if (name := literal(role.property("RoleName"), template.root)) and str(arn).endswith(f"/{name}")
    ]
    return called[0] if len(called) == 1 and not named else None


def _known_provider(template: Template, addon: Resource, providers: Providers) -> str | None:
    """The cluster's provider where somebody looked. A cluster that the template makes under no name of its own is not there yet."""
    value = addon.property("ClusterName")
    made = [
        reference
        for reference in (references(value) if value else ())
        if reference in template.resources and template.resources[reference].type == CLUSTER
    ]
    name = name_of(value, template)
    return None if made and name is None else provider_for(name, providers)


def _place(template: Template, addon: Resource, known: str | None) -> DeploymentTarget:
    """The add-on's own cluster has the issuer that is known, or the one that stands for it; each other cluster one of its own."""
    value = addon.property("ClusterName")
    mine = set(references(value)) if value else set()
    clusters = [item.id for item in template.of_type(CLUSTER)]
    own = known.partition("oidc-provider/")[2] if known else _OWN
    issuers = {
        cluster: own if cluster in mine or len(clusters) == 1 else f"oidc.eks.REGION.amazonaws.com/id/{cluster}" for cluster in clusters
    }
    parts = known.split(":") if known else ["arn", "aws", "iam", "", _UNKNOWN_ACCOUNT]
    return DeploymentTarget(partition=parts[1], account=parts[4], issuers=issuers)


def _document(value: SourceNode | None, template: Template, place: DeploymentTarget) -> Mapping[str, Any]:
    """The policy, be it written as a mapping or, for the sake of `Fn::Sub` in its keys, as one text of JSON."""
    found = plain(value, template, place)
    if isinstance(found, str):
        try:
            found = json.loads(found)
        except (ValueError, RecursionError):
            return {}
    return found if isinstance(found, dict) else {}


def _assumed(policy: Mapping[str, Any], known: str | None) -> tuple[dict[str, Any], WebIdentity]:
    """The policy with what its issuers leave open filled in, and the identity to ask it about.

    Nobody can tell from the file which issuer a parameter will hold, so it is taken for the cluster's; one that is written out is
    compared where the cluster's is known, and taken for it elsewhere.
    """
    statements = policy.get("Statement")
    listed = statements if isinstance(statements, list) else [statements]
    literal_ones = (name for item in listed if isinstance(item, dict) for name in _federated(item) if _LITERAL_PROVIDER.match(name))
    provider = known or next(literal_ones, f"arn:aws:iam::{_UNKNOWN_ACCOUNT}:oidc-provider/{_OWN}")
    identity = WebIdentity(provider_arn=provider, subject=_SUBJECT)
    if "Statement" not in policy:
        return dict(policy), identity
    filled = [_filled(item, identity) if isinstance(item, dict) else item for item in listed]
    # Where no version is named the older one is meant, which has no variables: what is left open would read as plain text.
    version = {"Version": "2012-10-17"} if _OPEN in json.dumps(filled) else {}
    return {**policy, **version, "Statement": filled}, identity


def _federated(statement: Mapping[str, Any]) -> list[str]:
    principal = statement.get("Principal")
    names = principal.get("Federated") if isinstance(principal, dict) else None
    return [name for name in (names if isinstance(names, list) else [names]) if isinstance(name, str)]


def _filled(statement: Mapping[str, Any], identity: WebIdentity) -> dict[str, Any]:
    filled = dict(statement)
    if names := _federated(statement):
        given = [identity.provider_arn if _OPEN in name else name for name in names]
        filled["Principal"] = {**statement["Principal"], "Federated": given if len(given) > 1 else given[0]}
    if isinstance(conditions := statement.get("Condition"), dict):
        filled["Condition"] = {
            operator: {_key(key, identity): value for key, value in block.items()} if isinstance(block, dict) else block
            for operator, block in conditions.items()
        }
    return filled


def _key(key: str, identity: WebIdentity) -> str:
    issuer, colon, claim = key.rpartition(":")
    return f"{identity.issuer}{colon}{claim}" if _OPEN in issuer else key


def _undecided(policy: Mapping[str, Any], reason: str) -> str:
    left = sorted(set(re.findall(r"\$\{([^}]*)\}", json.dumps(policy))))
    if not policy:
        return "The trust policy is made when the template is deployed; run `irsa-remediator check` after it."
    return f"The trust policy hangs on what is decided when the template is deployed: {', '.join(left[:3])}." if left else f"{reason}."


def _concern(rule: Rule, role: Resource, file: str, message: str, *, add: tuple[str, ...] = (), place: str = "") -> Finding:
    line, column = role.place_of(_POLICY)
    return Finding(rule=rule, resource=role.id, file=file, line=line, column=column, message=message, add=add, place=place)
