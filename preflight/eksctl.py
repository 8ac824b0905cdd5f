"""eksctl: what a ClusterConfig says about the role of the vpc-cni add-on.

Source: https://docs.aws.amazon.com/eks/latest/eksctl/addons.html and https://docs.aws.amazon.com/eks/latest/eksctl/schema.html
"""

from collections.abc import Iterator
from typing import Final

from lambdas.contract.names import CNI_ADDON, POD_IDENTITY_AGENT_ADDON
from preflight.finding import Finding, MalformedFile, by_severity
from preflight.oidc_providers import NO_PROVIDERS, Providers
from preflight.rules import Rule
from preflight.rules import files as rules
from preflight.source_tree import SourceNode, load

_POLICIES: Final = ("attachPolicyARNs", "attachPolicy", "wellKnownPolicies")
_ROLE: Final = "serviceAccountRoleARN"
_ASSOCIATIONS: Final = "podIdentityAssociations"
_NAMESPACE, _ACCOUNT = "kube-system", "aws-node"
_PLACEHOLDER: Final = "<ARN of the role for kube-system/aws-node>"
_WITH_OIDC: Final = ("iam:", "  withOIDC: true")


def read(source: str, file: str, _providers: Providers = NO_PROVIDERS) -> tuple[Finding, ...]:
    """The concerns about a ClusterConfig, the gravest first.

    Raises:
        MalformedFile: the text is no ClusterConfig.
    """
    config = load(source, file)
    kind = config.at("kind")
    if not config.fields or kind is None or kind.value != "ClusterConfig":
        raise MalformedFile(f"{file}:{config.line}:{config.column} is no eksctl file: it has no `kind: ClusterConfig`")
    return by_severity(_concerns(config, file))


def _concerns(config: SourceNode, file: str) -> Iterator[Finding]:
    addons = config.at("addons")
    found = [item for item in (addons.items if addons else []) if _name(item) == CNI_ADDON]
    for addon in found:
        yield from _identity(config, addon, file)
        yield from _conflicts(addon, file)
    if not found:
        yield _absent(config, file)


def _name(addon: SourceNode) -> str:
    """eksctl takes add-on names in any case."""
    name = addon.at("name")
    return (name.text or "").lower() if name else ""


def _absent(config: SourceNode, file: str) -> Finding:
    off = _is_true(config.at("addonsConfig", "disableDefaultAddons"))
    how = (
        "eksctl installs none, since disableDefaultAddons is set" if off else "eksctl adds it with its own settings when it makes a cluster"
    )
    message = f"The file declares no vpc-cni add-on: {how}, and changes none on an update."
    add = ("addons:", f"  - name: {CNI_ADDON}", f"    {_ROLE}: {_PLACEHOLDER}", "    resolveConflicts: preserve")
    return _concern(rules.ADDON_ABSENT, config, "", file, message, add=add, place="at the top level")


def _identity(config: SourceNode, addon: SourceNode, file: str) -> Iterator[Finding]:
    ways = [key for key in (_ROLE, *_POLICIES) if _given(addon.at(key))]
    associations = addon.at(_ASSOCIATIONS)
    associated = bool(associations and associations.items)
    if len(ways) > 1 or (ways and associated):
        both = " and ".join([*ways, *([_ASSOCIATIONS] if associated else [])])
        yield _concern(rules.SETTINGS_REFUSED, addon, ways[1] if len(ways) > 1 else _ASSOCIATIONS, file, f"{both} exclude each other.")
    elif associated or _associated_elsewhere(config, addon):
        yield from _by_association(config, addon, file)
    elif associations is not None and not ways:
        message = f"{_ASSOCIATIONS} is empty: an update takes every association off the add-on, and no role is named instead."
        yield _concern(rules.ROLE_DROPPED, addon, _ASSOCIATIONS, file, message, add=_role_line(), place=_PLACE)
    else:
        yield from _by_role(config, addon, ways, file)


_PLACE: Final = f"under addons, {CNI_ADDON}"


