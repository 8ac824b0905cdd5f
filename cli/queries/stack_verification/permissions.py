"""What the policy simulator says about the remediator's role, and the admission policies of each cluster."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from cli.queries.admission_policies import read_policies
from cli.queries.required_access import required_access
from cli.queries.stack_verification.results import CheckResult, Verification, shown_if, unknown
from lambdas.contract.environment import Function
from lambdas.contract.self_test import Answer
from lambdas.contract.stack_checks import CheckId
from lambdas.contract.workloads import known
from lambdas.domain.errors import AccessDenied, Denial
from lambdas.domain.snapshot.bindings import bound_targets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from cli.queries.grants import RequiredAccess
    from lambdas.contract.parameters import ServiceAccountRef

EKS: Final = "eks.amazonaws.com"
_SAMPLE_ADDON: Final = "00000000-0000-0000-0000-000000000000"
"""The last part of an add-on's ARN is generated. The simulator takes any."""
_MISSING_ACCESS: Final[Mapping[Denial, str]] = {
    Denial.UNAUTHENTICATED: "ask an administrator of cluster {cluster} for an access entry for your role, or log in with --kubeconfig",
    Denial.FORBIDDEN: "ask an administrator of cluster {cluster} for this right, or use --profile, --role-arn or --kubeconfig",
}
"""The next step where the person's own login is refused, by the way in which it is."""
NOT_CONFIGURED: Final = "bound_roles is not set, so the remediator writes no role into an add-on record"


def simulations(run: Verification) -> Iterator[CheckResult]:
    """Simulate the two calls by which the remediator writes the role into an add-on record."""
    environment = run.dependencies.environment
    if not environment.bound_roles:
        for check in (CheckId.PASS_ROLE, CheckId.UPDATE_ADDON):
            yield replace(unknown(check), answer=Answer.REFUTED, detail=NOT_CONFIGURED, is_optional=True)
        return
    role = environment.role_of(Function.REMEDIATOR)
    passed = {"iam:PassedToService": EKS}
    yield _simulated(run, CheckId.PASS_ROLE, (role, "iam:PassRole", passed), _roles)
    yield _simulated(run, CheckId.UPDATE_ADDON, (role, "eks:UpdateAddon", {}), _addons)


def _simulated(
    run: Verification, check: CheckId, question: tuple[str, str, dict[str, str]], resources_of: Callable[[Verification], list[str]]
) -> CheckResult:
    role, action, context = question

    def read() -> tuple[Answer, str] | CheckResult:
        resources = resources_of(run)
        if not resources:
            return replace(unknown(check), answer=Answer.REFUTED, detail="no binding needs it", is_optional=True)
        refused = run.dependencies.stack.policies.refused(role, action, resources, context)
        return shown_if(not refused, f"refused on {', '.join(refused)}" if refused else ", ".join(resources))

    return run.result(unknown(check), read)


def _targets(run: Verification) -> Sequence[ServiceAccountRef]:
    return bound_targets(list(run.dependencies.readers.parameters.load()), list(run.clusters))


def _roles(run: Verification) -> list[str]:
    """The bound roles of this account: IAM passes no role of another one."""
    readers = run.dependencies.readers
    return readers.own_bound_roles(readers.parameters.load(), _targets(run))


def _addons(run: Verification) -> list[str]:
    """An add-on's ARN for each bound ServiceAccount that has an add-on."""
    environment = run.dependencies.environment
    prefix = f"arn:{environment.partition}:eks:{environment.region}:{environment.account}:addon"
    workloads = [(target.cluster, known(target.namespace, target.name)) for target in _targets(run)]
    return [f"{prefix}/{cluster}/{workload.addon}/{_SAMPLE_ADDON}" for cluster, workload in workloads if workload and workload.addon]


def admission_policies(run: Verification) -> Iterator[CheckResult]:
    """Compare the admission policies of each cluster, with the caller's own rights."""
    for cluster in run.clusters:
        yield run.result(unknown(CheckId.ADMISSION_POLICIES, cluster=cluster), partial(_policies, run, cluster))


def _policies(run: Verification, cluster: str) -> CheckResult:
    """The answer about one cluster. A person who may not read the policies learns nothing about them."""
    result = unknown(CheckId.ADMISSION_POLICIES, cluster=cluster)
    try:
        required = required_access(cluster, run.dependencies, with_policies=True)
        return _compared(result, required, run)
    except AccessDenied as error:
        next_step = _MISSING_ACCESS.get(error.denial)
        if next_step is None:
            raise
        return replace(result, detail=str(error), next_step=next_step.format(cluster=cluster))


def _compared(result: CheckResult, required: RequiredAccess, run: Verification) -> CheckResult:
    if required.policies.omitted:
        return replace(result, answer=Answer.REFUTED, detail=required.policies.omitted, is_optional=True)
    states = list(read_policies(required.cluster, required.policies, run.dependencies.cluster_access))
    if not any(state.exists for state in states):
        return replace(result, answer=Answer.REFUTED, detail="no admission policy limits the remediator", is_optional=True)
    problems = [f"{state.name}: {state.problem}" for state in states if state.problem]
    answer, detail = shown_if(not problems, "; ".join(problems) or f"{len(states)} policies")
    return replace(result, answer=answer, detail=detail)
