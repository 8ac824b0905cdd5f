"""What the checker has read of a stage, and what it made of it."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sandbox.play.accounts import CHECKER
from sandbox.play.ground import EmbeddedGround

if TYPE_CHECKING:
    from sandbox.play.stage import Stage

_NO_READS: Final = frozenset({"dynamodb:UpdateItem", "lambda:InvokeFunction", "events:PutEvents", "sts:GetCallerIdentity"})
"""Calls in the checker's name that write or hand over, and the one that its token is: the cluster makes that, to learn who asks."""


def decision(stage: Stage) -> str:
    """The checker's first verdict that is not that all is well; empty before there is one."""
    for function, line in list(stage.lines):
        if function == CHECKER and '"title":"diagnosis"' in line:
            said = json.loads(line)
            if said.get("broken"):
                return str(said["message"])
    return ""


@dataclass(frozen=True)
class Mark:
    """How many requests had been answered at a moment."""

    kubernetes: int
    aws: int


def mark(stage: Stage) -> Mark:
    """Now, for `read_since`."""
    return Mark(len(_asked_of_the_cluster(stage)), len(stage.aws.calls.of(CHECKER)))


def read_since(stage: Stage, mark: Mark) -> tuple[Counter[str], Counter[str]]:
    """What the checker has read since: Kubernetes requests by resource, AWS requests by service."""
    kubernetes = Counter(_resource(path.partition("?")[0].rstrip("/")) for path in _asked_of_the_cluster(stage)[mark.kubernetes :])
    aws = [call.action for call in stage.aws.calls.of(CHECKER)[mark.aws :] if call.action not in _NO_READS]
    return kubernetes, Counter(aw.partition(":")[0] for aw in aws)


def _asked_of_the_cluster(stage: Stage) -> list[str]:
    if not isinstance(stage.ground, EmbeddedGround):
        raise TypeError("a control plane of its own keeps no record")
    return [request.path for request in stage.ground.cluster.requests if CHECKER in request.user]


def _resource(path: str) -> str:
    """`/api/v1/namespaces/kube-system/serviceaccounts/aws-node` -> `serviceaccounts`."""
    parts = path.rsplit("/namespaces/", maxsplit=1)[-1].split("/")
    return parts[1] if "/namespaces/" in path else parts[-1]
