"""The webhook with its ServiceAccount cache and its faults."""

from __future__ import annotations

import base64
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

import orjson
from jsonpatch import JsonPatch

from sandbox.webhook.mutation import DEFAULT_EXPIRATION_S, SHORTEST_JITTERED_S, mutate

ServiceAccountAnnotations = Callable[[str, str], Mapping[str, str]]
"""(namespace, name) -> current annotations; empty if the ServiceAccount does not exist."""

Association = Callable[[str, str], Mapping[str, Any] | None]
"""(namespace, name) -> pod identity association of the ServiceAccount, or None."""


_REMEMBERED = 32  # states of one ServiceAccount; more than change within a lag of seconds


def no_association(_namespace: str, _name: str) -> None:
    """A cluster without Pod Identity."""


class Outage(Exception):
    """The webhook does not respond."""


@dataclass
class WebhookFaults:
    """Faults of the webhook.

    Attributes:
        cache_lag_s: delay until it sees a change of a ServiceAccount.
        outage: it answers 500. The API server then admits the pod unchanged, because EKS sets `failurePolicy: Ignore`.
        drop_connections: its server closes every connection without a response.
        miss_next: number of pods that it leaves unchanged.
    """

    cache_lag_s: float = 0.0
    outage: bool = False
    drop_connections: bool = False
    miss_next: int = 0


@dataclass
class IdentityWebhook:
    """Answers admission reviews of pods; thread-safe."""

    annotations_of: ServiceAccountAnnotations
    association_of: Association = no_association
    region: str = "eu-west-1"
    faults: WebhookFaults = field(default_factory=WebhookFaults)
    monotonic: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._history: dict[tuple[str, str], deque[tuple[float, Mapping[str, str]]]] = {}
        self._random = Random(0)

    def update_cache(self, service_accounts: Iterable[Mapping[str, Any]]) -> None:
        """Record the current state of all ServiceAccounts, as the webhook's informer does.

        States of the first call count as known from the beginning.
        """
        with self._lock:
            at = self.monotonic() if self._history else float("-inf")
            for each in service_accounts:
                metadata = each["metadata"]
                seen = self._history.setdefault((metadata["namespace"], metadata["name"]), deque(maxlen=_REMEMBERED))
                annotations = metadata.get("annotations") or {}
                if not seen or seen[-1][1] != annotations:
                    seen.append((at, annotations))

    def patch(self, pod: Mapping[str, Any], namespace: str) -> list[dict[str, Any]]:
        """The JSON patch for a pod to be created.

        Raises:
            Outage: `faults.outage` is set.
        """
        if self.faults.outage:
            raise Outage("the pod identity webhook is down")
        with self._lock:
            missed = self.faults.miss_next > 0
            self.faults.miss_next -= missed
        account = pod["spec"].get("serviceAccountName") or "default"
        if missed:
            return []
        annotations, association = self._known(namespace, account), self.association_of(namespace, account)
        return mutate(pod, annotations, association, region=self.region, jittered=self._jittered)

    def admit(self, pod: dict[str, Any]) -> dict[str, Any]:
        """The admitted pod, patched in place; unchanged during an outage."""
        try:
            operations = self.patch(pod, pod["metadata"]["namespace"])
        except Outage:
            return pod
        patched: dict[str, Any] = JsonPatch(operations).apply(pod, in_place=True)
        return patched

    def review(self, review: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to an `AdmissionReview` of `admission.k8s.io/v1`.

        Raises:
            Outage: `faults.outage` is set.
        """
        request = review["request"]
        operations = self.patch(request["object"], request["namespace"])
        response: dict[str, Any] = {"uid": request["uid"], "allowed": True}
        if operations:
            response |= {"patchType": "JSONPatch", "patch": base64.b64encode(orjson.dumps(operations)).decode()}
        return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}

    def _jittered(self) -> int:
        return self._random.randint(SHORTEST_JITTERED_S, DEFAULT_EXPIRATION_S)

    def _known(self, namespace: str, name: str) -> Mapping[str, str]:
        """The annotations in the cache: the current ones, or the latest that are older than the lag."""
        lag_s = self.faults.cache_lag_s
        if not lag_s:
            return self.annotations_of(namespace, name)
        with self._lock:
            seen = self._history.get((namespace, name), deque())
            return next((annotations for at, annotations in reversed(seen) if at <= self.monotonic() - lag_s), {})
