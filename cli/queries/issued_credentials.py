"""Which pods got credentials of an association, from CloudTrail's records of the calls that EKS makes to STS for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lambdas.application.readers import read_optional
from lambdas.contract.parameters import Mechanism
from lambdas.domain.plurals import pluralize
from lambdas.domain.snapshot.bindings import desired_settings
from lambdas.domain.snapshot.snapshot import ClusterFacts, Unknown
from lambdas.domain.trust import POD_IDENTITY
from lambdas.domain.untrusted_json import inside, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cli.clients.dependencies import Dependencies
    from cli.queries.migration import Migration
    from lambdas.contract.parameters import ServiceAccountRef


@dataclass(frozen=True, kw_only=True)
class IssuedCredentials:
    """For how many pods CloudTrail shows that AWS issued credentials. `unknown` is why that was not read."""

    pods: int
    seen: int = 0
    unknown: str = ""

    @property
    def sentence(self) -> str:
        """What was seen. A record that is missing shows nothing: it can be minutes late."""
        if self.unknown:
            return f"Whether AWS issued credentials to the pods is not known: {self.unknown}"
        shown = f"CloudTrail shows that AWS issued credentials of the association to {self.seen} of {pluralize(self.pods, 'pod')}"
        return f"{shown}." if self.seen == self.pods else f"{shown} so far. A record can be minutes late: run the command again later."


def read_issued(migration: Migration, dependencies: Dependencies) -> IssuedCredentials | None:
    """What CloudTrail shows about the pods of a finished migration to Pod Identity; None for any other migration.

    It looks no further back than the oldest pod: EKS fetches credentials when a pod first asks for them.
    """
    pods, binding, facts = migration.pods, migration.binding, migration.snapshot.cluster
    if (
        migration.to is not Mechanism.POD_IDENTITY
        or migration.remaining
        or not pods
        or binding is None
        or not isinstance(facts, ClusterFacts)
    ):
        return None
    if not desired_settings(binding, migration.snapshot.association).has_session_tags:
        return IssuedCredentials(pods=len(pods), unknown="without session tags, a record does not name the pod")
    since = min(pod.created_at for pod in pods)
    records = read_optional(lambda: dependencies.identities.role_sessions(binding.role_arn, since))
    if isinstance(records, Unknown):
        return IssuedCredentials(pods=len(pods), unknown=records.reason)
    found = issued_to(records, binding.role_arn, facts.arn, migration.target)
    return IssuedCredentials(pods=len(pods), seen=sum(pod.uid in found for pod in pods))


def issued_to(records: Iterable[Mapping[str, Any]], role_arn: str, cluster_arn: str, target: ServiceAccountRef) -> frozenset[str]:
    """The UIDs of the pods of a ServiceAccount for which STS gave EKS credentials of the role. Pure.

    Sources: https://docs.aws.amazon.com/eks/latest/userguide/pod-id-abac.html (the session tags), and records of such a call:
    https://github.com/aws-samples/amazon-eks-security-immersion-day/blob/HEAD/content/2-identity-and-access-management/3-eks-pod-identity/3.eks-pod-identity-deep-dive/index.en.md
    """
    wanted = {
        "eks-cluster-arn": cluster_arn,
        "kubernetes-namespace": target.namespace,
        "kubernetes-service-account": target.name,
    }
    uids = set()
    for record in records:
        tags = inside(record, "requestParameters", "tags")
        given = {text(tag, "key"): text(tag, "value") for tag in tags} if isinstance(tags, list) else {}
        is_issued = text(record, "eventName") == "AssumeRole" and not text(record, "errorCode")
        is_by_eks = text(record, "userIdentity", "invokedBy") == POD_IDENTITY
        if is_issued and is_by_eks and text(record, "requestParameters", "roleArn") == role_arn and wanted.items() <= given.items():
            uids.add(given.get("kubernetes-pod-uid", ""))
    return frozenset(uids - {""})
