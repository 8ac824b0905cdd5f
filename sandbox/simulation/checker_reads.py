"""What the checker has read of a stage, and what it made of it."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sandbox.simulation.aws_account import CHECKER
from sandbox.simulation.cluster_backend import EmbeddedBackend

if TYPE_CHECKING:
    from sandbox.simulation.environment import SandboxEnvironment

_NO_READS: Final = frozenset({"dynamodb:UpdateItem", "lambda:InvokeFunction", "events:PutEvents", "sts:GetCallerIdentity"})
"""Calls in the checker's name that write or hand over, and the one that its token is: the cluster makes that, to learn who asks."""


def decision(env: SandboxEnvironment) -> str:
    """The checker's first verdict that is not that all is well; empty before there is one."""
    for function, line in list(env.lines):
        if function == CHECKER and '"title":"diagnosis"' in line:
            said = json.loads(line)
            if said.get("broken"):
                return str(said["message"])
    return ""


@dataclass(frozen=True)
class RequestCounts:
    """How many requests had been answered at a moment."""

    kubernetes: int
    aws: int


def request_counts(env: SandboxEnvironment) -> RequestCounts:
    """Now, for `read_since`."""
    return RequestCounts(len(_asked_of_the_cluster(env)), len(env.aws.calls.of(CHECKER)))


def read_since(env: SandboxEnvironment, request_counts: RequestCounts) -> tuple[Counter[str], Counter[str]]:
    """What the checker has read since: Kubernetes requests by resource, AWS requests by service."""
    kubernetes = Counter(_resource(path.partition("?")[0].rstrip("/")) for path in _asked_of_the_cluster(env)[request_counts.kubernetes :])
    aws = [call.action for call in env.aws.calls.of(CHECKER)[request_counts.aws :] if call.action not in _NO_READS]
    return kubernetes, Counter(aw.partition(":")[0] for aw in aws)


def _asked_of_the_cluster(env: SandboxEnvironment) -> list[str]:
    if not isinstance(env.backend, EmbeddedBackend):
        raise TypeError("a control plane of its own keeps no record")
    return [request.path for request in env.backend.cluster.requests if CHECKER in request.user]


def _resource(path: str) -> str:
    """`/api/v1/namespaces/kube-system/serviceaccounts/aws-node` -> `serviceaccounts`."""
    parts = path.rsplit("/namespaces/", maxsplit=1)[-1].split("/")
    return parts[1] if "/namespaces/" in path else parts[-1]
