"""What the tokens of a ServiceAccount name: the OIDC provider of the cluster, and the audience. Pure."""

from lambdas.contract.names import STS_AUDIENCE
from lambdas.domain.snapshot.snapshot import ClusterFacts, ServiceAccountFacts, Snapshot


def provider_arn(snapshot: Snapshot) -> str | None:
    """ARN of the cluster's OIDC provider in IAM; None without a cluster or issuer."""
    return snapshot.cluster.provider_arn if isinstance(snapshot.cluster, ClusterFacts) else None


def audience(snapshot: Snapshot) -> str:
    """The audience of the pods' tokens. Provider and trust policy must name it."""
    account = snapshot.service_account
    return (account.audience if isinstance(account, ServiceAccountFacts) else None) or STS_AUDIENCE
