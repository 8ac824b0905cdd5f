"""Add-ons of the EKS double: updates take time, need PassRole, and exclude each other."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sandbox.aws import eks_updates
from sandbox.aws.eks_addon_versions import CATALOGUE, associated_accounts, default_version, is_offered, offered
from sandbox.aws.eks_errors import in_use, invalid_parameter, invalid_request, not_found
from sandbox.aws.eks_pod_identity import PASSED_TO, addon_associations, check_owner
from sandbox.aws.eks_state import Failure, OmittedRole, check_pass_role, new_id, now, page, without_absent

if TYPE_CHECKING:
    from sandbox.aws.cloudtrail import Caller
    from sandbox.aws.eks_state import Cluster, EksState, Update

_BUSY = {"CREATING", "UPDATING", "DELETING"}
# Order and names of the parameters of an update.
_UPDATE_PARAMS = {
    "addonVersion": "AddonVersion",
    "serviceAccountRoleArn": "ServiceAccountRoleArn",
    "resolveConflicts": "ResolveConflicts",
    "configurationValues": "ConfigurationValues",
    "podIdentityAssociations": "PodIdentityAssociations",
}


def list_addons(state: EksState, params: dict[str, Any]) -> dict[str, Any]:
    return page(sorted(state.cluster(params["clusterName"]).addons), params, "addons")


def describe_addon(state: EksState, params: dict[str, Any]) -> dict[str, Any]:
    return {"addon": _addon(state.cluster(params["clusterName"]), params["addonName"])}


def describe_addon_versions(_: EksState, params: dict[str, Any]) -> dict[str, Any]:
    addons = offered(params.get("addonName"), params.get("kubernetesVersion"))
    if params.get("addonName") and not addons:
        raise not_found(f"No add-on found for name: {params['addonName']}", addonName=params["addonName"])
    return page(addons, params, "addons")


def describe_addon_configuration(_: EksState, params: dict[str, Any]) -> dict[str, Any]:
    """The ServiceAccounts that a version takes associations for, without the recommended policies.

    Source: https://docs.aws.amazon.com/eks/latest/userguide/retreive-iam-info.html
    """
    name, version = params["addonName"], params["addonVersion"]
    if not is_offered(name, version):
        raise not_found(f"No add-on found for name: {name} and version: {version}", addonName=name)
    configuration = [{"serviceAccount": account} for account in associated_accounts(name, version)]
    return {"addonName": name, "addonVersion": version, "podIdentityConfiguration": configuration}


def create_addon(state: EksState, params: dict[str, Any], caller: Caller) -> dict[str, Any]:
    """Create an add-on in state CREATING. Source: https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateAddon.html"""
    cluster = state.cluster(params["clusterName"])
    return eks_updates.once_per_token(cluster, "CreateAddon", params, lambda: _create(state, cluster, params, caller))


def _create(state: EksState, cluster: Cluster, params: dict[str, Any], caller: Caller) -> dict[str, Any]:
    name = params["addonName"]
    if name in cluster.addons:
        raise in_use("Addon already exists.", clusterName=cluster.name, addonName=name)
    if name not in CATALOGUE:
        raise invalid_parameter("Addon specified is not supported", addonName=name)
    _check(state, cluster, params, caller)
    record = new_addon(state, cluster, params)
    cluster.addons[name] = record
    state.after(state.behavior.create_s, lambda: _apply(state, cluster, params, None))
    return {"addon": dict(record)}


def new_addon(state: EksState, cluster: Cluster, params: dict[str, Any]) -> dict[str, Any]:
    """The record of a new add-on in the shape of CreateAddon's response."""
    name = params["addonName"]
    record = without_absent(
        {
            "addonName": name,
            "clusterName": cluster.name,
            "status": "CREATING",
            "addonVersion": params.get("addonVersion") or default_version(name, cluster.record["version"]),
            "health": {"issues": []},
            "addonArn": state.arn(f"addon/{cluster.name}/{name}/{new_id()}"),
            "createdAt": now(),
            "modifiedAt": now(),
            "serviceAccountRoleArn": params.get("serviceAccountRoleArn"),
            "tags": params.get("tags", {}),
            "configurationValues": params.get("configurationValues"),
            "namespaceConfig": params.get("namespaceConfig", {"namespace": "kube-system"}),
        }
    )
    if wanted := params.get("podIdentityAssociations"):
        record["podIdentityAssociations"] = addon_associations(state, cluster, record, wanted)
    return record


def update_addon(state: EksState, params: dict[str, Any], caller: Caller) -> dict[str, Any]:
    """Update an add-on; version, configuration and associations that the request omits do not change.

    Source: https://docs.aws.amazon.com/eks/latest/APIReference/API_UpdateAddon.html
    """
    cluster = state.cluster(params["clusterName"])
    return eks_updates.once_per_token(cluster, "UpdateAddon", params, lambda: _update(state, cluster, params, caller))


def _update(state: EksState, cluster: Cluster, params: dict[str, Any], caller: Caller) -> dict[str, Any]:
    record = _addon(cluster, params["addonName"])
    _refuse_if_busy(cluster, record)
    _check(state, cluster, params, caller)
    parameters = [{"type": kind, "value": _text(params[name])} for name, kind in _UPDATE_PARAMS.items() if name in params]
    update = eks_updates.start(cluster, "AddonUpdate", parameters, record["addonName"])
    record |= {"status": "UPDATING", "modifiedAt": now()}
    answer = {"update": dict(update.record)}
    state.after(state.behavior.update_s, lambda: _apply(state, cluster, params, update))
    return answer


