"""Fakes of Parameter Store, EKS and IAM."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lambdas.contract.parameters import folders_of
from lambdas.domain.errors import Busy, Conflict, NotFound
from lambdas.domain.ports import EksPort, IamPort, ParametersPort
from lambdas.domain.snapshot.simulation import ALLOWED, Simulation
from lambdas.domain.snapshot.snapshot import (
    AddonFacts,
    Association,
    ClusterFacts,
    Missing,
    NodeRepair,
    OfferedVersion,
    OidcProvider,
    RoleFacts,
    SupportDates,
    VersionAdvice,
)
from tests.fakes.fault_injection import injects_faults
from tests.world import InCluster, Update, World

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from lambdas.contract.parameters import ServiceAccountRef
    from lambdas.domain.snapshot.bindings import Parameter
    from lambdas.domain.snapshot.snapshot import AssociationSettings


def _association(identifier: str, settings: AssociationSettings, at: datetime) -> Association:
    return Association(id=identifier, modified_at=at, **vars(settings))


@injects_faults(ParametersPort, "parameters")
class FakeParameters:
    """Parameter Store."""

    def __init__(self, world: World) -> None:
        self._world = world

    def load(self, cluster: str | None = None) -> Mapping[str, Parameter]:
        within = tuple(f"{folder}/" for folder in folders_of(cluster)) if cluster else ("",)
        return {path: item for path, item in self._world.parameters.items() if path.startswith(within)}


@injects_faults(EksPort, "eks")
class FakeEks:
    """The EKS API. `updates` are the calls that were accepted: `(cluster, add-on, role, token)`."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.updates: list[tuple[str, str, str, str]] = []
        self._made: dict[str, str] = {}

    def clusters(self) -> tuple[str, ...]:
        return tuple(sorted(self._world.clusters))

    def cluster(self, name: str) -> ClusterFacts | Missing:
        found = self._world.clusters.get(name)
        return found.facts if found else Missing(f"cluster {name}")

    def addon(self, cluster: str, name: str) -> AddonFacts | Missing:
        found = self._world.clusters.get(cluster)
        if found is None or name not in found.addons:
            return Missing(f"add-on {name} of cluster {cluster}")
        self._world.advance_update(found, name)
        return found.addons[name]

    def associations(self, target: ServiceAccountRef) -> tuple[Association, ...]:
        return self._there(target.cluster).associations.get((target.namespace, target.name), ())

    def node_repair(self, cluster: str) -> NodeRepair:
        return NodeRepair(nodegroups=self._there(cluster).repaired_nodegroups)

    def version_advice(self, addon: str, kubernetes_version: str) -> VersionAdvice:
        found = self._world.advised_versions.get((addon, kubernetes_version))
        if found is None:
            raise NotFound(f"no version of {addon} for {kubernetes_version}")
        return found

    def offered_versions(self, addon: str, kubernetes_version: str) -> tuple[OfferedVersion, ...]:
        self._world.raise_fault("eks.offered_versions")
        found = self._world.advised_versions.get((addon, kubernetes_version))
        return (OfferedVersion(version=found.latest), OfferedVersion(version=found.default, default=True)) if found else ()

    def support(self, kubernetes_version: str) -> SupportDates:
        if kubernetes_version not in self._world.supported:
            raise NotFound(f"Kubernetes {kubernetes_version} is not known")
        return self._world.supported[kubernetes_version]

    def set_addon_role(self, cluster: str, addon: str, role_arn: str, token: str) -> str:
        there = self._there(cluster)
        same = next((index for index, item in enumerate(self.updates) if item == (cluster, addon, role_arn, token)), None)
        if same is None:
            if addon in there.updates:
                raise Busy(f"add-on {addon} cannot be updated as it is currently in UPDATING state")
            if addon not in there.addons:
                raise NotFound(f"add-on {addon} of cluster {cluster}")
            self._begin(there, cluster, addon, role_arn, token)
            same = len(self.updates) - 1
        return f"update-{same + 1}"

    def create_association(self, target: ServiceAccountRef, wanted: AssociationSettings, token: str) -> str:
        there, key = self._there(target.cluster), (target.namespace, target.name)
        if token not in self._made:
            if found := there.associations.get(key):
                raise Conflict(f"Association already exists: {found[0].id}")
            self._made[token] = f"a-{len(self._made) + 1}"
            there.associations[key] = (_association(self._made[token], wanted, self._world.now),)
            self._world.writes.append(f"create association {target.key} {wanted.role_arn}")
        return self._made[token]

    def update_association(self, cluster: str, found: Association, wanted: AssociationSettings, token: str) -> None:
        if token in self._made:
            return
        there = self._there(cluster)
        key = next((key for key, items in there.associations.items() if any(item.id == found.id for item in items)), None)
        if key is None:
            raise NotFound(f"pod identity association {found.id}")
        self._made[token] = found.id
        there.associations[key] = (replace(found, **vars(wanted), modified_at=self._world.now),)
        self._world.writes.append(f"update association {cluster}/{'/'.join(key)} {wanted.role_arn}")

    def addon_associations(self, cluster: str, addon: str) -> Mapping[str, str]:
        there = self._there(cluster)
        if addon not in there.addons:
            raise NotFound(f"add-on {addon} of cluster {cluster}")
        return {name: item.role_arn for (_, name), items in there.associations.items() for item in items if item.owner_addon == addon}

    def set_addon_associations(self, cluster: str, addon: str, roles: Mapping[str, str], token: str) -> str:
        there = self._there(cluster)
        if token not in self._made:
            if addon in there.updates:
                raise Busy(f"add-on {addon} cannot be updated as it is currently in UPDATING state")
            self._made[token] = f"update-{len(self._made) + 1}"
            for key, items in list(there.associations.items()):
                owned = [item for item in items if item.owner_addon == addon]
                changed = tuple(replace(item, role_arn=roles[key[1]], modified_at=self._world.now) for item in owned if key[1] in roles)
                there.associations[key] = changed if owned else items
            self._world.writes.append(f"set associations of add-on {cluster}/{addon} {dict(sorted(roles.items()))}")
        return self._made[token]

    def _begin(self, there: InCluster, cluster: str, addon: str, role_arn: str, token: str) -> None:
        becomes = replace(there.addons[addon], role_arn=role_arn, status="ACTIVE")
        there.addons[addon] = replace(there.addons[addon], status="UPDATING")
        there.updates[addon] = Update(becomes, there.update_reads, annotates=True)
        self.updates.append((cluster, addon, role_arn, token))
        self._world.writes.append(f"set add-on role {cluster}/{addon} {role_arn}")

    def _there(self, cluster: str) -> InCluster:
        if cluster not in self._world.clusters:
            raise NotFound(f"cluster {cluster}")
        return self._world.clusters[cluster]


@injects_faults(IamPort, "iam")
class FakeIam:
    """The IAM API."""

    def __init__(self, world: World) -> None:
        self._world = world

    def role(self, arn: str) -> RoleFacts | Missing:
        return self._world.roles.get(arn) or Missing(f"role {arn}")

    def oidc_provider(self, arn: str) -> OidcProvider | Missing:
        return self._world.providers.get(arn) or Missing(f"OIDC provider {arn}")

    def simulate(self, role_arn: str, calls: Sequence[str], resource: str = "") -> Simulation:
        decisions = self._world.simulated.get(role_arn, {})
        return {call: decisions.get(call, ALLOWED) for call in calls}
