"""What a cluster grants to the functions' roles: access entries by EKS, Roles and their bindings by Kubernetes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lambdas.adapters.aws_errors import translated
from lambdas.domain.errors import NotFound
from lambdas.domain.snapshot.snapshot import ClusterFacts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cli.kubernetes_access import PersonsApi, PersonsClusters
    from lambdas.adapters.aws_session import AwsSession
    from lambdas.domain.ports import EksPort

_RBAC: Final = "/apis/rbac.authorization.k8s.io/v1"


class PersonsRights:
    """Implements `Rights` with the caller's own rights."""

    def __init__(self, session: AwsSession, eks: EksPort, clusters: PersonsClusters) -> None:
        self._session = session
        self._eks = eks
        self._clusters = clusters

    def groups_of(self, cluster: str, role_arn: str) -> frozenset[str] | None:
        """Kubernetes groups of the role's access entry, or None where it has none."""
        try:
            with translated(f"read the access entry of {role_arn} in cluster {cluster}"):
                answer = self._session.client("eks").describe_access_entry(clusterName=cluster, principalArn=role_arn)
        except NotFound:
            return None
        return frozenset(answer["accessEntry"].get("kubernetesGroups", ()))

    def give_entry(self, cluster: str, role_arn: str, group: str) -> None:
        """Make the access entry, or put the group into the one that is there."""
        there = self.groups_of(cluster, role_arn)
        client = self._session.client("eks")
        with translated(f"give {role_arn} access to cluster {cluster}"):
            if there is None:
                client.create_access_entry(clusterName=cluster, principalArn=role_arn, kubernetesGroups=[group], type="STANDARD")
            else:
                client.update_access_entry(clusterName=cluster, principalArn=role_arn, kubernetesGroups=sorted({*there, group}))

    def rules(self, cluster: str, manifest: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The object of the manifest's kind and name as the cluster has it, or None."""
        try:
            found: Mapping[str, Any] = self._api(cluster).get(f"read {manifest['kind']}", path_of(manifest))
        except NotFound:
            return None
        return found

    def apply(self, cluster: str, manifest: Mapping[str, Any]) -> None:
        """Create or change it to what the manifest says."""
        self._api(cluster).apply(f"apply {manifest['kind']} {manifest['metadata']['name']}", path_of(manifest), manifest)

    def aws_auth(self, cluster: str) -> str | None:
        """`mapRoles` of `kube-system/aws-auth`, or None where there is no such ConfigMap."""
        try:
            found = self._api(cluster).get("read ConfigMap aws-auth", "/api/v1/namespaces/kube-system/configmaps/aws-auth")
        except NotFound:
            return None
        return str((found.get("data") or {}).get("mapRoles", ""))

    def _api(self, cluster: str) -> PersonsApi:
        facts = self._eks.cluster(cluster)
        if not isinstance(facts, ClusterFacts):
            raise NotFound(f"there is no {facts.what}")
        return self._clusters.api(facts)


def path_of(manifest: Mapping[str, Any]) -> str:
    """The API path of a Role, ClusterRole or a binding of one."""
    metadata = manifest["metadata"]
    where = f"/namespaces/{metadata['namespace']}" if "namespace" in metadata else ""
    return f"{_RBAC}{where}/{manifest['kind'].lower()}s/{metadata['name']}"
