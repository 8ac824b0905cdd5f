"""Budgets of a check: loaded modules, requests and objects. Counts, which hold on any machine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from benchmarks.harness.events import check_requested
from benchmarks.harness.static_fleet import StaticFleet
from infra import asset
from lambdas.checker import handler
from sandbox.simulation.aws_account import CHECKER
from sandbox.simulation.scenario import DEFAULT_SCENARIO, load
from tests.over_fakes.scenario_run import ScenarioRun, StepsWithoutWatch, run_scenario

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[2]
ALLOWED: Final = frozenset({"lambdas", "orjson"})
"""What the checker may load before its first event, beside the standard library."""
HEAVY: Final = frozenset({"asyncio", "multiprocessing", "sqlite3", "unittest", "xml", "http", "email", "pydoc"})
"""Of the standard library, what a start-up has no use for: a client brings it along when it is first used."""

KUBERNETES: Final = [
    "/api/v1/namespaces/kube-system/pods",
    "/api/v1/namespaces/kube-system/serviceaccounts/aws-node",
    "/apis/apps/v1/namespaces/kube-system/daemonsets/aws-node",
]
GUARDS: Final = [
    "/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicies/kube-system.aws-node.guard.eks-irsa-remediator",
    "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/kube-system.aws-node.warning.eks-irsa-remediator",
]
"""Only a sweep and a person's check read guard and warning."""
READS: Final = ["dynamodb:GetItem", "eks:DescribeAddon", "eks:ListPodIdentityAssociations"]
WARM: Final = sorted(["dynamodb:UpdateItem", "dynamodb:UpdateItem", *READS[1:]])
"""On duty, and off it again."""
FOLDERS: Final = ["ssm:GetParametersByPath"] * 4
"""Bindings and settings, the cluster's own and the defaults."""
SIMULATION: Final = ["iam:SimulatePrincipalPolicy"] * 2
"""One call for calls on any resource, one for calls on network interfaces. The result is cached with the role."""
COLD: Final = sorted([*WARM, *FOLDERS, "eks:DescribeCluster", "iam:GetOpenIDConnectProvider", "iam:GetRole", *SIMULATION])
MOST_OPERATIONS: Final = 40


UNUSED: Final = frozenset(
    {
        *(f"lambdas.contract.{name}" for name in ("access", "admission", "guard", "audit", "stack_checks")),
        *(f"lambdas.domain.planning.{name}" for name in ("actions", "plan", "planner", "policies")),
        "lambdas.domain.incidents.daily_digest",
    }
)
"""What a healthy check has no use for. It would be a tenth of the import."""


def modules_after(code: str) -> set[str]:
    """The top-level modules that a fresh interpreter loads for this code, without those of its own start."""
    return {name.partition(".")[0] for name in all_modules_after(code)}


def all_modules_after(code: str) -> set[str]:
    """The modules that a fresh interpreter loads for this code, without those of its own start."""
    shown = f"import sys, json; before = set(sys.modules)\n{code}\nprint(json.dumps(sorted(set(sys.modules) - before)))"
    ran = subprocess.run([sys.executable, "-c", shown], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(json.loads(ran.stdout.splitlines()[-1]))


def test_importing_the_checker_loads_nothing_outside_the_list() -> None:
    loaded = modules_after("import lambdas.checker.handler")
    assert loaded - sys.stdlib_module_names <= ALLOWED
    assert not loaded & HEAVY


def test_importing_the_checker_loads_nothing_that_a_healthy_check_does_not_use() -> None:
    loaded = all_modules_after("import lambdas.checker.handler")
    assert "lambdas.contract.parameters" in loaded
    assert not loaded & UNUSED


def test_the_list_would_notice_a_client() -> None:
    loaded = modules_after("import lambdas.checker.handler, botocore.session")
    assert "botocore" in loaded - sys.stdlib_module_names - ALLOWED
    assert loaded & HEAVY


@pytest.fixture(scope="module")
def fleet() -> Iterator[StaticFleet]:
    with StaticFleet(nodes=3) as standing, pytest.MonkeyPatch.context() as patched:
        for name, value in standing.function_environment(CHECKER).items():
            patched.setenv(name, value)
        clear_caches()
        yield standing
        clear_caches()


def clear_caches() -> None:
    for cached in (handler._dependencies, handler._session, handler._environment):
        cached.cache_clear()


def check(fleet: StaticFleet, trigger: str = "identity-changed") -> tuple[list[str], list[str]]:
    """Paths and actions that one check without a fault asks for."""
    mark = fleet.mark()
    answer = handler.lambda_handler(check_requested(trigger=trigger), None)
    assert answer == {
        "result": "cluster-checked",
        "service_accounts": {"demo/kube-system/aws-node": {"result": "no-fault-found", "verdict": "no-fault-found"}},
    }
    kubernetes, aws = fleet.requests_since(mark)
    return sorted(kubernete.path for kubernete in kubernetes), sorted(aw.action for aw in aws)


def test_a_healthy_check_makes_these_requests_and_no_more(fleet: StaticFleet) -> None:
    assert check(fleet) == (KUBERNETES, COLD)
    assert check(fleet) == (KUBERNETES, WARM)
    assert check(fleet, "sweep") == (sorted([*KUBERNETES, *GUARDS]), READS)  # which writes now and then


def test_the_asset_stays_within_its_limits() -> None:
    folder = asset.build(asset.LAMBDA)
    assert len(asset.zip_bytes(folder)) <= 10e6
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) <= 35e6


def test_a_repair_takes_few_durable_operations() -> None:
    made: list[StepsWithoutWatch] = []

    def steps(run: ScenarioRun) -> Any:
        made.append(StepsWithoutWatch(sleep=run.world.sleep))
        return made[-1]

    run = run_scenario(load(DEFAULT_SCENARIO), steps)
    assert run.outcome().outcome == "verified"
    (steps_taken,) = made
    assert 0 < len(steps_taken.done) <= MOST_OPERATIONS


def test_a_healthy_check_starts_no_durable_execution() -> None:
    assert run_scenario(load("healthy")).opened == []
