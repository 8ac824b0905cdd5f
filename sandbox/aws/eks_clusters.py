"""Clusters and node groups of the EKS double."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from sandbox.aws.eks_addon_versions import KUBERNETES
from sandbox.aws.eks_errors import not_found
from sandbox.aws.eks_state import now, page

if TYPE_CHECKING:
    from sandbox.aws.eks_state import EksState

STANDARD = 4
"""Number of versions in standard support; the oldest stays in it for 30 more days."""
BETWEEN_RELEASES = timedelta(days=120)


@dataclass(frozen=True, kw_only=True)
class ClusterSpec:
    """The properties of a cluster. `ca_data` is the base64 of the PEM, as DescribeCluster returns it."""

    name: str
    version: str = "1.28"
    endpoint: str
    ca_data: str
    issuer: str = ""
    ip_family: str = "ipv4"
    authentication_mode: str = "API_AND_CONFIG_MAP"
    status: str = "ACTIVE"
    auto_mode: bool = False
    public: bool = True
    public_from: tuple[str, ...] = ("0.0.0.0/0",)


def cluster_record(spec: ClusterSpec, state: EksState) -> dict[str, Any]:
    """The `cluster` of DescribeCluster; without an issuer, one in the format of EKS is generated."""
    issuer = spec.issuer or f"https://oidc.eks.{state.region}.amazonaws.com/id/{sha256(spec.name.encode()).hexdigest()[:32].upper()}"
    return {
        "name": spec.name,
        "arn": state.arn(f"cluster/{spec.name}"),
        "createdAt": now(),
        "version": spec.version,
        "endpoint": spec.endpoint,
        "roleArn": f"arn:{state.partition}:iam::{state.account}:role/{spec.name}-cluster",
        "resourcesVpcConfig": {
            "subnetIds": [],
            "securityGroupIds": [],
            "vpcId": "vpc-0a1b2c3d4e5f60718",
            "endpointPublicAccess": spec.public,
            "endpointPrivateAccess": True,
            "publicAccessCidrs": list(spec.public_from) if spec.public else [],
        },
        "kubernetesNetworkConfig": {
            **({"serviceIpv6Cidr": "fd30:1c53:5f8a::/108"} if spec.ip_family == "ipv6" else {"serviceIpv4Cidr": "172.20.0.0/16"}),
            "ipFamily": spec.ip_family,
        },
        "logging": {"clusterLogging": [{"types": ["audit"], "enabled": True}]},
        "identity": {"oidc": {"issuer": issuer}},
        "status": spec.status,
        "certificateAuthority": {"data": spec.ca_data},
        "platformVersion": "eks.1",
        "tags": {},
        "health": {"issues": []},
        "accessConfig": {"authenticationMode": spec.authentication_mode},
        "upgradePolicy": {"supportType": "EXTENDED"},
        "computeConfig": {"enabled": spec.auto_mode},
        "deletionProtection": False,
    }


def list_clusters(state: EksState, params: dict[str, Any]) -> dict[str, Any]:
    return page(sorted(state.clusters), params, "clusters")


def describe_cluster(state: EksState, params: dict[str, Any]) -> dict[str, Any]:
    return {"cluster": state.cluster(params["name"]).record}


def list_nodegroups(state: EksState, params: dict[str, Any]) -> dict[str, Any]:
    return page(sorted(state.cluster(params["clusterName"]).nodegroups), params, "nodegroups")


def describe_nodegroup(state: EksState, params: dict[str, Any]) -> dict[str, Any]:
    cluster, name = state.cluster(params["clusterName"]), params["nodegroupName"]
    if name not in cluster.nodegroups:
        raise not_found(f"No node group found for name: {name}.", clusterName=cluster.name, nodegroupName=name)
    return {"nodegroup": cluster.nodegroups[name]}


def nodegroup_record(state: EksState, cluster: str, name: str, *, node_role: str, size: int, repair: bool = False) -> dict[str, Any]:
    """The `nodegroup` of DescribeNodegroup with `size` nodes; `repair` enables node auto repair."""
    spec = state.cluster(cluster).record
    return {
        "nodegroupName": name,
        "nodegroupArn": state.arn(f"nodegroup/{cluster}/{name}/0"),
        "clusterName": cluster,
        "version": spec["version"],
        "createdAt": now(),
        "modifiedAt": now(),
        "status": "ACTIVE",
        "capacityType": "ON_DEMAND",
        "scalingConfig": {"minSize": 0, "maxSize": max(size, 1), "desiredSize": size},
        "instanceTypes": ["m6i.large"],
        "subnets": [],
        "amiType": "AL2023_x86_64_STANDARD",
        "nodeRole": node_role,
        "labels": {},
        "health": {"issues": []},
        "nodeRepairConfig": {"enabled": repair},
        "tags": {},
    }


def describe_cluster_versions(_: EksState, params: dict[str, Any]) -> dict[str, Any]:
    requested = params.get("clusterVersions") or KUBERNETES
    versions = [_version(version) for version in reversed(KUBERNETES) if version in requested]
    wanted_status = params.get("versionStatus")
    matching = [version for version in versions if wanted_status in (None, version["versionStatus"])]
    return page([version for version in matching if version["defaultVersion"] or not params.get("defaultOnly")], params, "clusterVersions")


def _version(version: str) -> dict[str, Any]:
    """14 months of standard support at four months between releases, then a year of extended support.

    Source: https://docs.aws.amazon.com/eks/latest/userguide/kubernetes-versions.html
    """
    ends = now().replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=30)
    ends += (KUBERNETES.index(version) - len(KUBERNETES) + STANDARD) * BETWEEN_RELEASES
    standard = ends > now()
    return {
        "clusterVersion": version,
        "clusterType": "eks",
        "defaultPlatformVersion": "eks.1",
        "defaultVersion": version == KUBERNETES[-1],
        "releaseDate": datetime(2023, 1, 1, tzinfo=UTC),
        "endOfStandardSupportDate": ends,
        "endOfExtendedSupportDate": ends + timedelta(days=365),
        "status": "standard-support" if standard else "extended-support",
        "versionStatus": "STANDARD_SUPPORT" if standard else "EXTENDED_SUPPORT",
        "kubernetesPatchVersion": f"{version}.0",
    }
