"""Counts the requests of the checker in an environment, and finds its first diagnosis."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sandbox.simulation.aws_account import CHECKER
from sandbox.simulation.cluster_backend import EmbeddedBackend

if TYPE_CHECKING:
    from sandbox.simulation.environment import SandboxEnvironment

_NOT_READS: Final = frozenset({"dynamodb:UpdateItem", "lambda:InvokeFunction", "events:PutEvents", "sts:GetCallerIdentity"})
"""Calls of the checker that are not reads. The cluster calls GetCallerIdentity with the checker's token to authenticate it."""


def decision(env: SandboxEnvironment) -> str:
    """The checker's first verdict other than `healthy`; empty if there is none yet."""
    for function, line in list(env.lines):
        if function == CHECKER and '"title":"diagnosis"' in line:
            record = json.loads(line)
            if record.get("broken"):
                return str(record["message"])
    return ""


@dataclass(frozen=True)
class RequestCounts:
    """How many requests of the checker had been answered at one time."""

    kubernetes: int
    aws: int


def request_counts(env: SandboxEnvironment) -> RequestCounts:
    """The counts now, for `read_since`."""
    return RequestCounts(len(_kubernetes_paths(env)), len(env.aws.calls.of(CHECKER)))


def read_since(env: SandboxEnvironment, start: RequestCounts) -> tuple[Counter[str], Counter[str]]:
    """Reads of the checker since `start`: Kubernetes requests by resource, AWS requests by service."""
    kubernetes = Counter(_resource(path.partition("?")[0].rstrip("/")) for path in _kubernetes_paths(env)[start.kubernetes :])
    actions = [call.action for call in env.aws.calls.of(CHECKER)[start.aws :] if call.action not in _NOT_READS]
    return kubernetes, Counter(action.partition(":")[0] for action in actions)


def _kubernetes_paths(env: SandboxEnvironment) -> list[str]:
    if not isinstance(env.backend, EmbeddedBackend):
        raise TypeError("only the embedded cluster records its requests")
    return [request.path for request in env.backend.cluster.requests if CHECKER in request.user]


def _resource(path: str) -> str:
    """`/api/v1/namespaces/kube-system/serviceaccounts/aws-node` -> `serviceaccounts`."""
    parts = path.rsplit("/namespaces/", maxsplit=1)[-1].split("/")
    return parts[1] if "/namespaces/" in path else parts[-1]
