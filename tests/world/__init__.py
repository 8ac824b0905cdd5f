"""An EKS cluster in memory with the effects of the real systems, and worlds built from a description."""

from tests.world.described import described, right_trust
from tests.world.state import (
    ACCOUNT,
    CNI_NOT_READY,
    NAME,
    NAMESPACE,
    NOON,
    PARTITION,
    REGION,
    CallFault,
    InCluster,
    Pod,
    Update,
    Webhook,
    World,
    a_node,
    role_arn,
)

__all__ = [
    "ACCOUNT",
    "CNI_NOT_READY",
    "NAME",
    "NAMESPACE",
    "NOON",
    "PARTITION",
    "REGION",
    "CallFault",
    "InCluster",
    "Pod",
    "Update",
    "Webhook",
    "World",
    "a_node",
    "described",
    "right_trust",
    "role_arn",
]
