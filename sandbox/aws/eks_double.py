"""A double of the EKS API: botocore's service model routes, parses and checks the requests and the responses."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sandbox.aws import cloudtrail, eks_access, eks_addons, eks_clusters, eks_pod_identity, eks_updates
from sandbox.aws.eks_errors import EksError, access_denied, invalid_parameter, response_of
from sandbox.aws.eks_state import Cluster, EksState, Failure, Hooks
from sandbox.aws.http_messages import Request, Response, json_response, scope_of
from sandbox.aws.model_check import checked, differences
from sandbox.aws.service_model import operation_of, rest_json_input, service_model

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.model import OperationModel

    from sandbox.aws.cloudtrail import Caller

_READS: dict[str, Callable[[EksState, dict[str, Any]], dict[str, Any]]] = {
    "DescribeCluster": eks_clusters.describe_cluster,
    "ListClusters": eks_clusters.list_clusters,
    "DescribeClusterVersions": eks_clusters.describe_cluster_versions,
    "ListNodegroups": eks_clusters.list_nodegroups,
    "DescribeNodegroup": eks_clusters.describe_nodegroup,
    "DescribeAddon": eks_addons.describe_addon,
    "ListAddons": eks_addons.list_addons,
    "DescribeAddonVersions": eks_addons.describe_addon_versions,
    "DescribeAddonConfiguration": eks_addons.describe_addon_configuration,
    "DescribeUpdate": eks_updates.describe_update,
    "ListUpdates": eks_updates.list_updates,
    "ListPodIdentityAssociations": eks_pod_identity.list_pod_identity_associations,
    "DescribePodIdentityAssociation": eks_pod_identity.describe_pod_identity_association,
    "ListAccessEntries": eks_access.list_access_entries,
    "DescribeAccessEntry": eks_access.describe_access_entry,
    "ListAssociatedAccessPolicies": eks_access.list_associated_access_policies,
}
_WRITES: dict[str, Callable[[EksState, dict[str, Any]], dict[str, Any]]] = {
    "DeleteAddon": eks_addons.delete_addon,
    "UpdateClusterVersion": eks_updates.update_cluster_version,
    "DeletePodIdentityAssociation": eks_pod_identity.delete_pod_identity_association,
    "CreateAccessEntry": eks_access.create_access_entry,
    "UpdateAccessEntry": eks_access.update_access_entry,
    "DeleteAccessEntry": eks_access.delete_access_entry,
    "AssociateAccessPolicy": eks_access.associate_access_policy,
    "DisassociateAccessPolicy": eks_access.disassociate_access_policy,
}
_WRITES_AS_CALLER: dict[str, Callable[[EksState, dict[str, Any], Caller], dict[str, Any]]] = {
    "CreateAddon": eks_addons.create_addon,
    "CreatePodIdentityAssociation": eks_pod_identity.create_pod_identity_association,
    "UpdatePodIdentityAssociation": eks_pod_identity.update_pod_identity_association,
    "UpdateAddon": eks_addons.update_addon,
}
_ASSOCIATION_WRITES = frozenset(f"{verb}PodIdentityAssociation" for verb in ("Create", "Update", "Delete"))


class EksDouble:
    """EKS of one account and region; thread-safe. `close` cancels pending changes."""

    def __init__(self, *, account: str, region: str, caller_of: Callable[[str], Caller], hooks: Hooks | None = None) -> None:
        self.state = EksState(account, region)
        self.state.hooks = hooks or Hooks()
        self._caller_of = caller_of
        self._model = service_model("eks")

    def close(self) -> None:
        self.state.close()

    def reset(self) -> None:
        """Remove all clusters, settings and pending changes. The owners of hooks set them again."""
        self.state.close()
        self.state = EksState(self.state.account, self.state.region)

    def configure(self, **changes: Any) -> None:
        """Change fields of `EksBehavior`, e.g. `configure(update_s=0.2, omitted_role=OmittedRole.KEEP)`."""
        self.state.behavior = replace(self.state.behavior, **changes)

    def finish_pending(self) -> None:
        """Finish every pending update, creation and deletion now."""
        self.state.finish_pending()

    def hook(self, **changes: Any) -> None:
        """Set fields of `Hooks`, e.g. `hook(on_addon_applied=...)`."""
        self.state.hooks = replace(self.state.hooks, **changes)

    def add_cluster(self, spec: eks_clusters.ClusterSpec) -> Cluster:
        """Add a cluster."""
        cluster = Cluster(eks_clusters.cluster_record(spec, self.state))
        self.state.clusters[spec.name] = cluster
        return cluster

    def add_addon(self, cluster: str, name: str, **params: Any) -> dict[str, Any]:
        """Add an ACTIVE add-on; parameters and defaults of CreateAddon."""
        owner = self.state.cluster(cluster)
        record = eks_addons.new_addon(self.state, owner, {"addonName": name, **params}) | {"status": "ACTIVE"}
        owner.addons[name] = record
        return record

    def add_nodegroup(self, cluster: str, name: str, *, node_role: str, size: int, repair: bool = False) -> dict[str, Any]:
        """Add a managed node group."""
        record = eks_clusters.nodegroup_record(self.state, cluster, name, node_role=node_role, size=size, repair=repair)
        self.state.cluster(cluster).nodegroups[name] = record
        return record

    def fail_next(self, cluster: str, addon: str, failure: Failure) -> None:
        """Let the next create or update of this add-on fail after it was accepted."""
        self.state.next_failures[cluster, addon] = failure

    def __call__(self, request: Request) -> Response:
        """Answer one signed request.

        Raises:
            ModelMismatch: the response does not fit the service model.
        """
        try:
            operation, params = self._parsed(request)
        except EksError as refusal:
            return response_of(refusal, self._model)
        if operation.name in _READS:
            return self._read(operation, params)
        return self._write(operation, params, request)

    def _parsed(self, request: Request) -> tuple[OperationModel, dict[str, Any]]:
        found = operation_of(self._model, request)
        if found is None or found[0].name not in {**_READS, **_WRITES, **_WRITES_AS_CALLER}:
            name = found[0].name if found else f"{request.method} {request.path}"
            raise EksError("UnknownOperationException", f"the local EKS does not have {name}")
        if scope_of(request) is None:
            raise access_denied("Missing Authentication Token")
        try:
            return found[0], rest_json_input(*found, request)
        except ValueError as bad:
            raise invalid_parameter(f"The request is not valid JSON: {bad}") from bad

    def _read(self, operation: OperationModel, params: dict[str, Any]) -> Response:
        try:
            self._check_input(operation, params)
            with self.state.lock:
                answer = checked(operation.output_shape, _READS[operation.name](self.state, params))
        except EksError as refusal:
            return response_of(refusal, self._model)
        return json_response(200, answer)

    def _write(self, operation: OperationModel, params: dict[str, Any], request: Request) -> Response:
        scope = scope_of(request)
        caller = self._caller_of(scope.access_key_id if scope else "")
        record = cloudtrail.RecordedCall(
            service="eks",
            event_name=operation.name,
            caller=caller,
            region=self.state.region,
            request=_wire_names(operation, params),
            user_agent=request.header("user-agent") or "aws-sdk",
        )
        try:
            self._check_input(operation, params)
            with self.state.lock:
                answer = checked(operation.output_shape, self._written(operation.name, params, caller))
        except EksError as refusal:
            refused = replace(record, error_code=refusal.code, error_message=refusal.message)
            self.state.hooks.on_event(cloudtrail.event(refused))
            return response_of(refusal, self._model)
        if operation.name in _ASSOCIATION_WRITES:
            self.state.hooks.on_associations_changed(str(params["clusterName"]))
        self.state.hooks.on_event(cloudtrail.event(replace(record, response=answer)))
        return json_response(200, answer)

    def _written(self, name: str, params: dict[str, Any], caller: Caller) -> dict[str, Any]:
        if name in _WRITES_AS_CALLER:
            return _WRITES_AS_CALLER[name](self.state, params, caller)
        return _WRITES[name](self.state, params)

    def _check_input(self, operation: OperationModel, params: dict[str, Any]) -> None:
        if operation.input_shape is not None and (wrong := list(differences(operation.input_shape, params))):
            raise invalid_parameter("; ".join(wrong))


def _wire_names(operation: OperationModel, params: dict[str, Any]) -> dict[str, Any]:
    """Parameters as CloudTrail shows them: REST names, and an ARN in the path stays encoded."""
    members = operation.input_shape.members if operation.input_shape else {}
    shown: dict[str, Any] = {}
    for name, value in params.items():
        serialization = members[name].serialization if name in members else {}
        in_path = serialization.get("location") == "uri"
        shown[serialization.get("name", name)] = quote(str(value), safe="") if in_path else value
    return shown
