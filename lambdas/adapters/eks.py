"""The EKS API."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final

from lambdas.adapters.aws_errors import translated
from lambdas.adapters.ttl_cache import TtlCache
from lambdas.domain.errors import Busy, Conflict, NotFound
from lambdas.domain.snapshot.association_owner import declared_by
from lambdas.domain.snapshot.bindings import canonical_json
from lambdas.domain.snapshot.snapshot import (
    AddonFacts,
    Association,
    ClusterFacts,
    HealthIssue,
    Missing,
    NodeRepair,
    OfferedVersion,
    SupportDates,
    VersionAdvice,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lambdas.adapters.aws_session import AwsSession
    from lambdas.contract.parameters import ServiceAccountRef
    from lambdas.domain.snapshot.snapshot import AssociationSettings

_KEEP_ADVICE_S: Final = 3600
"""Add-on versions change within weeks, while one repair reads them many times."""
_PARALLEL_CALLS: Final = 8
"""Node groups described in parallel: within the API rate, and 30 of them take a fraction of a second."""


class Eks:
    """Implements `EksPort`. `ttl_s`: maximum age of a cluster's description (seconds). Add-ons are never cached."""

    def __init__(self, session: AwsSession, *, ttl_s: float = 0) -> None:
        self._session = session
        self._clusters: TtlCache[ClusterFacts | Missing] = TtlCache(ttl_s)
        self._offered: TtlCache[tuple[OfferedVersion, ...]] = TtlCache(_KEEP_ADVICE_S)
        self._support_dates: TtlCache[SupportDates] = TtlCache(_KEEP_ADVICE_S)

    def clusters(self) -> tuple[str, ...]:
        """Names of all clusters in this account and region."""
        return tuple(name for page in self._pages("list clusters", "list_clusters") for name in page["clusters"])

    def cluster(self, name: str) -> ClusterFacts | Missing:
        return self._clusters.get(name, lambda: self._describe(name))

    def addon(self, cluster: str, name: str) -> AddonFacts | Missing:
        try:
            with translated(f"describe add-on {name} of cluster {cluster}"):
                answer = self._eks.describe_addon(clusterName=cluster, addonName=name)
        except NotFound:
            return Missing(f"add-on {name} of cluster {cluster}")
        return _addon(answer["addon"])

    def associations(self, target: ServiceAccountRef) -> tuple[Association, ...]:
        """Pod identity associations of one ServiceAccount. The list has no roles, so each is described."""
        where = {"clusterName": target.cluster, "namespace": target.namespace, "serviceAccount": target.name}
        pages = self._pages(f"list pod identity associations of {target.key}", "list_pod_identity_associations", **where)
        return tuple(
            self._association(target.cluster, association["associationId"]) for page in pages for association in page["associations"]
        )

    def node_repair(self, cluster: str) -> NodeRepair:
        """Node groups with node auto repair enabled."""
        pages = self._pages(f"list node groups of cluster {cluster}", "list_nodegroups", clusterName=cluster)
        names = [name for page in pages for name in page["nodegroups"]]
        with ThreadPoolExecutor(_PARALLEL_CALLS) as pool:
            repaired = list(pool.map(lambda name: self._has_auto_repair(cluster, name), names))
        return NodeRepair(nodegroups=tuple(name for name, on in zip(names, repaired, strict=True) if on))

    def version_advice(self, addon: str, kubernetes_version: str) -> VersionAdvice:
        """The default and the newest version of the add-on for a Kubernetes version.

        Raises:
            NotFound: EKS does not offer the add-on for this version.
        """
        offered = self.offered_versions(addon, kubernetes_version)
        if not offered:
            raise NotFound(f"EKS does not offer add-on {addon} for Kubernetes {kubernetes_version}")
        default = next((item.version for item in offered if item.default), "")
        return VersionAdvice(default=default, latest=max((item.version for item in offered), key=_version_key))

    def support(self, kubernetes_version: str) -> SupportDates:
        """The end dates of standard and extended support for a Kubernetes version.

        Raises:
            NotFound: EKS does not list this version.

        Source: https://docs.aws.amazon.com/eks/latest/APIReference/API_DescribeClusterVersions.html
        """
        return self._support_dates.get(kubernetes_version, lambda: self._support(kubernetes_version))

    def _support(self, kubernetes_version: str) -> SupportDates:
        attempt = f"read the support dates of Kubernetes {kubernetes_version}"
        pages = self._pages(attempt, "describe_cluster_versions", clusterVersions=[kubernetes_version])
        found = next(
            (version for page in pages for version in page["clusterVersions"] if version.get("clusterVersion") == kubernetes_version),
            None,
        )
        if found is None:
            raise NotFound(f"{attempt}: EKS does not list it")
        ends = (found.get(f"endOf{item}SupportDate") for item in ("Standard", "Extended"))
        standard, extended = (end.astimezone(UTC) if end else None for end in ends)
        return SupportDates(standard_until=standard, extended_until=extended)

    def offered_versions(self, addon: str, kubernetes_version: str) -> tuple[OfferedVersion, ...]:
        """Every version that EKS offers for a Kubernetes version, newest first. Empty if there is none."""
        attempt = f"list the versions of add-on {addon} for Kubernetes {kubernetes_version}"
        return self._offered.get((addon, kubernetes_version), lambda: tuple(self._offers(attempt, addon, kubernetes_version)))

    def set_addon_role(self, cluster: str, addon: str, role_arn: str, token: str) -> str:
        """Call `UpdateAddon` with the role and PRESERVE alone: version, configuration and associations stay unchanged.

        Source: https://docs.aws.amazon.com/eks/latest/APIReference/API_UpdateAddon.html
        """
        with translated(f"set the role of add-on {addon} in cluster {cluster}"):
            answer = self._eks.update_addon(
                clusterName=cluster, addonName=addon, serviceAccountRoleArn=role_arn, resolveConflicts="PRESERVE", clientRequestToken=token
            )
        return str(answer["update"]["id"])

    def create_association(self, target: ServiceAccountRef, wanted: AssociationSettings, token: str) -> str:
        """Create an association and return its ID.

        Raises:
            Conflict: the ServiceAccount has one already.

        Source: https://docs.aws.amazon.com/eks/latest/APIReference/API_CreatePodIdentityAssociation.html
        """
        where = {"clusterName": target.cluster, "namespace": target.namespace, "serviceAccount": target.name}
        given = {name: value for name, value in _association_parameters(wanted).items() if value not in ("", False)}
        try:
            with translated(f"create the pod identity association of {target.key}"):
                answer = self._eks.create_pod_identity_association(**where, **given, clientRequestToken=token)
        except Busy as error:
            raise Conflict(str(error)) from error
        return str(answer["association"]["associationId"])

    def update_association(self, cluster: str, found: Association, wanted: AssociationSettings, token: str) -> None:
        """Change what an association gives: only the members that differ. A session policy is replaced and never removed.

        An empty target role removes it.
        Sources: https://docs.aws.amazon.com/eks/latest/APIReference/API_UpdatePodIdentityAssociation.html
        https://github.com/kubernetes-sigs/cluster-api-provider-aws/blob/main/pkg/cloud/services/eks (updatePodIdentityAssociation)
        """
        before, after = _association_parameters(found.settings), _association_parameters(wanted)
        changes = {name: value for name, value in after.items() if value != before[name]}
        with translated(f"update pod identity association {found.id} of cluster {cluster}"):
            self._eks.update_pod_identity_association(clusterName=cluster, associationId=found.id, **changes, clientRequestToken=token)

    def addon_associations(self, cluster: str, addon: str) -> Mapping[str, str]:
        """The associations that an add-on owns: `ServiceAccount -> role`. The record has their ARNs alone, so each is described."""
        with translated(f"describe add-on {addon} of cluster {cluster}"):
            record = self._eks.describe_addon(clusterName=cluster, addonName=addon)["addon"]
        ids = [arn.rpartition("/")[2] for arn in record.get("podIdentityAssociations", ())]
        found = [self._describe_association(cluster, identifier) for identifier in ids]
        return {item["serviceAccount"]: item["roleArn"] for item in found}

    def set_addon_associations(self, cluster: str, addon: str, roles: Mapping[str, str], token: str) -> str:
        """Call `UpdateAddon` with the complete list of associations and PRESERVE; EKS deletes those that it lacks.

        Source: https://docs.aws.amazon.com/eks/latest/APIReference/API_UpdateAddon.html (podIdentityAssociations)
        """
        listed = [{"serviceAccount": account, "roleArn": role} for account, role in sorted(roles.items())]
        with translated(f"set the pod identity associations of add-on {addon} in cluster {cluster}"):
            answer = self._eks.update_addon(
                clusterName=cluster,
                addonName=addon,
                podIdentityAssociations=listed,
                resolveConflicts="PRESERVE",
                clientRequestToken=token,
            )
        return str(answer["update"]["id"])

    @property
    def _eks(self) -> Any:
        return self._session.client("eks")

    def _pages(self, attempt: str, call: str, **parameters: Any) -> Iterator[Mapping[str, Any]]:
        with translated(attempt):
            yield from self._eks.get_paginator(call).paginate(**parameters)

    def _offers(self, attempt: str, addon: str, kubernetes_version: str) -> Iterator[OfferedVersion]:
        """Versions page by page, so that a caller can stop early."""
        for page in self._pages(attempt, "describe_addon_versions", addonName=addon, kubernetesVersion=kubernetes_version):
            for version in (addon_version for found in page["addons"] for addon_version in found["addonVersions"]):
                here = [
                    compatibility for compatibility in version["compatibilities"] if compatibility["clusterVersion"] == kubernetes_version
                ]
                if here:
                    yield OfferedVersion(version=version["addonVersion"], default=any(item["defaultVersion"] for item in here))

    def _describe(self, name: str) -> ClusterFacts | Missing:
        try:
            with translated(f"describe cluster {name}"):
                answer = self._eks.describe_cluster(name=name)
        except NotFound:
            return Missing(f"cluster {name} in {self._session.region}")
        return _cluster(answer["cluster"])

    def _describe_association(self, cluster: str, identifier: str) -> Mapping[str, Any]:
        with translated(f"describe pod identity association {identifier} of cluster {cluster}"):
            answer = self._eks.describe_pod_identity_association(clusterName=cluster, associationId=identifier)
        found: Mapping[str, Any] = answer["association"]
        return found

    def _association(self, cluster: str, identifier: str) -> Association:
        found = self._describe_association(cluster, identifier)
        return Association(
            id=identifier,
            role_arn=found["roleArn"],
            arn=found.get("associationArn", ""),
            owner=found.get("ownerArn", ""),
            target_role_arn=found.get("targetRoleArn") or None,
            has_session_tags=not found.get("disableSessionTags", False),
            policy=canonical_json(found.get("policy") or ""),
            modified_at=found["modifiedAt"].astimezone(UTC) if "modifiedAt" in found else None,
            declared_by=declared_by(found.get("tags", {})),
        )

    def _has_auto_repair(self, cluster: str, name: str) -> bool:
        with translated(f"describe node group {name} of cluster {cluster}"):
            answer = self._eks.describe_nodegroup(clusterName=cluster, nodegroupName=name)
        return bool(answer["nodegroup"].get("nodeRepairConfig", {}).get("enabled"))