def delete_addon(state: EksState, params: dict[str, Any]) -> dict[str, Any]:
    """Delete an add-on; with `preserve` its objects stay in the cluster."""
    cluster = state.cluster(params["clusterName"])
    record = _addon(cluster, params["addonName"])
    if record["status"] in _BUSY:
        raise invalid_request(f"Addon {record['addonName']} cannot be deleted as it is currently in {record['status']} state")
    record |= {"status": "DELETING", "modifiedAt": now()}
    state.after(state.behavior.delete_s, lambda: _remove(state, cluster, record, bool(params.get("preserve"))))
    return {"addon": dict(record)}


def _addon(cluster: Cluster, name: str) -> dict[str, Any]:
    if name not in cluster.addons:
        raise not_found(f"No addon: {name} found in cluster: {cluster.name}", clusterName=cluster.name, addonName=name)
    return cluster.addons[name]


def _refuse_if_busy(cluster: Cluster, record: dict[str, Any]) -> None:
    """Source of the message: https://github.com/eksctl-io/eksctl/issues/8091"""
    name, status = record["addonName"], record["status"]
    if status in _BUSY:
        raise in_use(f"Addon {name} cannot be updated as it is currently in {status} state", clusterName=cluster.name, addonName=name)


def _check(state: EksState, cluster: Cluster, params: dict[str, Any], caller: Caller) -> None:
    if cluster.record["status"] != "ACTIVE":
        raise invalid_request(f"Cluster {cluster.name} is in {cluster.record['status']} state", clusterName=cluster.name)
    version = params.get("addonVersion")
    if version and not is_offered(params["addonName"], version):
        raise invalid_parameter("Addon version specified is not supported", addonName=params["addonName"])
    _check_configuration(params)
    if role := params.get("serviceAccountRoleArn"):
        check_pass_role(state, caller, role, "eks.amazonaws.com")
    record = cluster.addons.get(params["addonName"], {})
    for item in params.get("podIdentityAssociations") or ():
        _check_association(params["addonName"], version or record.get("addonVersion", ""), item)
        check_owner(cluster, record, item["serviceAccount"])
        check_pass_role(state, caller, item["roleArn"], PASSED_TO)


def _check_association(addon: str, version: str, item: dict[str, str]) -> None:
    """Source of both messages: https://github.com/terraform-aws-modules/terraform-aws-eks/issues/3520"""
    accounts = associated_accounts(addon, version)
    if not accounts:
        raise invalid_parameter(f"Pod Identity feature is not supported for addon version: {version}", addonName=addon)
    if item["serviceAccount"] not in accounts:
        message = f"Service account {item['serviceAccount']} in pod identity configuration is not supported for addon {addon}"
        raise invalid_parameter(message, addonName=addon)


def _check_configuration(params: dict[str, Any]) -> None:
    try:
        json.loads(params.get("configurationValues") or "{}")
    except ValueError as bad:
        message = "ConfigurationValue provided in request is not supported: not valid JSON"
        raise invalid_parameter(message, addonName=params["addonName"]) from bad


def _apply(state: EksState, cluster: Cluster, params: dict[str, Any], update: Update | None) -> None:
    """Finish a create or update: change the record, then the cluster, which may reject the change."""
    name = params["addonName"]
    with state.lock:
        record = cluster.addons[name]
        failure = state.next_failures.pop((cluster.name, name), None)
        if failure is None:
            _merge(state, cluster, record, params)
    if failure is None:
        failure = state.hooks.on_addon_applied(cluster.name, dict(record), dict(params))
    with state.lock:
        failed = "CREATE_FAILED" if update is None else "UPDATE_FAILED"
        record |= {"status": failed if failure else "ACTIVE", "modifiedAt": now(), "health": {"issues": _issues(failure)}}
        if update is not None:
            eks_updates.end(update, failure)


def _merge(state: EksState, cluster: Cluster, record: dict[str, Any], params: dict[str, Any]) -> None:
    """Write the parameters of the request. `omitted_role` decides whether a role that the request omits is retained."""
    record |= {name: params[name] for name in ("addonVersion", "configurationValues", "serviceAccountRoleArn") if name in params}
    if params.get("podIdentityAssociations") is not None:
        record["podIdentityAssociations"] = addon_associations(state, cluster, record, params["podIdentityAssociations"])
    if "serviceAccountRoleArn" not in params and state.behavior.omitted_role is OmittedRole.DROP:
        record.pop("serviceAccountRoleArn", None)


def _remove(state: EksState, cluster: Cluster, record: dict[str, Any], preserve: bool) -> None:
    with state.lock:
        cluster.addons.pop(record["addonName"], None)
    state.hooks.on_addon_deleted(cluster.name, dict(record), preserve)


def _issues(failure: Failure | None) -> list[dict[str, Any]]:
    return [{"code": failure.code, "message": failure.message, "resourceIds": list(failure.resource_ids)}] if failure else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