def _by_association(config: SourceNode, addon: SourceNode, file: str) -> Iterator[Finding]:
    yield _concern(rules.POD_IDENTITY, addon, _ASSOCIATIONS, file, "A pod identity association gives aws-node its role.")
    addons = config.at("addons")
    agent = any(_name(item) == POD_IDENTITY_AGENT_ADDON for item in (addons.items if addons else []))
    if not agent and not _is_true(config.at("autoModeConfig", "enabled")):
        add = (f"  - name: {POD_IDENTITY_AGENT_ADDON}",)
        message = f"Nothing in this file installs {POD_IDENTITY_AGENT_ADDON}."
        yield _concern(rules.AGENT_MISSING, addon, _ASSOCIATIONS, file, message, add=add, place="under addons")


def _associated_elsewhere(config: SourceNode, addon: SourceNode) -> bool:
    """By eksctl's recommendation for the add-on, for all add-ons, or by an association that is declared under `iam`."""
    if _is_true(addon.at("useDefaultPodIdentityAssociations")) or _is_true(config.at("addonsConfig", "autoApplyPodIdentityAssociations")):
        return True
    listed = config.at("iam", _ASSOCIATIONS)
    return any(
        _text(item, "namespace") == _NAMESPACE and _text(item, "serviceAccountName") == _ACCOUNT
        for item in (listed.items if listed else [])
    )


def _by_role(config: SourceNode, addon: SourceNode, ways: list[str], file: str) -> Iterator[Finding]:
    oidc = _is_true(config.at("iam", "withOIDC"))
    if not oidc and _ROLE not in ways:
        ignored = f"{ways[0]} is ignored without iam.withOIDC" if ways else f"neither {_ROLE} nor iam.withOIDC is set"
        message = f"The add-on gets no role: {ignored}, so aws-node runs on the node role."
        add = _WITH_OIDC if ways else _role_line()
        yield _concern(
            rules.ROLE_MISSING, addon, next(iter(ways), "name"), file, message, add=add, place="at the top level" if ways else _PLACE
        )
    elif not ways:
        message = "No role is named: eksctl makes one when it creates the add-on, and repeats what the record holds when it updates it."
        yield _concern(rules.ROLE_IMPLIED, addon, "name", file, message, add=_role_line(), place=_PLACE)
    elif not oidc:
        message = f"{_ROLE} is set, iam.withOIDC is not: the role works only if the cluster's OIDC provider was made elsewhere."
        yield _concern(rules.OIDC_OFF, addon, _ROLE, file, message, add=_WITH_OIDC, place="at the top level")


def _conflicts(addon: SourceNode, file: str) -> Iterator[Finding]:
    if _text(addon, "resolveConflicts").upper() == "OVERWRITE":
        line = ("resolveConflicts: preserve",)
        yield _concern(rules.OVERWRITE, addon, "resolveConflicts", file, "resolveConflicts is overwrite.", add=line, place=_PLACE)


def _role_line() -> tuple[str, ...]:
    return (f"{_ROLE}: {_PLACEHOLDER}",)


def _given(value: SourceNode | None) -> bool:
    """Whether it says something: eksctl takes an empty text, list or mapping for nothing. Of well-known policies one must be true."""
    if value is None:
        return False
    if value.fields and all(isinstance(field.value, bool) for field in value.fields.values()):
        return any(field.value for field in value.fields.values())
    return bool(value.value)


def _text(value: SourceNode, key: str) -> str:
    found = value.at(key)
    return (found.text or "") if found else ""


def _is_true(value: SourceNode | None) -> bool:
    return value is not None and value.value is True


def _concern(rule: Rule, where: SourceNode, key: str, file: str, message: str, *, add: tuple[str, ...] = (), place: str = "") -> Finding:
    line, column = where.place_of(key)
    resource = f"addons/{CNI_ADDON}" if rule is not rules.ADDON_ABSENT else ""
    return Finding(rule=rule, resource=resource, file=file, line=line, column=column, message=message, add=add, place=place)
