"""Who else a trust policy lets in: asked with ServiceAccounts that nobody has, as IAM would answer them."""

from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Final

from lambdas.domain.trust.evaluation import lets_in
from lambdas.domain.trust.identity import WebIdentity

_NAMELESS: Final = "0"
"""A name that Kubernetes would take and nobody chooses; where it is let in, every name is."""


class Breadth(StrEnum):
    """How far a policy is open."""

    CLUSTER = "cluster"
    """Every ServiceAccount of the cluster is let in: the subject is not asked for."""
    NAMESPACE = "namespace"
    """Every ServiceAccount of the namespace is."""


def breadth(policy: Mapping[str, object], identity: WebIdentity) -> Breadth | None:
    """How much further the policy is open than to this identity's ServiceAccount; None where it is not, or cannot be told.

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_oidc_secure-by-default.html
    """
    namespace = identity.subject.rpartition(":")[0]
    probes = {Breadth.CLUSTER: f"system:serviceaccount:{_NAMELESS}:{_NAMELESS}", Breadth.NAMESPACE: f"{namespace}:{_NAMELESS}"}
    return next((item for item, subject in probes.items() if lets_in(policy, replace(identity, subject=subject))), None)
