"""Cold start of the checker: init plus the first healthy check in the Lambda emulator, from the built asset."""

from functools import partial
from typing import Final

from benchmarks.harness.emulated_functions import baselines_with_packages, baselines_with_product_packages, function, measure_cold_start
from benchmarks.harness.events import check_requested, payload
from benchmarks.harness.import_profile import cold_start_shares
from benchmarks.harness.measurement import interleave
from benchmarks.harness.row import Goal, Row, compare, explain_missed
from benchmarks.harness.run import Run
from benchmarks.harness.static_fleet import StaticFleet
from lambdas.contract.environment import Function
from sandbox.functions.function import variables
from sandbox.simulation.deployment import function_asset

NAME: Final = "cold start of the checker"
_TYPICAL, _MINIMAL = "typical: boto3, typed client, Powertools", "minimal: boto3 alone, same calls"
_QUARTER, _EQUAL = Goal(on="ratio", bound=0.25), Goal(on="ratio", bound=1.0)
_MEMORY_MB: Final = 128
_LIMIT: Final = "The baselines make the same calls and judge nothing"


def run(run: Run) -> list[Row]:
    """Measure wall time and CPU time. Lambda gives the function a part of a processor, so CPU time decides."""
    with StaticFleet() as fleet:
        environment = fleet.function_environment()
        baselines = baselines_with_product_packages()
        typical = baselines_with_packages("boto3", "aws-lambda-powertools", "kubernetes")
        contenders = {
            "product": function("checker", function_asset(), Function.CHECKER.handler, environment),
            _MINIMAL: function("minimal", baselines, "boto3_minimal.lambda_handler", environment),
            _TYPICAL: function("typical", typical, "typical_function.lambda_handler", environment),
        }

        def event() -> bytes:
            return payload(check_requested(trigger="identity-changed"))

        for contender in contenders.values():  # one run that is not measured fills the page cache
            measure_cold_start(contender, event)
        measured = {name: partial(measure_cold_start, contender, event) for name, contender in contenders.items()}
        costs = interleave(measured, run.choose(3, 9))
        rows = [
            compare(NAME, f"init + first check, {what}", part, costs, baseline=baseline, goal=goal)
            for part, what in (("wall_ms", "wall"), ("cpu_ms", "CPU"))
            for baseline, goal in ((_TYPICAL, _QUARTER), (_MINIMAL, _EQUAL))
        ]
        rows = explain_missed(
            rows, lambda: cold_start_shares(function_asset(), Function.CHECKER.handler, event(), variables(contenders["product"])), _LIMIT
        )
    memory = compare(NAME, "peak memory", "peak_mb", costs, baseline=_TYPICAL, goal=Goal(on="value", bound=_MEMORY_MB))
    return [*rows, memory]
