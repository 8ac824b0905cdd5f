"""Reads for the preconditions of a repair: the role, its OIDC provider, and the calls that the role may make."""

from collections.abc import Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass

from lambdas.application.readers import Readers, read_optional
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.domain.diagnosis.workload_needs import calls_to_simulate
from lambdas.domain.errors import AccessDenied, Denial
from lambdas.domain.snapshot.bindings import wants_association
from lambdas.domain.snapshot.simulation import Simulation
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
from lambdas.domain.trust import POD_IDENTITY_ACTIONS


@dataclass(frozen=True, kw_only=True)
class PreconditionReads:
    """The reads in progress. A read that this target does not need results in `NotRead`."""

    role: Future[RoleFacts | Missing | Unknown | NotRead]
    oidc_provider: Future[OidcProvider | Missing | Unknown | NotRead]
    simulated: Future[Simulation | Unknown | NotRead]
    target_role: Future[RoleFacts | Missing | Unknown | NotRead]
    target_simulated: Future[Simulation | Unknown | NotRead]


def submit_precondition_reads(
    target: ServiceAccountRef,
    readers: Readers,
    executor: Executor,
    *,
    binding: Binding | InvalidBinding | Missing,
    cluster: ClusterFacts | Missing | Unknown,
    addon: AddonFacts | Missing | Unknown | NotRead,
    associations: tuple[Association, ...] | Missing | Unknown,
) -> PreconditionReads:
    """Start the reads in parallel: of the bound or effective role, of its OIDC provider, and of its simulated permissions.

    An association may chain the role to a target role. Then the permissions of the target role count, its trust policy is read as well,
    and whether the first role may assume it is simulated.
    """
    association = associations[0] if isinstance(associations, tuple) and associations else None
    bound = binding.role_arn if isinstance(binding, Binding) else None
    recorded = addon.role_arn if isinstance(addon, AddonFacts) and isinstance(binding, Missing) else None
    role_arn = bound or (association.role_arn if association else recorded)
    associated_target = association.target_role_arn if association and bound is None else None
    target_arn = binding.target_role_arn if isinstance(binding, Binding) else associated_target
    effective = target_arn or role_arn
    irsa = role_arn is not None and association is None and not wants_association(binding) and isinstance(cluster, ClusterFacts)
    calls = calls_to_simulate(target) if isinstance(cluster, ClusterFacts) else ()
    return PreconditionReads(
        role=executor.submit(lambda: _role(readers, role_arn) if role_arn else NOT_READ),
        oidc_provider=executor.submit(
            lambda: _oidc_provider(readers, cluster, role_arn) if irsa and isinstance(cluster, ClusterFacts) else NOT_READ
        ),
        simulated=executor.submit(lambda: _simulated(readers, effective, calls) if effective and calls else NOT_READ),
        target_role=executor.submit(lambda: _role(readers, target_arn) if target_arn else NOT_READ),
        target_simulated=executor.submit(
            lambda: _simulated(readers, role_arn, POD_IDENTITY_ACTIONS, target_arn) if role_arn and target_arn else NOT_READ
        ),
    )


def _other_account(readers: Readers, role_arn: str) -> str:
    """The account of the role if it is not the deployment's account, else empty."""
    account = role_arn.split(":")[4]
    return "" if account == readers.account else account


def _role(readers: Readers, arn: str) -> RoleFacts | Missing | Unknown:
    if account := _other_account(readers, arn):
        return Unknown(f"the role belongs to account {account}, whose IAM we cannot read")
    return read_optional(lambda: readers.iam.role(arn))


def _oidc_provider(readers: Readers, cluster: ClusterFacts, role_arn: str | None) -> OidcProvider | Missing | Unknown:
    """The OIDC provider in the account of the role, which may differ from the account of the cluster.

    Source: https://docs.aws.amazon.com/eks/latest/userguide/cross-account-access.html
    """
    arn = cluster.provider_arn
    if arn is None:
        return Missing("OIDC issuer")
    if role_arn and (account := _other_account(readers, role_arn)):
        return Unknown(f"it belongs to account {account}, that of the role, whose IAM we cannot read")
    return read_optional(lambda: readers.iam.oidc_provider(arn))


def _simulated(readers: Readers, role_arn: str, calls: Sequence[str], resource: str = "") -> Simulation | Unknown:
    if not readers.may_simulate:
        return Unknown("the deployment does not allow iam:SimulatePrincipalPolicy (simulation: false)")
    if _other_account(readers, role_arn):
        return Unknown("the role belongs to another account")
    return read_optional(lambda: _simulation(readers, role_arn, calls, resource))


def _simulation(readers: Readers, role_arn: str, calls: Sequence[str], resource: str) -> Simulation | Unknown:
    """The decision for each call. The service's own refusal is too long for a table, so the missing permission is named instead."""
    try:
        return readers.iam.simulate(role_arn, calls, resource)
    except AccessDenied as error:
        if error.denial is not Denial.FORBIDDEN:
            raise
        return Unknown("not simulated: iam:SimulatePrincipalPolicy is not granted", error.denial)
