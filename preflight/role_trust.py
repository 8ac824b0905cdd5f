"""Whether the trust policy of a role allows aws-node. Values that are not decided yet are `${...}` in the policy."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from lambdas.domain.trust import Allowed, Refused, WebIdentity, evaluate, evaluate_pod_identity
from preflight.context import SUBJECT

OPEN: Final = "${"
UNKNOWN_ACCOUNT: Final = "ACCOUNT"
OWN_ISSUER: Final = "oidc.eks.REGION.amazonaws.com/id/THIS-CLUSTER"
"""The issuer of the add-on's cluster where it is not known. Undecided issuers of a policy are taken for it."""
_LITERAL_PROVIDER: Final = re.compile(r"arn:[\w-]+:iam::\d{12}:oidc-provider/[^$]+\Z")


@dataclass(frozen=True, kw_only=True)
class TrustAnswer:
    """`allowed` is None where the answer depends on values that are not decided; `identity` is the evaluated one."""

    allowed: bool | None
    reason: str
    policy: Mapping[str, Any]
    identity: WebIdentity


def service_account_trust(policy: Mapping[str, Any], provider: str | None, *, new_cluster: bool = False) -> TrustAnswer:
    """Return whether the policy allows the ServiceAccount aws-node.

    Subject and audience are compared for every issuer. The issuer is compared where `provider`, the ARN of the cluster's
    provider, is known. `new_cluster` is True for a cluster that does not exist yet: no issuer that is written out can be its own.
    """
    literal = next((name for statement in _statements(policy) for name in _federated(statement) if _LITERAL_PROVIDER.match(name)), None)
    default = f"arn:aws:iam::{UNKNOWN_ACCOUNT}:oidc-provider/{OWN_ISSUER}"
    arn = provider or (default if new_cluster and literal and "oidc.eks." in literal else literal or default)
    identity = WebIdentity(provider_arn=arn, subject=SUBJECT)
    filled = _filled_policy(policy, identity)
    answer = evaluate(filled, identity)
    allowed = True if isinstance(answer, Allowed) else False if isinstance(answer, Refused) else None
    return TrustAnswer(allowed=allowed, reason=getattr(answer, "reason", ""), policy=filled, identity=identity)


def pod_identity_trust(policy: Mapping[str, Any]) -> tuple[bool | None, str]:
    """Return whether the policy allows EKS Pod Identity, and the reason where it does not."""
    answer = evaluate_pod_identity(policy)
    allowed = True if isinstance(answer, Allowed) else False if isinstance(answer, Refused) else None
    return allowed, getattr(answer, "reason", "")


def _statements(policy: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    statements = policy.get("Statement")
    listed = statements if isinstance(statements, list) else [statements]
    return [statement for statement in listed if isinstance(statement, Mapping)]


def _federated(statement: Mapping[str, Any]) -> list[str]:
    principal = statement.get("Principal")
    names = principal.get("Federated") if isinstance(principal, Mapping) else None
    return [name for name in (names if isinstance(names, list) else [names]) if isinstance(name, str)]


def _filled_policy(policy: Mapping[str, Any], identity: WebIdentity) -> dict[str, Any]:
    if "Statement" not in policy:
        return dict(policy)
    statements = policy["Statement"]
    listed = statements if isinstance(statements, list) else [statements]
    filled = [_filled(statement, identity) if isinstance(statement, Mapping) else statement for statement in listed]
    # Without a version IAM assumes the older one, which has no variables: undecided values would read as plain text.
    version = {"Version": "2012-10-17"} if OPEN in json.dumps(filled, default=str) else {}
    return {**policy, **version, "Statement": filled}


def _filled(statement: Mapping[str, Any], identity: WebIdentity) -> dict[str, Any]:
    filled = dict(statement)
    if names := _federated(statement):
        resolved = [identity.provider_arn if OPEN in name else name for name in names]
        filled["Principal"] = {**statement["Principal"], "Federated": resolved if len(resolved) > 1 else resolved[0]}
    if isinstance(conditions := statement.get("Condition"), Mapping):
        filled["Condition"] = {
            operator: {_key(key, identity): value for key, value in block.items()} if isinstance(block, Mapping) else block
            for operator, block in conditions.items()
        }
    return filled


def _key(key: str, identity: WebIdentity) -> str:
    issuer, colon, claim = key.rpartition(":")
    return f"{identity.issuer}{colon}{claim}" if OPEN in issuer else key
