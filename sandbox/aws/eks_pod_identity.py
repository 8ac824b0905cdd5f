"""Pod identity associations of the EKS double."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from sandbox.aws import eks_updates
from sandbox.aws.eks_errors import in_use, invalid_parameter, invalid_request, not_found
from sandbox.aws.eks_state import check_pass_role, now, page, without_absent

if TYPE_CHECKING:
    from sandbox.aws.cloudtrail import Caller
    from sandbox.aws.eks_state import Cluster, EksState

PASSED_TO = "pods.eks.amazonaws.com"
"""The service that gets the role of an association. Source: https://docs.aws.amazon.com/eks/latest/userguide/pod-id-association.html"""
_CHANGEABLE = ("roleArn", "targetRoleArn", "disableSessionTags", "policy")
_SUMMARY = ("clusterName", "namespace", "serviceAccount", "associationArn", "associationId", "ownerArn")


def list_pod_identity_associations(state: EksState, params: dict[str, Any]) -> dict[str, Any]:
    cluster = state.cluster(params["clusterName"])
    filters = {name: params[name] for name in ("namespace", "serviceAccount") if params.get(name)}
    found = [record for record in cluster.associations.values() if filters.items() <= record.items()]
    return page([{name: record[name] for name in _SUMMARY if name in record} for record in found], params, "associations")


def describe_pod_identity_association(state: EksState, params: dict[str, Any]) -> dict[str, Any]:
    return {"association": _association(state.cluster(params["clusterName"]), params["associationId"])}


def create_pod_identity_association(state: EksState, params: dict[str, Any], caller: Caller) -> dict[str, Any]:
    """Create an association; a ServiceAccount can have one only.

    Source: https://docs.aws.amazon.com/eks/latest/APIReference/API_CreatePodIdentityAssociation.html
    """
    cluster = state.cluster(params["clusterName"])

    def create() -> dict[str, Any]:
        _check_policy(params)
        check_pass_role(state, caller, params["roleArn"], PASSED_TO)
        return {"association": dict(_create(state, cluster, params))}

    return eks_updates.once_per_token(cluster, "CreatePodIdentityAssociation", params, create)


def update_pod_identity_association(state: EksState, params: dict[str, Any], caller: Caller) -> dict[str, Any]:
    """Change the members that the request contains: at least one.

    Whether EKS refuses the association of an add-on was not found in its documentation; the double accepts it.
    Source: https://docs.aws.amazon.com/eks/latest/APIReference/API_UpdatePodIdentityAssociation.html
    """
    cluster = state.cluster(params["clusterName"])

    def update() -> dict[str, Any]:
        record = _association(cluster, params["associationId"])
        changes = {name: params[name] for name in _CHANGEABLE if name in params}
        if not changes:
            raise invalid_request("At least one of roleArn, targetRoleArn, disableSessionTags or policy is required")
        _check_policy(record | changes)
        if "roleArn" in changes:
            check_pass_role(state, caller, changes["roleArn"], PASSED_TO)
        record |= {**changes, "modifiedAt": now()}
        for name in ("targetRoleArn", "policy"):
            if not record.get(name):
                record.pop(name, None)
        return {"association": dict(record)}

    return eks_updates.once_per_token(cluster, "UpdatePodIdentityAssociation", params, update)


def delete_pod_identity_association(state: EksState, params: dict[str, Any]) -> dict[str, Any]:
    cluster = state.cluster(params["clusterName"])
    record = _association(cluster, params["associationId"])
    _remove(cluster, record)
    return {"association": record}


def addon_associations(state: EksState, cluster: Cluster, addon: dict[str, Any], wanted: list[dict[str, str]]) -> list[str]:
    """Let an add-on own exactly these associations; returns their ARNs.

    Associations that it owned and that are not wanted are deleted, as with an empty list.
    Source: https://docs.aws.amazon.com/eks/latest/APIReference/API_UpdateAddon.html (podIdentityAssociations)
    """
    owner = addon["addonArn"]
    owned = {record["serviceAccount"]: record for record in cluster.associations.values() if record.get("ownerArn") == owner}
    for account in owned.keys() - {item["serviceAccount"] for item in wanted}:
        _remove(cluster, owned[account])
    arns = []
    for item in wanted:
        record = owned.get(item["serviceAccount"])
        if record is None:
            record = _create(state, cluster, {"namespace": addon["namespaceConfig"]["namespace"], "ownerArn": owner, **item})
        elif record["roleArn"] != item["roleArn"]:
            record |= {"roleArn": item["roleArn"], "modifiedAt": now()}
        arns.append(record["associationArn"])
    return arns


def check_owner(cluster: Cluster, addon: dict[str, Any], service_account: str) -> None:
    """Check that no one but the add-on owns an association of this ServiceAccount.

    Raises:
        EksError: the association of another owner exists.
    """
    namespace = addon.get("namespaceConfig", {}).get("namespace", "kube-system")
    for record in cluster.associations.values():
        is_same = (record["namespace"], record["serviceAccount"]) == (namespace, service_account)
        if is_same and record.get("ownerArn") != addon.get("addonArn", ""):
            raise in_use(f"Association already exists: {record['associationId']}", clusterName=cluster.name)


def _create(state: EksState, cluster: Cluster, params: dict[str, Any]) -> dict[str, Any]:
    """Source of the message: https://github.com/eksctl-io/eksctl/issues/7753"""
    namespace, account = params["namespace"], params["serviceAccount"]
    for record in cluster.associations.values():
        if (record["namespace"], record["serviceAccount"]) == (namespace, account):
            raise in_use(f"Association already exists: {record['associationId']}", clusterName=cluster.name)
    association_id = f"a-{secrets.token_hex(9)[:17]}"
    arn = state.arn(f"podidentityassociation/{cluster.name}/{association_id}")
    made = without_absent(
        {
            "clusterName": cluster.name,
            "namespace": namespace,
            "serviceAccount": account,
            "roleArn": params["roleArn"],
            "associationArn": arn,
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
    cluster.associations[association_id] = made
    return made


def _remove(cluster: Cluster, record: dict[str, Any]) -> None:
    del cluster.associations[record["associationId"]]
    for addon in cluster.addons.values():
        if record["associationArn"] in addon.get("podIdentityAssociations", ()):
            addon["podIdentityAssociations"] = [arn for arn in addon["podIdentityAssociations"] if arn != record["associationArn"]]


def _check_policy(record: dict[str, Any]) -> None:
    """A session policy needs session tags disabled. The code is derived from the service model."""
    if record.get("policy") and not record.get("disableSessionTags"):
        raise invalid_parameter("When using a policy, disableSessionTags must be set to true")


def _association(cluster: Cluster, association_id: str) -> dict[str, Any]:
    if association_id not in cluster.associations:
        message = f"No association found for ID: {association_id} in cluster: {cluster.name}"
        raise not_found(message, clusterName=cluster.name)
    return cluster.associations[association_id]
