"""Bindings and settings that were written or deleted in Parameter Store.

    {"version": "0", "id": "6a7e4feb-b491-4cf7-a9f1-bf3703497718", "detail-type": "Parameter Store Change", "source": "aws.ssm",
     "account": "111122223333", "time": "2026-05-22T16:43:48Z", "region": "eu-west-1",
     "resources": ["arn:aws:ssm:eu-west-1:111122223333:parameter/eks-irsa-remediator/bindings/prod-blue/kube-system/aws-node"],
     "detail": {"operation": "Create", "name": "/eks-irsa-remediator/bindings/prod-blue/kube-system/aws-node", "type": "String"}}

Source: https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-cwe.html
"""

from typing import Final

from lambdas.contract.events import PARAMETER_OPERATIONS
from lambdas.contract.names import ANY_CLUSTER
from lambdas.contract.parameters import BINDINGS_FOLDER, SETTINGS_FOLDER, split_binding_path
from lambdas.domain.errors import MalformedEvent
from lambdas.domain.requests.envelope import Envelope
from lambdas.domain.requests.request import CheckRequest, Ignored, Trigger
from lambdas.domain.untrusted_json import cluster_name, label, service_account, text

KIND: Final = "Parameter Store Change"


def parse(event: Envelope) -> CheckRequest | Ignored:
    """The cluster and ServiceAccount of a binding, or the cluster of a setting. A path with `_default` requests every bound cluster.

    Raises:
        MalformedEvent: the path is in the product's folders and has no valid names.
    """
    path, operation = text(event.detail, "name"), text(event.detail, "operation")
    if operation not in PARAMETER_OPERATIONS:
        return Ignored(f"{label(operation) or 'an operation without a name'} changes no parameter")
    if path.startswith(BINDINGS_FOLDER + "/"):
        return _binding(event, path)
    if path.startswith(SETTINGS_FOLDER + "/"):
        return _setting(event, path)
    return Ignored(f"{label(path) or 'a parameter without a name'} is neither a binding nor a setting")


def _binding(event: Envelope, path: str) -> CheckRequest:
    parts = split_binding_path(path)
    if parts is None:
        raise MalformedEvent(f"{label(path)} is no binding: its path should end in cluster/namespace/service account")
    cluster, namespace, name = parts
    return _request(event, cluster, service_account(namespace, name))


def _setting(event: Envelope, path: str) -> CheckRequest:
    cluster, _, setting = path.removeprefix(SETTINGS_FOLDER + "/").partition("/")
    if not setting or "/" in setting:
        raise MalformedEvent(f"{label(path)} is no setting: its path should end in cluster/setting")
    return _request(event, cluster, None)


def _request(event: Envelope, cluster: str, target: tuple[str, str] | None) -> CheckRequest:
    return CheckRequest(
        trigger=Trigger.PARAMETER_CHANGED,
        occurred_at=event.at,
        event_id=event.id,
        cluster=None if cluster == ANY_CLUSTER else cluster_name(cluster, "the parameter's path"),
        service_account=target,
    )
