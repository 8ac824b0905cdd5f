"""Simulations of a role's permissions, as IAM answers them."""

from collections.abc import Iterable, Mapping

from lambdas.contract.workloads import AWS_NODE, KnownWorkload
from lambdas.domain.snapshot.simulation import ALLOWED, CallDecision, RefusalCause, Simulation

REFUSED = CallDecision(allowed=False, cause=RefusalCause.NO_STATEMENT)


def simulation(*refused: str, workload: KnownWorkload = AWS_NODE, **decisions: CallDecision) -> dict[str, CallDecision]:
    """Every call of the workload is allowed but for those named. `decisions` maps names of EC2 calls to other decisions."""
    calls = {need.call for need in workload.needs.calls if need.simulated}
    others = {f"ec2:{name}": decision for name, decision in decisions.items()}
    return dict.fromkeys(calls, ALLOWED) | dict.fromkeys(refused, REFUSED) | others


def policy(calls: Iterable[str], workload: KnownWorkload = AWS_NODE) -> Simulation:
    """The simulation of a role whose only policy allows these calls."""
    granted = set(calls)
    return {call: ALLOWED if call in granted else REFUSED for call in simulation(workload=workload)}


def decided(decisions: Mapping[str, str]) -> dict[str, CallDecision]:
    """`call -> allowed, implicitDeny or explicitDeny` as decisions."""
    causes = {"implicitDeny": RefusalCause.NO_STATEMENT, "explicitDeny": RefusalCause.EXPLICIT_DENY}
    return {
        call: ALLOWED if decision == "allowed" else CallDecision(allowed=False, cause=causes[decision])
        for call, decision in decisions.items()
    }
