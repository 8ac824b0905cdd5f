"""Access entries of the EKS double: IAM principal -> Kubernetes user and groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.aws import eks_updates
from sandbox.aws.eks_errors import in_use, invalid_parameter, invalid_request, not_found
from sandbox.aws.eks_state import new_id, now, page

if TYPE_CHECKING:
    from sandbox.aws.eks_state import Cluster, EksState

# Source: https://docs.aws.amazon.com/eks/latest/userguide/creating-access-entries.html
_RESERVED = ("system:", "eks:", "aws:", "amazon:", "iam:")


def list_access_entries(state: EksState, params: dict[str, Any]) -> dict[str, Any]:
    return page(sorted(_with_entries(state, params).access_entries), params, "accessEntries")


def describe_access_entry(state: EksState, params: dict[str, Any]) -> dict[str, Any]:
    return {"accessEntry": _entry(_with_entries(state, params), params["principalArn"])}


def create_access_entry(state: EksState, params: dict[str, Any]) -> dict[str, Any]:
    cluster = _with_entries(state, params)
    return eks_updates.once_per_token(cluster, "CreateAccessEntry", params, lambda: _create(state, cluster, params))


def _create(state: EksState, cluster: Cluster, params: dict[str, Any]) -> dict[str, Any]:
    principal = params["principalArn"]
    if principal in cluster.access_entries:
        message = "The specified access entry resource is already in use on this cluster."
        raise in_use(message, clusterName=cluster.name)
    _check_names(params)
    record = {
        "clusterName": cluster.name,
        "principalArn": principal,
        "kubernetesGroups": list(params.get("kubernetesGroups", [])),
        "accessEntryArn": state.arn(
            f"access-entry/{cluster.name}/{_kind(principal)}/{state.account}/{principal.rpartition('/')[2]}/{new_id()}"
        ),
        "createdAt": now(),
        "modifiedAt": now(),
        "tags": params.get("tags", {}),
        "username": params.get("username") or default_username(principal),
        "type": params.get("type", "STANDARD"),
    }
    cluster.access_entries[principal] = record
    return {"accessEntry": dict(record)}


def update_access_entry(state: EksState, params: dict[str, Any]) -> dict[str, Any]:
    """Replace the groups and the user name that the request contains."""
    cluster = _with_entries(state, params)
    record = _entry(cluster, params["principalArn"])
    _check_names(params)
    record |= {name: params[name] for name in ("kubernetesGroups", "username") if name in params} | {"modifiedAt": now()}
    return {"accessEntry": dict(record)}


def delete_access_entry(state: EksState, params: dict[str, Any]) -> dict[str, Any]:
    cluster = _with_entries(state, params)
    _entry(cluster, params["principalArn"])
    del cluster.access_entries[params["principalArn"]]
    cluster.access_policies.pop(params["principalArn"], None)
    return {}


def list_associated_access_policies(state: EksState, params: dict[str, Any]) -> dict[str, Any]:
    cluster, principal = _with_entries(state, params), params["principalArn"]
    _entry(cluster, principal)
    associated = cluster.access_policies.get(principal, {}).values()
    named = {"clusterName": cluster.name, "principalArn": principal}
    return named | page(list(associated), params, "associatedAccessPolicies")


def associate_access_policy(state: EksState, params: dict[str, Any]) -> dict[str, Any]:
    """Associate the policy, or replace the scope of an associated one. It authorizes nothing in the double's clusters."""
    cluster, principal, policy = _with_entries(state, params), params["principalArn"], params["policyArn"]
    _entry(cluster, principal)
    record = {"policyArn": policy, "accessScope": params["accessScope"], "associatedAt": now(), "modifiedAt": now()}
    cluster.access_policies.setdefault(principal, {})[policy] = record
    return {"clusterName": cluster.name, "principalArn": principal, "associatedAccessPolicy": record}


def disassociate_access_policy(state: EksState, params: dict[str, Any]) -> dict[str, Any]:
    cluster, principal = _with_entries(state, params), params["principalArn"]
    _entry(cluster, principal)
    cluster.access_policies.get(principal, {}).pop(params["policyArn"], None)
    return {}


def default_username(principal_arn: str) -> str:
    """The default user name: a role's session ARN without the role's path, or the ARN of a user.

    Source: https://docs.aws.amazon.com/eks/latest/userguide/creating-access-entries.html
    """
    parts = principal_arn.split(":")
    if _kind(principal_arn) != "role":
        return principal_arn
    return f"arn:{parts[1]}:sts::{parts[4]}:assumed-role/{principal_arn.rpartition('/')[2]}/{{{{SessionName}}}}"


def _kind(principal_arn: str) -> str:
    return principal_arn.rsplit(":", maxsplit=1)[-1].partition("/")[0]


def _with_entries(state: EksState, params: dict[str, Any]) -> Cluster:
    cluster = state.cluster(params["clusterName"])
    if cluster.auth_mode == "CONFIG_MAP":
        message = "The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP] to perform this operation."
        raise invalid_request(message, clusterName=cluster.name)
    return cluster


def _entry(cluster: Cluster, principal: str) -> dict[str, Any]:
    if principal not in cluster.access_entries:
        raise not_found(
            "The specified principalArn could not be found. You can view your available access entries with 'list-access-entries'."
        )
    return cluster.access_entries[principal]


def _check_names(params: dict[str, Any]) -> None:
    username = params.get("username", "")
    if username.startswith(_RESERVED):
        raise invalid_parameter(f"The username {username} begins with a reserved prefix")
    if any(group.startswith(_RESERVED) for group in params.get("kubernetesGroups", [])):
        raise invalid_parameter("The kubernetes group name has a reserved prefix")
    if params.get("type", "STANDARD") != "STANDARD" and params.get("kubernetesGroups"):
        raise invalid_parameter(f"Access entries of type {params['type']} take no Kubernetes groups")