def _association_parameters(settings: AssociationSettings) -> dict[str, str | bool]:
    return {
        "roleArn": settings.role_arn,
        "targetRoleArn": settings.target_role_arn or "",
        "disableSessionTags": not settings.has_session_tags,
        "policy": settings.policy,
    }


def _version_key(version: str) -> tuple[int, ...]:
    """Sort key that puts `v1.9.3-eksbuild.1` before `v1.20.0-eksbuild.2`."""
    return tuple(map(int, re.findall(r"\d+", version)))


def _cluster(cluster: Mapping[str, Any]) -> ClusterFacts:
    # botocore returns times in the local time zone. A cluster in creation has no endpoint, authority or issuer yet.
    network = cluster.get("resourcesVpcConfig", {})
    return ClusterFacts(
        name=cluster["name"],
        arn=cluster["arn"],
        version=cluster["version"],
        status=cluster["status"],
        endpoint=cluster.get("endpoint", ""),
        certificate_authority=cluster.get("certificateAuthority", {}).get("data", ""),
        issuer=cluster.get("identity", {}).get("oidc", {}).get("issuer"),
        created_at=cluster["createdAt"].astimezone(UTC),
        authentication_mode=cluster.get("accessConfig", {}).get("authenticationMode", "CONFIG_MAP"),
        ip_family=cluster.get("kubernetesNetworkConfig", {}).get("ipFamily", "ipv4"),
        auto_mode=bool(cluster.get("computeConfig", {}).get("enabled")),
        # EKS returns the ranges even if public access is disabled.
        public_from=tuple(network.get("publicAccessCidrs", ("0.0.0.0/0",))) if network.get("endpointPublicAccess", True) else (),
    )


def _addon(addon: Mapping[str, Any]) -> AddonFacts:
    return AddonFacts(
        name=addon["addonName"],
        version=addon["addonVersion"],
        status=addon["status"],
        role_arn=addon.get("serviceAccountRoleArn"),
        modified_at=addon["modifiedAt"].astimezone(UTC) if "modifiedAt" in addon else None,
        arn=addon.get("addonArn", ""),
        issues=tuple(
            HealthIssue(code=issue.get("code", ""), message=issue.get("message", ""), resources=tuple(issue.get("resourceIds", ())))
            for issue in addon.get("health", {}).get("issues", ())
        ),
    )
