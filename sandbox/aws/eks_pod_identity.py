"""Pod identity associations of the EKS double."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from sandbox.aws import eks_updates
from sandbox.aws.eks_errors import in_use, not_found
from sandbox.aws.eks_state import now, page, without_absent

if TYPE_CHECKING:
    from sandbox.aws.eks_state import Cluster, EksState

_SUMMARY = ("clusterName", "namespace", "serviceAccount", "associationArn", "associationId", "ownerArn")


def list_pod_identity_associations(state: EksState, params: dict[str, Any]) -> dict[str, Any]:
    cluster = state.cluster(params["clusterName"])
    filters = {name: params[name] for name in ("namespace", "serviceAccount") if params.get(name)}
    found = [record for record in cluster.associations.values() if filters.items() <= record.items()]
    return page([{name: record[name] for name in _SUMMARY if name in record} for record in found], params, "associations")


def describe_pod_identity_association(state: EksState, params: dict[str, Any]) -> dict[str, Any]:
    return {"association": _association(state.cluster(params["clusterName"]), params["associationId"])}


def create_pod_identity_association(state: EksState, params: dict[str, Any]) -> dict[str, Any]:
    """Create an association; a ServiceAccount can have one only.

    Source: https://docs.aws.amazon.com/eks/latest/APIReference/API_CreatePodIdentityAssociation.html
    """
    cluster = state.cluster(params["clusterName"])
    return eks_updates.once_per_token(cluster, "CreatePodIdentityAssociation", params, lambda: _create(state, cluster, params))


def delete_pod_identity_association(state: EksState, params: dict[str, Any]) -> dict[str, Any]:
    cluster = state.cluster(params["clusterName"])
    record = _association(cluster, params["associationId"])
    del cluster.associations[params["associationId"]]
    return {"association": record}


def addon_associations(state: EksState, cluster: Cluster, addon: str, wanted: list[dict[str, str]] | None) -> list[str] | None:
    """Create the associations that an add-on needs; returns their ARNs, or None if it needs none."""
    if not wanted:
        return None
    owner = state.arn(f"addon/{cluster.name}/{addon}")
    made = [_create(state, cluster, {"namespace": "kube-system", "ownerArn": owner, **item}) for item in wanted]
    return [record["association"]["associationArn"] for record in made]


def _create(state: EksState, cluster: Cluster, params: dict[str, Any]) -> dict[str, Any]:
    namespace, account = params["namespace"], params["serviceAccount"]
    if any(record["namespace"] == namespace and record["serviceAccount"] == account for record in cluster.associations.values()):
        message = f"Association already exists: {namespace}/{account}"
        raise in_use(message, clusterName=cluster.name)
    association_id = f"a-{secrets.token_hex(9)[:17]}"
    record = without_absent(
        {
            "clusterName": cluster.name,
            "namespace": namespace,
            "serviceAccount": account,
            "roleArn": params["roleArn"],
            "associationArn": state.arn(f"podidentityassociation/{cluster.name}/{association_id}"),
            "associationId": association_id,
            "tags": params.get("tags", {}),
            "createdAt": now(),
            "modifiedAt": now(),
            "ownerArn": params.get("ownerArn"),
            "disableSessionTags": params.get("disableSessionTags", False),
            "targetRoleArn": params.get("targetRoleArn"),
            "policy": params.get("policy"),
        }
    )
    cluster.associations[association_id] = record
    return {"association": record}


def _association(cluster: Cluster, association_id: str) -> dict[str, Any]:
    if association_id not in cluster.associations:
        message = f"No association found for ID: {association_id} in cluster: {cluster.name}"
        raise not_found(message, clusterName=cluster.name)
    return cluster.associations[association_id]
