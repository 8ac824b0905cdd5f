"""Access entries (EKS), RBAC objects and admission policies (Kubernetes), read and written with the caller's own rights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from cli.clients.ports import GroupBinding
from lambdas.adapters.aws_errors import translated
from lambdas.contract import admission
from lambdas.contract.names import ADMISSION_API, MANAGED_BY
from lambdas.domain.errors import NotFound
from lambdas.domain.snapshot.snapshot import ClusterFacts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cli.clients.cluster_login import UserClusters, UserKubernetesApi
    from lambdas.adapters.aws_session import AwsSession
    from lambdas.domain.ports import EksPort


_RBAC: Final = "/apis/rbac.authorization.k8s.io/v1"


class UserClusterAccess:
    """Implements `ClusterAccess`."""

    def __init__(self, session: AwsSession, eks: EksPort, clusters: UserClusters) -> None:
        self._session = session
        self._eks = eks
        self._clusters = clusters

    def groups_of(self, cluster: str, role_arn: str) -> frozenset[str] | None:
        """Return the Kubernetes groups of the role's access entry, or None where it has none."""
        try:
            with translated(f"read the access entry of {role_arn} in cluster {cluster}"):
                answer = self._session.client("eks").describe_access_entry(clusterName=cluster, principalArn=role_arn)
        except NotFound:
            return None
        return frozenset(answer["accessEntry"].get("kubernetesGroups", ()))

    def policies_of(self, cluster: str, role_arn: str) -> Sequence[str]:
        """Return the ARNs of the access policies that are associated with the role's access entry.

        They grant Kubernetes permissions in addition to RBAC.
        Source: https://docs.aws.amazon.com/eks/latest/userguide/access-policies.html
        """
        with translated(f"read the access policies of {role_arn} in cluster {cluster}"):
            pages = self._session.client("eks").get_paginator("list_associated_access_policies")
            return [
                policy["policyArn"]
                for page in pages.paginate(clusterName=cluster, principalArn=role_arn)
                for policy in page["associatedAccessPolicies"]
            ]

    def put_entry(self, cluster: str, role_arn: str, group: str) -> None:
        """Create the access entry, or add the group to the existing one."""
        groups = self.groups_of(cluster, role_arn)
        client = self._session.client("eks")
        with translated(f"give {role_arn} access to cluster {cluster}"):
            if groups is None:
                client.create_access_entry(clusterName=cluster, principalArn=role_arn, kubernetesGroups=[group], type="STANDARD")
            else:
                client.update_access_entry(clusterName=cluster, principalArn=role_arn, kubernetesGroups=sorted({*groups, group}))

    def read(self, cluster: str, manifest: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Return the cluster's object of the manifest's kind and name, or None."""
        try:
            answer: Mapping[str, Any] = self._api(cluster).get(f"read {manifest['kind']}", path_of(manifest), dict)
        except NotFound:
            return None
        return answer

    def apply(self, cluster: str, manifest: Mapping[str, Any]) -> None:
        """Create or update the object as the manifest says."""
        self._api(cluster).apply(f"apply {manifest['kind']} {manifest['metadata']['name']}", path_of(manifest), manifest)

    def create(self, cluster: str, manifest: Mapping[str, Any], manager: str) -> None:
        """Create the object as this field manager, and never change an existing one."""
        collection = path_of(manifest).rpartition("/")[0]
        self._api(cluster).create(f"create {manifest['kind']} {manifest['metadata']['name']}", collection, manifest, manager)

    def remove_annotation(self, cluster: str, manifest: Mapping[str, Any], key: str, manager: str) -> None:
        """Remove one annotation of the manifest's object, as this field manager."""
        attempt = f"remove the annotation {key} of {manifest['kind']} {manifest['metadata']['name']}"
        self._api(cluster).patch(attempt, path_of(manifest), {"metadata": {"annotations": {key: None}}}, manager)

    def preview_removal(self, cluster: str, manifest: Mapping[str, Any], key: str, manager: str) -> Mapping[str, Any]:
        """Return the object that the API server would store if this field manager removed the annotation. Nothing is stored."""
        attempt = f"try to remove the annotation {key} of {manifest['kind']} {manifest['metadata']['name']}"
        change = {"metadata": {"annotations": {key: None}}}
        preview: Mapping[str, Any] = self._api(cluster).preview(attempt, path_of(manifest), change, manager)
        return preview

    def managed_policies(self, cluster: str, kind: str) -> Sequence[Mapping[str, Any]]:
        """Return the admission policies of this kind, or their bindings, that have the product's label."""

        def parse_page(page: Any) -> Iterable[Mapping[str, Any]]:
            return [{"apiVersion": ADMISSION_API, "kind": kind, **item} for item in page["items"]]

        selector = ",".join(f"{key}={value}" for key, value in MANAGED_BY.items())
        return self._api(cluster).list_facts(f"list {kind}", admission.collection_of(kind), parse_page, {"labelSelector": selector})

    def delete(self, cluster: str, manifest: Mapping[str, Any]) -> None:
        """Delete the object of the manifest's kind and name. An absent object is no error."""
        options = {"apiVersion": "v1", "kind": "DeleteOptions"}
        try:
            self._api(cluster).delete(f"delete {manifest['kind']} {manifest['metadata']['name']}", path_of(manifest), options)
        except NotFound:
            return

    def serves(self, cluster: str, api_version: str, resource: str) -> bool:
        """Return whether the API server serves this resource, from its discovery document."""
        try:
            names = self._api(cluster).get(f"read the resources of {api_version}", f"/apis/{api_version}", _resource_names)
        except NotFound:
            return False
        return resource in names

    def aws_auth(self, cluster: str) -> str | None:
        """Return `mapRoles` of `kube-system/aws-auth`, or None where the ConfigMap does not exist."""
        try:
            answer = self._api(cluster).get("read ConfigMap aws-auth", "/api/v1/namespaces/kube-system/configmaps/aws-auth", dict)
        except NotFound:
            return None
        return str((answer.get("data") or {}).get("mapRoles", ""))

    def bindings_of(self, cluster: str, groups: frozenset[str]) -> Sequence[GroupBinding]:
        """Return every binding in the cluster that grants a role to one of the groups, one entry for each group."""

        def parse_page(page: Any) -> Iterable[GroupBinding]:
            return [found for item in page["items"] for found in _group_bindings(item, groups)]

        api = self._api(cluster)
        paths = (f"{_RBAC}/clusterrolebindings", f"{_RBAC}/rolebindings")
        return [found for path in paths for found in api.list_facts(f"list {path.rpartition('/')[2]}", path, parse_page)]

    def _api(self, cluster: str) -> UserKubernetesApi:
        facts = self._eks.cluster(cluster)
        if not isinstance(facts, ClusterFacts):
            raise NotFound(f"there is no {facts.what}")
        return self._clusters.api(facts)


def _resource_names(discovery: Any) -> frozenset[str]:
    return frozenset(str(served["name"]) for served in discovery["resources"])


def _group_bindings(item: Any, groups: frozenset[str]) -> Iterable[GroupBinding]:
    metadata, reference = item["metadata"], item["roleRef"]
    found = {subject["name"] for subject in item.get("subjects") or () if subject["kind"] == "Group"} & groups
    return [
        GroupBinding(
            namespace=metadata.get("namespace", ""), name=metadata["name"], role=f"{reference['kind']} {reference['name']}", group=group
        )
        for group in sorted(found)
    ]


def path_of(manifest: Mapping[str, Any]) -> str:
    """Return the API path of an object of a kind that has a regular plural, or of an admission policy or a binding of one."""
    if manifest["apiVersion"] == ADMISSION_API:
        return admission.path_of(manifest)
    metadata, version = manifest["metadata"], manifest["apiVersion"]
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    namespace = f"/namespaces/{metadata['namespace']}" if "namespace" in metadata else ""
    return f"{root}{namespace}/{manifest['kind'].lower()}s/{metadata['name']}"
