"""Whether a trust policy admits more than the intended ServiceAccount, tested with ServiceAccounts that do not exist."""

from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Final

from lambdas.domain.trust.evaluation import is_allowed
from lambdas.domain.trust.identity import WebIdentity

_NAMELESS: Final = "0"
"""A valid Kubernetes name that is not in use. A policy that admits it admits every name."""


class Breadth(StrEnum):
    """How broad a policy is."""

    CLUSTER = "cluster"
    """It admits every ServiceAccount of the cluster: it has no condition on the subject."""
    NAMESPACE = "namespace"
    """It admits every ServiceAccount of the namespace."""


def breadth(policy: Mapping[str, object], identity: WebIdentity) -> Breadth | None:
    """How much broader the policy is than this identity; None where it is not, or where this is not known.

    A policy for everyone counts as broad: it does not name this ServiceAccount.

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_oidc_secure-by-default.html
    """
    namespace = identity.subject.rpartition(":")[0]
    probes = {Breadth.CLUSTER: f"system:serviceaccount:{_NAMELESS}:{_NAMELESS}", Breadth.NAMESPACE: f"{namespace}:{_NAMELESS}"}
    admitted = (item for item, subject in probes.items() if is_allowed(policy, replace(identity, subject=subject), is_everyone=True))
    return next(admitted, None)
