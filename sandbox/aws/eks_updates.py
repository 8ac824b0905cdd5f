"""Updates of the EKS double: started once per token, described, listed, ended by a timer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.aws.eks_errors import in_use, invalid_parameter, invalid_request, not_found
from sandbox.aws.eks_state import Cluster, EksState, Failure, Update, new_id, now, page

if TYPE_CHECKING:
    from collections.abc import Callable

# Issue codes of an add-on that an update's error cannot have, by the two enums of the service model.
_ONLY_ADDON_ISSUES = {"InternalFailure", "AddonSubscriptionNeeded", "AddonPermissionFailure"}


def once_per_token(cluster: Cluster, operation: str, params: dict[str, Any], act: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The response of `act`, or the earlier response to the same token and parameters.

    EKS documents that it rejects a used token with other parameters; the error code is derived from the service model.
    Source: https://docs.aws.amazon.com/eks/latest/APIReference/API_UpdateAddon.html (clientRequestToken)

    Raises:
        EksError: the token was used with other parameters.
    """
    token = params.get("clientRequestToken")
    if not token:
        return act()
    parameters = {name: value for name, value in params.items() if name != "clientRequestToken"}
    if (operation, token) not in cluster.tokens:
        cluster.tokens[operation, token] = (parameters, act())
    before, answer = cluster.tokens[operation, token]
    if before != parameters:
        raise invalid_request("The clientRequestToken was used before with other parameters.", clusterName=cluster.name)
    return answer


def start(cluster: Cluster, kind: str, params: list[dict[str, str]], addon: str = "") -> Update:
    """Start an update."""
    update_id = new_id()
    record = {"id": update_id, "status": "InProgress", "type": kind, "params": params, "createdAt": now(), "errors": []}
    update = Update(record, addon)
    cluster.updates[update_id] = update
    return update


def end(update: Update, failure: Failure | None) -> None:
    """End an update."""
    if failure is None:
        update.record["status"] = "Successful"
        return
    code = "Unknown" if failure.code in _ONLY_ADDON_ISSUES else failure.code
    error = {"errorCode": code, "errorMessage": failure.message, "resourceIds": list(failure.resource_ids)}
    update.record |= {"status": "Failed", "errors": [error]}


def running(cluster: Cluster) -> Update | None:
    """The running update of the cluster itself, or None."""
    return next((update for update in cluster.updates.values() if not update.addon and update.record["status"] == "InProgress"), None)


def describe_update(state: EksState, params: dict[str, Any]) -> dict[str, Any]:
    """An update of an add-on is found only with the name of the add-on."""
    cluster = state.cluster(params["name"])
    update = cluster.updates.get(params["updateId"])
    if update is None or update.addon != params.get("addonName", ""):
        raise not_found(f"No update found for ID: {params['updateId']}", clusterName=cluster.name)
    return {"update": update.record}


def list_updates(state: EksState, params: dict[str, Any]) -> dict[str, Any]:
    cluster = state.cluster(params["name"])
    addon = params.get("addonName", "")
    return page([update_id for update_id, update in cluster.updates.items() if update.addon == addon], params, "updateIds")


def update_cluster_version(state: EksState, params: dict[str, Any]) -> dict[str, Any]:
    """Update by one minor version, as EKS allows; the cluster is UPDATING until the update ends."""
    cluster = state.cluster(params["name"])
    return once_per_token(cluster, "UpdateClusterVersion", params, lambda: _start_version_update(state, cluster, params["version"]))


def _start_version_update(state: EksState, cluster: Cluster, version: str) -> dict[str, Any]:
    if other := running(cluster):
        message = f"Cannot VersionUpdate because cluster {cluster.name} currently has update {other.record['id']} in progress"
        raise in_use(message, clusterName=cluster.name)
    if _minor(version) != _minor(cluster.record["version"]) + 1:
        message = f"Unsupported Kubernetes minor version update from {cluster.record['version']} to {version}"
        raise invalid_parameter(message, clusterName=cluster.name)
    update = start(cluster, "VersionUpdate", [{"type": "Version", "value": version}, {"type": "PlatformVersion", "value": "eks.1"}])
    cluster.record["status"] = "UPDATING"
    answer = {"update": dict(update.record)}
    state.after(state.behavior.cluster_update_s, lambda: _apply_version(state, cluster, update, version))
    return answer


def _apply_version(state: EksState, cluster: Cluster, update: Update, version: str) -> None:
    with state.lock:
        cluster.record |= {"status": "ACTIVE", "version": version, "platformVersion": "eks.1"}
        end(update, None)
    state.hooks.on_cluster_updated(cluster.name, version)


def _minor(version: str) -> int:
    try:
        return int(version.split(".")[1])
    except (IndexError, ValueError) as bad:
        raise invalid_parameter(f"unsupported Kubernetes version {version}") from bad
