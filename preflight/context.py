"""What readers know beyond their own file: the clusters that were read, and the declarations of the other files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from preflight.iam_policies import Access

NAMESPACE: Final = "kube-system"
SERVICE_ACCOUNT: Final = "aws-node"
SUBJECT: Final = f"system:serviceaccount:{NAMESPACE}:{SERVICE_ACCOUNT}"

Providers: TypeAlias = Mapping[str, str]
"""Name of a cluster -> ARN of its OIDC provider."""


@dataclass(frozen=True, kw_only=True)
class Association:
    """A Pod Identity association. A field is None where its value is not known before the file is applied."""

    cluster: str | None
    namespace: str | None
    service_account: str | None
    role: str | None = None

    @property
    def is_for_aws_node(self) -> bool:
        """Return whether the association is for aws-node. An unknown value is taken for the right one."""
        return self.namespace in (NAMESPACE, None) and self.service_account in (SERVICE_ACCOUNT, None)


@dataclass(frozen=True, kw_only=True)
class AddonRole:
    """The role that a file gives to aws-node of a cluster: its ARN, "" for none, None for one that is not known yet.

    `repeats_record` is True where the tool repeats the role of the record, since the file names none.
    """

    cluster: str | None
    role: str | None
    resource: str
    repeats_record: bool = False
    line: int = 0
    column: int = 0


_ARN_PARTS: Final = 6


@dataclass(frozen=True, kw_only=True)
class DeclaredRole:
    """A role by its name. `account` is "" and `trust` None where they are not known; `access` is UNKNOWN where policies are elsewhere."""

    name: str
    account: str = ""
    trust: Mapping[str, Any] | None = None
    access: Access = Access.UNKNOWN

    def has_arn(self, arn: str) -> bool:
        """Return whether the ARN is the one of this role, as far as the account is known."""
        parts = arn.split(":", _ARN_PARTS - 1)
        return len(parts) == _ARN_PARTS and parts[5].rpartition("/")[2] == self.name and self.account in ("", parts[4])


@dataclass(frozen=True, kw_only=True)
class Declarations:
    """What one file declares that matters to others. `agents` are names of clusters; None is an unknown name.

    `nodes` are clusters with whether their node roles may make the calls of the VPC CNI; `providers` are clusters with the ARNs of
    their OIDC providers.
    """

    associations: tuple[Association, ...] = ()
    agents: frozenset[str | None] = frozenset()
    addon_roles: tuple[AddonRole, ...] = ()
    nodes: tuple[tuple[str | None, Access], ...] = ()
    roles: tuple[DeclaredRole, ...] = ()
    providers: tuple[tuple[str, str], ...] = ()

    def __or__(self, other: Declarations) -> Declarations:
        """Return the declarations of both."""
        return Declarations(
            associations=self.associations + other.associations,
            agents=self.agents | other.agents,
            addon_roles=self.addon_roles + other.addon_roles,
            nodes=self.nodes + other.nodes,
            roles=self.roles + other.roles,
            providers=self.providers + other.providers,
        )


@dataclass(frozen=True, kw_only=True)
class Context:
    """The OIDC providers of clusters that were read, and the declarations of the other files that were given."""

    providers: Providers = field(default_factory=lambda: MappingProxyType({}))
    declared: Declarations = field(default_factory=Declarations)

    def provider_of(self, cluster: str | None) -> str | None:
        """Return the provider of a cluster that was read or that another file holds; for an unknown name that of the only one read."""
        if cluster is not None:
            return self.providers.get(cluster) or dict(self.declared.providers).get(cluster)
        return next(iter(self.providers.values())) if len(self.providers) == 1 else None

    def association_for(self, cluster: str | None) -> Association | None:
        """Return the association of another file for aws-node of this cluster. An unknown name matches any other."""
        found = (entry for entry in self.declared.associations if entry.is_for_aws_node and _is_same(entry.cluster, cluster))
        return next(found, None)

    def role_with_arn(self, arn: str) -> DeclaredRole | None:
        """Return the role of another file that has this ARN; None where no file, or several, declare one of its name."""
        found = [role for role in self.declared.roles if role.has_arn(arn)]
        return found[0] if len(found) == 1 else None

    def access_of_role(self, arn: str) -> Access:
        """Return whether the role with this ARN, which another file may declare, may make the calls of the VPC CNI."""
        declared = self.role_with_arn(arn)
        return declared.access if declared else Access.UNKNOWN

    def has_addon(self, cluster: str | None) -> bool:
        """Return whether another file declares the vpc-cni add-on of this cluster."""
        return any(_is_same(addon.cluster, cluster) for addon in self.declared.addon_roles)

    def node_access(self, cluster: str | None) -> Access | None:
        """Return whether the nodes that other files declare for this cluster may make the calls; None where they declare none."""
        return lowest(access for name, access in self.declared.nodes if _is_same(name, cluster))

    def has_agent(self, cluster: str | None) -> bool:
        """Return whether another file declares the Pod Identity agent for this cluster."""
        return any(_is_same(agent, cluster) for agent in self.declared.agents)


def lowest(answers: Iterable[Access]) -> Access | None:
    """Return the answer that decides for nodes of several roles: one role without the policy is enough to fail."""
    found = set(answers)
    return next((access for access in (Access.MISSING, Access.UNKNOWN, Access.GRANTED) if access in found), None)


def _is_same(one: str | None, other: str | None) -> bool:
    return one is None or other is None or one == other


ALONE: Final = Context()
"""The context of a file that is read alone."""
