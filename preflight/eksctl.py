"""eksctl: what a ClusterConfig does to the role of aws-node, on `create cluster` and on `update addon`.

What eksctl does, from its source at 99984ad (August 2026):
- `create`: associations first, then IRSA settings (ignored with a warning without `iam.withOIDC`), then automatic associations, then a
  role with the recommended policy (with `iam.withOIDC` alone).
  https://github.com/eksctl-io/eksctl/blob/main/pkg/actions/addon/create.go
- after `create cluster` with `iam.withOIDC`, vpc-cni is updated: https://github.com/eksctl-io/eksctl/blob/main/pkg/actions/addon/tasks.go
- `update`: associations, else `serviceAccountRoleARN` whether or not OIDC is on, else the role of the record is repeated.
  https://github.com/eksctl-io/eksctl/blob/main/pkg/actions/addon/update.go
- node roles get AmazonEKS_CNI_Policy where `iam.withOIDC` is off and the node group lists no policies of its own.
  https://github.com/eksctl-io/eksctl/blob/main/pkg/cfn/builder/iam_helper.go
- the file is parsed strictly: see `eksctl_schema`.
- `create nodegroup` attaches it to new node roles too where aws-node has no role by IRSA.
  https://github.com/eksctl-io/eksctl/blob/main/pkg/actions/nodegroup/create.go
- an association needs namespace, ServiceAccount, and either a role or policies.
  https://github.com/eksctl-io/eksctl/blob/main/pkg/apis/eksctl.io/v1alpha5/addon.go (Validate)
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from lambdas.contract.names import CNI_ADDON, POD_IDENTITY_AGENT_ADDON
from preflight import rules
from preflight.context import ALONE, NAMESPACE, SERVICE_ACCOUNT, AddonRole, Association, Context, Declarations, lowest
from preflight.declared_roles import findings_of_declared_role
from preflight.eksctl_schema import is_too_large, refused_settings
from preflight.finding import Finding, MalformedFile, by_severity
from preflight.iam_policies import Access, Policy, cni_access, missing_calls, policy_by_arn, policy_by_document, unknown_policy
from preflight.role_arn import fault_of_arn
from preflight.rules import Rule
from preflight.source_tree import SourceNode, duplicate_keys, load

_WELL_KNOWN: Final = "wellKnownPolicies"
_POLICIES: Final = ("attachPolicyARNs", "attachPolicy", _WELL_KNOWN)
_ROLE: Final = "serviceAccountRoleARN"
_ASSOCIATIONS: Final = "podIdentityAssociations"
_BY_DEFAULT: Final = "useDefaultPodIdentityAssociations"
_PLACEHOLDER: Final = "<ARN of the role for kube-system/aws-node>"
_WITH_OIDC: Final = ("iam:", "  withOIDC: true")
_PLACE: Final = f"under addons, {CNI_ADDON}"
_TOP: Final = "at the top level"


@dataclass(frozen=True, eq=False)
class Config:
    """A ClusterConfig."""

    root: SourceNode

    @property
    def cluster(self) -> str | None:
        """Return the name of the cluster."""
        return _text(self.root.at("metadata") or self.root, "name") or None

    @property
    def addons(self) -> list[SourceNode]:
        """Return the add-ons that the file declares."""
        listed = self.root.at("addons")
        return listed.items if listed else []

    @property
    def with_oidc(self) -> bool:
        """Return whether eksctl creates the OIDC provider."""
        return _is_true(self.root.at("iam", "withOIDC"))

    @property
    def is_auto_mode(self) -> bool:
        """Return whether EKS Auto Mode is on."""
        return _is_true(self.root.at("autoModeConfig", "enabled"))

    @property
    def is_ipv6(self) -> bool:
        """Return whether pods get IPv6 addresses."""
        network = self.root.at("kubernetesNetworkConfig")
        return network is not None and _text(network, "ipFamily").lower() == "ipv6"

    def named(self, name: str) -> list[SourceNode]:
        """Return the add-ons of this name. eksctl takes names in any case."""
        return [addon for addon in self.addons if _text(addon, "name").lower() == name]


def parse(source: str, file: str) -> Config:
    """Return the ClusterConfig of a text.

    Raises:
        MalformedFile: the text is no ClusterConfig.
    """
    root = load(source, file)
    kind = root.at("kind")
    if not root.fields or kind is None or kind.value != "ClusterConfig":
        raise MalformedFile(f"{file}:{root.line}:{root.column} is no eksctl file: it has no `kind: ClusterConfig`")
    if is_too_large(root):
        raise MalformedFile(f"{file}:{root.line}:{root.column} holds more values than a ClusterConfig can")
    return Config(root)


def declarations(config: Config) -> Declarations:
    """Return what the file declares that matters to other files."""
    listed = config.root.at("iam", _ASSOCIATIONS)
    associations = [*(listed.items if listed else []), *(entry for addon in config.named(CNI_ADDON) for entry in _associations(addon))]
    return Declarations(
        associations=tuple(
            Association(
                cluster=config.cluster,
                namespace=_text(entry, "namespace") or None,
                service_account=_text(entry, "serviceAccountName") or None,
                role=_text(entry, "roleARN") or None,
            )
            for entry in associations
        ),
        agents=frozenset({config.cluster} if config.named(POD_IDENTITY_AGENT_ADDON) or config.is_auto_mode else set()),
        nodes=tuple((config.cluster, access) for access in [_node_access(config)] if access),
        addon_roles=tuple(
            AddonRole(
                cluster=config.cluster,
                role=_text(addon, _ROLE) or None,
                repeats_record=not any(_is_given(addon.at(key)) for key in (_ROLE, *_POLICIES, _ASSOCIATIONS, _BY_DEFAULT)),
                resource=_RESOURCE,
                line=addon.line,
                column=addon.column,
            )
            for addon in config.named(CNI_ADDON)
        ),
    )


def read(source: str, file: str, context: Context = ALONE) -> tuple[Finding, ...]:
    """Return the findings about the text of a ClusterConfig.

    Raises:
        MalformedFile: the text is no ClusterConfig.
    """
    return findings(parse(source, file), context)


def findings(config: Config, context: Context) -> tuple[Finding, ...]:
    """Return the findings about a ClusterConfig, most severe first."""
    return by_severity(_findings(config, context))


def _findings(config: Config, context: Context) -> Iterator[Finding]:
    yield from _refused_keys(config)
    addons = config.named(CNI_ADDON)
    for addon in addons:
        yield from _identity(config, addon, context)
        yield from _conflicts(addon)
    if not addons:
        yield from _absent(config, context)


def _absent(config: Config, context: Context) -> Iterator[Finding]:
    root = config.root
    if config.is_auto_mode:
        yield _finding(rules.AUTO_MODE, root, "kind", "The cluster is in Auto Mode, which needs no vpc-cni add-on.", resource="")
        return
    off = _is_true(root.at("addonsConfig", "disableDefaultAddons"))
    effect = "eksctl installs none, since disableDefaultAddons is set" if off else "eksctl adds it with its defaults to a new cluster"
    message = f"The file declares no vpc-cni add-on: {effect}, and changes none on an update."
    add = ("addons:", f"  - name: {CNI_ADDON}", f"    {_ROLE}: {_PLACEHOLDER}", "    resolveConflicts: preserve")
    yield _finding(rules.ADDON_ABSENT, root, "", message, add=add, place=_TOP, resource="")
    has_role = config.with_oidc or context.has_addon(config.cluster) or _aws_node_associations(config)
    if not off and not has_role and _node_access(config, context) is Access.MISSING and not _has_automatic_association(config, root):
        message = "eksctl adds vpc-cni without a role to a new cluster, and the policies of its nodes do not include the CNI policy."
        yield _finding(rules.ROLE_UNKNOWN, root, "", message, add=add, place=_TOP, resource="")


# --- what eksctl refuses


def _refused_keys(config: Config) -> Iterator[Finding]:
    for node, key, message in refused_settings(config.root):
        line, column = node.place_of(key)
        yield Finding(rule=rules.SETTINGS_REFUSED, resource=_RESOURCE, line=line, column=column, block_line=node.line, message=message)
    for key, message in _refused_combinations(config):
        line, column = config.root.place_of(key)
        yield Finding(rule=rules.SETTINGS_REFUSED, resource=key, line=line, column=column, message=message)
    for key, (line, column) in duplicate_keys(config.root):
        message = f"The key {key!r} is written twice, and eksctl refuses the file."
        yield Finding(rule=rules.DUPLICATE_KEY, resource=_RESOURCE, line=line, column=column, message=message)


def _refused_combinations(config: Config) -> Iterator[tuple[str, str]]:
    """Return the top-level keys whose values eksctl refuses together with others, with the reason.

    Source: https://github.com/eksctl-io/eksctl/blob/main/pkg/apis/eksctl.io/v1alpha5/validation.go (ValidateClusterConfig,
    ValidateKubernetesNetworkConfig, validateKarpenterConfig)
    """
    if not config.with_oidc and _is_given(config.root.at("iam", "serviceAccounts")):
        yield "iam", "iam.serviceAccounts needs iam.withOIDC."
    if not config.with_oidc and config.root.at("karpenter") is not None:
        yield "karpenter", "karpenter needs iam.withOIDC."
    if not config.is_ipv6 or config.is_auto_mode:
        return
    if not config.named("coredns"):
        yield "kubernetesNetworkConfig", "An IPv6 cluster needs the add-on coredns in the file."
    has_agent, automatic = bool(config.named(POD_IDENTITY_AGENT_ADDON)), config.root.at("addonsConfig", "autoApplyPodIdentityAssociations")
    for addon in config.named(CNI_ADDON):
        own = _is_true(addon.at(_BY_DEFAULT)) or _associations(addon)
        if not has_agent and not config.with_oidc:
            yield "kubernetesNetworkConfig", f"An IPv6 cluster needs iam.withOIDC or the add-on {POD_IDENTITY_AGENT_ADDON}."
        elif has_agent and not own and not _is_true(automatic):
            yield "kubernetesNetworkConfig", f"An IPv6 cluster with {POD_IDENTITY_AGENT_ADDON} needs an association for vpc-cni."


# --- the identity of aws-node


def _identity(config: Config, addon: SourceNode, context: Context) -> Iterator[Finding]:
    settings = [key for key in (_ROLE, *_POLICIES) if _is_given(addon.at(key))]
    associations = _associations(addon)
    by_default = _is_true(addon.at(_BY_DEFAULT))
    if by_default and (settings or associations):
        other = settings[0] if settings else _ASSOCIATIONS
        yield _finding(rules.SETTINGS_REFUSED, addon, _BY_DEFAULT, f"{_BY_DEFAULT} and {other} exclude each other.")
    elif len(settings) > 1 or (settings and associations):
        both = " and ".join([*settings, *([_ASSOCIATIONS] if associations else [])])
        key = settings[1] if len(settings) > 1 else _ASSOCIATIONS
        yield _finding(rules.SETTINGS_REFUSED, addon, key, f"{both} exclude each other.")
    elif associations:
        yield from _associated(config, addon, associations, context)
    elif settings:
        yield from _service_account_role(config, addon, settings[0], context)
    elif _has_automatic_association(config, addon):
        yield from _association_note(config, addon, context)
    elif declared := _aws_node_associations(config):
        yield from _association_note(config, addon, context)
        yield from _association_roles(declared, context)
    elif context.association_for(config.cluster):
        yield _finding(rules.POD_IDENTITY, addon, "name", "An association in another file gives aws-node its role.")
    elif addon.at(_ASSOCIATIONS) is not None:
        message = f"{_ASSOCIATIONS} is empty: an update deletes every association of the add-on, and no role is named instead."
        yield _finding(rules.ROLE_DROPPED, addon, _ASSOCIATIONS, message, add=_role_line(), place=_PLACE)
    elif config.with_oidc:
        message = "No role is named: eksctl creates one with the add-on, and repeats the role of the record when it updates the add-on."
        yield _finding(rules.ROLE_IMPLIED, addon, "name", message, add=_role_line(), place=_PLACE)
    else:
        yield from _on_node_role(config, addon, context, "name", f"neither {_ROLE} nor iam.withOIDC is set")


def _associated(config: Config, addon: SourceNode, associations: list[SourceNode], context: Context) -> Iterator[Finding]:
    right = [entry for entry in associations if _is_for_aws_node(entry)]
    for entry in associations:
        yield from _association_settings(entry)
        if entry not in right and _text(entry, "serviceAccountName") and _text(entry, "namespace"):
            account = f"{_text(entry, 'namespace')}/{_text(entry, 'serviceAccountName')}"
            message = f"The association is for {account}; aws-node gets nothing from it."
            add = (f"namespace: {NAMESPACE}", f"serviceAccountName: {SERVICE_ACCOUNT}")
            yield _finding(rules.ASSOCIATION_MISMATCH, entry, "serviceAccountName", message, add=add, place=f"{_PLACE}, {_ASSOCIATIONS}")
    if right:
        yield from _association_note(config, addon, context)
        yield from _association_roles(right, context)


def _association_roles(associations: list[SourceNode], context: Context) -> Iterator[Finding]:
    for entry in associations:
        role = _text(entry, "roleARN")
        if role and (fault := _arn_fault(role)):
            yield _finding(rules.ROLE_NOT_ARN, entry, "roleARN", f"{fault}.")
        if declared := context.role_with_arn(role):
            place = _finding(rules.TRUST_WRONG, entry, "roleARN", "")
            yield from findings_of_declared_role(declared, place, None, is_association=True)
        policies = _listed_policies(entry, "permissionPolicyARNs", "permissionPolicy")
        if policies and cni_access(policies) is Access.MISSING:
            message = "The policies of the association do not allow the calls of the VPC CNI."
            yield _finding(
                rules.POLICY_MISSING, entry, "permissionPolicyARNs", message, add=_policy_line("permissionPolicyARNs"), place=_PLACE
            )


def _association_settings(entry: SourceNode) -> Iterator[Finding]:
    """Settings of an association of an add-on that eksctl refuses."""
    missing = next((key for key in ("namespace", "serviceAccountName") if not _text(entry, key)), "")
    given = [key for key in ("permissionPolicy", "permissionPolicyARNs", _WELL_KNOWN) if _is_given(entry.at(key))]
    if missing:
        yield _finding(rules.SETTINGS_REFUSED, entry, "", f"The association has no {missing}.")
    elif _WELL_KNOWN in given:
        message = f"{_WELL_KNOWN} is not for associations of add-ons: use {_BY_DEFAULT}."
        yield _finding(rules.SETTINGS_REFUSED, entry, _WELL_KNOWN, message)
    elif _text(entry, "roleARN") and given:
        yield _finding(rules.SETTINGS_REFUSED, entry, given[0], f"roleARN and {given[0]} exclude each other.")
    elif not _text(entry, "roleARN") and not given:
        yield _finding(rules.SETTINGS_REFUSED, entry, "", "The association names neither roleARN nor policies.")


def _association_note(config: Config, addon: SourceNode, context: Context) -> Iterator[Finding]:
    yield _finding(rules.POD_IDENTITY, addon, _ASSOCIATIONS, "A Pod Identity association gives aws-node its role.")
    if not config.named(POD_IDENTITY_AGENT_ADDON) and not config.is_auto_mode and not context.has_agent(config.cluster):
        add = (f"  - name: {POD_IDENTITY_AGENT_ADDON}",)
        message = f"Nothing in this file installs {POD_IDENTITY_AGENT_ADDON}."
        yield _finding(rules.AGENT_MISSING, addon, _ASSOCIATIONS, message, add=add, place="under addons")


def _has_automatic_association(config: Config, addon: SourceNode) -> bool:
    automatic = config.root.at("addonsConfig", "autoApplyPodIdentityAssociations")
    return _is_true(addon.at(_BY_DEFAULT)) or _is_true(automatic)


def _aws_node_associations(config: Config) -> list[SourceNode]:
    """Return the associations for aws-node that the file declares outside of the add-on."""
    listed = config.root.at("iam", _ASSOCIATIONS)
    return [entry for entry in (listed.items if listed else []) if _is_for_aws_node(entry)]


def _is_for_aws_node(association: SourceNode) -> bool:
    return _text(association, "namespace") == NAMESPACE and _text(association, "serviceAccountName") == SERVICE_ACCOUNT


def _service_account_role(config: Config, addon: SourceNode, key: str, context: Context) -> Iterator[Finding]:
    """The role of IRSA settings, which `create` ignores without OIDC; `update` ignores OIDC."""
    if key == _ROLE and (fault := _arn_fault(_text(addon, _ROLE))):
        yield _finding(rules.ROLE_NOT_ARN, addon, _ROLE, f"{fault}.")
    if declared := context.role_with_arn(_text(addon, _ROLE)):
        place = _finding(rules.TRUST_WRONG, addon, _ROLE, "")
        yield from findings_of_declared_role(declared, place, context.provider_of(config.cluster), is_association=False)
    policies = _listed_policies(addon, "attachPolicyARNs", "attachPolicy")
    if key in ("attachPolicyARNs", "attachPolicy") and cni_access(policies) is Access.MISSING:
        message = f"{key} does not allow the calls of the VPC CNI."
        yield _finding(rules.POLICY_MISSING, addon, key, message, add=_policy_line("attachPolicyARNs"), place=_PLACE)
    elif key == _WELL_KNOWN:
        message = "None of the well-known policies allows the calls of the VPC CNI."
        yield _finding(rules.POLICY_MISSING, addon, key, message, add=_policy_line("attachPolicyARNs"), place=_PLACE)
    elif calls := missing_calls(policies, _text(addon, "version"), ipv6=config.is_ipv6) if policies else ():
        message = f"vpc-cni {_text(addon, 'version')} needs {', '.join(calls)}, which {key} does not allow."
        yield _finding(rules.CALLS_MISSING, addon, key, message)
    if config.with_oidc:
        return
    if key == _ROLE and context.provider_of(config.cluster):
        return  # the cluster was read, and has a provider
    access = _node_access(config, context) or context.node_access(config.cluster)
    if access in (None, Access.GRANTED) or (key == _ROLE and access is Access.UNKNOWN):
        then = "it, `update addon` sets it" if key == _ROLE else "it"
        message = f"{key} is set and iam.withOIDC is not: `create cluster` ignores {then}."
        yield _finding(rules.OIDC_OFF, addon, key, message, add=_WITH_OIDC, place=_TOP)
        return
    yield from _on_node_role(config, addon, context, key, f"`create cluster` ignores {key} without iam.withOIDC")


def _on_node_role(config: Config, addon: SourceNode, context: Context, key: str, cause: str) -> Iterator[Finding]:
    """An add-on without a role of its own."""
    add, place = (_WITH_OIDC, _TOP) if key != "name" else (_role_line(), _PLACE)
    if config.is_auto_mode and not _node_groups(config):
        yield _finding(rules.AUTO_MODE, addon, "name", "The add-on has no role. The nodes of Auto Mode do not use aws-node.")
        return
    access = _node_access(config, context) or context.node_access(config.cluster)
    if access is None and _is_given(config.root.at("fargateProfiles")):
        message = f"The add-on gets no role: {cause}. The file has Fargate profiles alone, and aws-node does not run on Fargate."
        yield _finding(rules.ROLE_ABSENT, addon, key, message, add=add, place=place)
    elif access is Access.GRANTED:
        yield _finding(rules.NODE_ROLE, addon, key, f"The add-on gets no role: {cause}. The node roles have the CNI policy.")
    elif access is Access.UNKNOWN:
        message = f"The add-on gets no role: {cause}. The file does not show whether the node roles have the CNI policy."
        yield _finding(rules.ROLE_UNKNOWN, addon, key, message, add=add, place=place)
    elif access is None:
        message = f"The add-on gets no role: {cause}. The file has no nodes; eksctl gives node roles that it creates the CNI policy."
        yield _finding(rules.ROLE_ABSENT, addon, key, message, add=add, place=place)
    else:
        message = f"The add-on gets no role: {cause}, so aws-node runs on the node role, whose policies do not include the CNI policy."
        yield _finding(rules.ROLE_MISSING, addon, key, message, add=add, place=place)


def _node_groups(config: Config) -> list[SourceNode]:
    groups = [config.root.at(key) for key in ("managedNodeGroups", "nodeGroups")]
    return [entry for group in groups if group for entry in group.items]


def _node_access(config: Config, context: Context = ALONE) -> Access | None:
    """Return whether the node roles that eksctl creates have the CNI policy; None where the file has no nodes."""
    groups = _node_groups(config)
    answers = {_group_access(config, group, context) for group in groups}
    if config.root.at("karpenter") is not None:
        answers.add(Access.GRANTED)  # https://github.com/eksctl-io/eksctl/blob/main/pkg/cfn/builder/karpenter.go
    return lowest(answers)


def _group_access(config: Config, group: SourceNode, context: Context) -> Access:
    iam = group.at("iam")
    if iam is not None and (_is_given(iam.at("instanceRoleARN")) or _is_given(iam.at("instanceProfileARN"))):
        return context.access_of_role(_text(iam, "instanceRoleARN"))
    policies = _listed_policies(iam, "attachPolicyARNs", "attachPolicy") if iam else []
    listed = iam is not None and _is_given(iam.at("attachPolicyARNs"))
    if not listed and not config.with_oidc:
        policies.append(policy_by_arn("arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy"))
    return cni_access(policies)


def _conflicts(addon: SourceNode) -> Iterator[Finding]:
    if _text(addon, "resolveConflicts").upper() == "OVERWRITE":
        line = ("resolveConflicts: preserve",)
        yield _finding(rules.OVERWRITE, addon, "resolveConflicts", "resolveConflicts is overwrite.", add=line, place=_PLACE)


# --- values


_RESOURCE: Final = f"addons/{CNI_ADDON}"


def _associations(addon: SourceNode) -> list[SourceNode]:
    listed = addon.at(_ASSOCIATIONS)
    return listed.items if listed else []


def _listed_policies(node: SourceNode, arns: str, document: str) -> list[Policy]:
    listed, inline = node.at(arns), node.at(document)
    policies = [policy_by_arn(entry.text) if entry.text else unknown_policy("") for entry in (listed.items if listed else [])]
    if inline is not None and inline.fields:
        policies.append(policy_by_document(document, _plain(inline)))
    return policies


def _plain(node: SourceNode, depth: int = 0) -> object:
    if depth > 20:  # noqa: PLR2004  # deeper than any policy
        return None
    if node.items:
        return [_plain(entry, depth + 1) for entry in node.items[:200]]
    return {key: _plain(entry, depth + 1) for key, entry in node.fields.items()} if node.fields else node.value


def _arn_fault(text: str) -> str:
    """eksctl substitutes nothing, so a template variable is a placeholder too."""
    if "${" in text or "{{" in text or "$(" in text:
        return f"{text!r} is a placeholder"
    return fault_of_arn(text)


def _role_line() -> tuple[str, ...]:
    return (f"{_ROLE}: {_PLACEHOLDER}",)


def _policy_line(key: str) -> tuple[str, ...]:
    return (f"{key}: [arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy]",)


def _is_given(value: SourceNode | None) -> bool:
    """Return whether a setting has a value. An empty text, list or mapping is none; of well-known policies one must be true."""
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


def _finding(
    rule: Rule, where: SourceNode, key: str, message: str, *, add: tuple[str, ...] = (), place: str = "", resource: str = _RESOURCE
) -> Finding:
    line, column = where.place_of(key)
    return Finding(rule=rule, resource=resource, line=line, column=column, block_line=where.line, message=message, add=add, place=place)
