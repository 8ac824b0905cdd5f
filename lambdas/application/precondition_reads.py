"""Reading what guards the desired state: the role that is wanted, the OIDC provider that vouches for its pods, and what it may call."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from lambdas.application.readers import Readers, optional
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.domain.diagnosis.permissions import needed_calls
from lambdas.domain.errors import AccessDenied, Denial
from lambdas.domain.snapshot.snapshot import (
    NOT_READ,
    AddonFacts,
    Association,
    Binding,
    ClusterFacts,
    InvalidBinding,
    Missing,
    NotRead,
    OidcProvider,
    RoleFacts,
    Unknown,
)


def guards(
    target: ServiceAccountRef,
    readers: Readers,
    pool: ThreadPoolExecutor,
    *,
    binding: Binding | InvalidBinding | Missing,
    cluster: ClusterFacts | Missing | Unknown,
    addon: AddonFacts | Missing | Unknown | NotRead,
    associations: tuple[Association, ...] | Missing | Unknown,
) -> tuple[
    "Future[RoleFacts | Missing | Unknown | NotRead]",
    "Future[OidcProvider | Missing | Unknown | NotRead]",
    "Future[Mapping[str, str] | Unknown | NotRead]",
]:
    """Begin to read the role in force, its OIDC provider and what it may call, beside each other; `NotRead` is what nobody needs."""
    in_force = associations[0].role_arn if isinstance(associations, tuple) and associations else None
    recorded = addon.role_arn if isinstance(addon, AddonFacts) and isinstance(binding, Missing) else None
    role_arn = in_force or (binding.role_arn if isinstance(binding, Binding) else recorded)
    irsa = role_arn is not None and in_force is None and isinstance(cluster, ClusterFacts)
    family = cluster.ip_family if isinstance(cluster, ClusterFacts) else "ipv4"
    calls = needed_calls(target.namespace, target.name, family) if irsa else ()
    role = pool.submit(lambda: _role(readers, role_arn) if role_arn else NOT_READ)
    provider = pool.submit(lambda: _provider(readers, cluster, role_arn) if irsa and isinstance(cluster, ClusterFacts) else NOT_READ)
    simulated = pool.submit(lambda: _simulated(readers, role_arn, calls) if role_arn and calls else NOT_READ)
    return role, provider, simulated


def _elsewhere(readers: Readers, role_arn: str) -> str:
    """The role's account where it is another one than ours, else empty."""
    account = role_arn.split(":")[4]
    return "" if account == readers.account else account


def _role(readers: Readers, arn: str) -> RoleFacts | Missing | Unknown:
    if account := _elsewhere(readers, arn):
        return Unknown(f"the role belongs to account {account}, whose IAM we cannot read")
    return optional(lambda: readers.iam.role(arn))


def _provider(readers: Readers, cluster: ClusterFacts, role_arn: str | None) -> OidcProvider | Missing | Unknown:
    """The provider stands in the account of the role, whichever account the cluster is in.

    Source: https://docs.aws.amazon.com/eks/latest/userguide/cross-account-access.html
    """
    arn = cluster.provider_arn
    if arn is None:
        return Missing("OIDC issuer")
    if role_arn and (account := _elsewhere(readers, role_arn)):
        return Unknown(f"it belongs to account {account}, that of the role, whose IAM we cannot read")
    return optional(lambda: readers.iam.oidc_provider(arn))


def _simulated(readers: Readers, role_arn: str, calls: Sequence[str]) -> Mapping[str, str] | Unknown:
    if not readers.may_simulate:
        return Unknown("the optional grant iam:SimulatePrincipalPolicy is not deployed")
    if _elsewhere(readers, role_arn):
        return Unknown("the role belongs to another account")
    return optional(lambda: _asked_iam(readers, role_arn, calls))


def _asked_iam(readers: Readers, role_arn: str, calls: Sequence[str]) -> Mapping[str, str] | Unknown:
    """Many people may not simulate, and what a table has room for is which right they lack."""
    try:
        return readers.iam.simulate(role_arn, calls)
    except AccessDenied as error:
        if error.denial is not Denial.FORBIDDEN:
            raise
        return Unknown("not asked: iam:SimulatePrincipalPolicy is not granted", error.denial)
