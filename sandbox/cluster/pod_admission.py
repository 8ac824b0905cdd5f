"""What happens to a pod between its creation and its storage: its ServiceAccount is looked up, then webhooks speak."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sandbox.cluster.errors import forbidden
from sandbox.cluster.resources import PODS, SERVICE_ACCOUNTS, Object
from sandbox.cluster.webhook_admission import call_webhooks

if TYPE_CHECKING:
    from sandbox.cluster.store import Admission, ObjectStore

Mutate = Callable[[Object], Object]
"""A mutating webhook in process: the pod before -> the pod after."""


def pod_admission(store: ObjectStore, mutate: Mutate | None) -> Admission:
    """The admission chain of pods.

    Source: https://github.com/kubernetes/kubernetes/blob/master/plugin/pkg/admission/serviceaccount/admission.go
    """

    def admit(pod: Object, namespace: str) -> Object:
        account = pod["spec"]["serviceAccountName"]
        if store.find(SERVICE_ACCOUNTS, account, namespace) is None:
            why = f'error looking up service account {namespace}/{account}: serviceaccount "{account}" not found'
            raise forbidden(PODS, pod["metadata"]["name"], why)
        return call_webhooks(store, mutate(pod) if mutate else pod)

    return admit
