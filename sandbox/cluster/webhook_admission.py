"""Calls the mutating webhooks of the cluster over HTTPS for each new pod.

Source: https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/
"""

from __future__ import annotations

import base64
import ssl
import uuid
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson
import urllib3
from jsonpatch import JsonPatch

from sandbox.cluster.errors import ApiError
from sandbox.cluster.resources import MUTATING_WEBHOOKS, Object

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sandbox.cluster.object_store import ObjectStore

_ANYTHING = "*"


def call_webhooks(store: ObjectStore, pod: Object) -> Object:
    """The pod after every configured webhook for new pods.

    Raises:
        ApiError: 500 or the webhook's own refusal, if a webhook with the failure policy `Fail` fails.
    """
    for webhook in _configured(store):
        try:
            pod = _reviewed(webhook, pod)
        except (urllib3.exceptions.HTTPError, ssl.SSLError, ValueError) as failed:
            if webhook["failurePolicy"] == "Fail":
                message = f'failed calling webhook "{webhook["name"]}": {type(failed).__name__}'
                raise ApiError(500, "InternalError", f"Internal error occurred: {message}") from failed
    return pod


def _configured(store: ObjectStore) -> Iterator[Mapping[str, Any]]:
    for entry in store.entries(MUTATING_WEBHOOKS)[0]:
        for webhook in entry.obj.get("webhooks") or ():
            if any(_wants_new_pods(rule) for rule in webhook.get("rules") or ()):
                yield webhook


def _wants_new_pods(rule: Mapping[str, Any]) -> bool:
    expected = (("operations", "CREATE"), ("apiGroups", ""), ("apiVersions", "v1"), ("resources", "pods"))
    return all(value in rule[field] or _ANYTHING in rule[field] for field, value in expected)


def _reviewed(webhook: Mapping[str, Any], pod: Object) -> Object:
    config, uid = webhook["clientConfig"], str(uuid.uuid4())
    answer = _pool(config["caBundle"]).request(
        "POST",
        config["url"],
        body=orjson.dumps(_review(uid, pod)),
        headers={"Content-Type": "application/json"},
        timeout=float(webhook["timeoutSeconds"]),
    )
    if answer.status != 200:
        raise ValueError(f"the webhook answered {answer.status}")
    response = orjson.loads(answer.data)["response"]
    if response["uid"] != uid:
        raise ValueError("the webhook answered another request")
    if not response["allowed"]:
        message = (response.get("status") or {}).get("message", "denied")
        raise ApiError(403, "Forbidden", f'admission webhook "{webhook["name"]}" denied the request: {message}')
    patched: Object = JsonPatch(orjson.loads(base64.b64decode(response.get("patch", "W10=")))).apply(pod, in_place=True)
    return patched


def _review(uid: str, pod: Object) -> Object:
    kind, resource = {"group": "", "version": "v1", "kind": "Pod"}, {"group": "", "version": "v1", "resource": "pods"}
    request = {
        "uid": uid,
        "kind": kind,
        "resource": resource,
        "requestKind": kind,
        "requestResource": resource,
        "namespace": pod["metadata"]["namespace"],
        "operation": "CREATE",
        "userInfo": {},
        "object": pod,
        "oldObject": None,
        "dryRun": False,
    }
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}


@lru_cache(maxsize=8)
def _pool(ca_bundle: str) -> urllib3.PoolManager:
    """Keep-alive connections to the webhooks of one certificate authority."""
    return urllib3.PoolManager(ca_cert_data=base64.b64decode(ca_bundle).decode(), retries=False)
