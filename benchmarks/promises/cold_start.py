"""Cold start: init plus the first healthy check of the checker in the Lambda emulator, from the built asset."""

from functools import partial
from typing import Final

from benchmarks.events import check_requested, payload
from benchmarks.functions import cold, function, rivals_beside_ours, rivals_with
from benchmarks.ground import Ground
from benchmarks.measure import in_turns
from benchmarks.row import Goal, Row, compared
from benchmarks.run import Run
from lambdas.contract.environment import Function
from sandbox.play.deployment import our_asset

NAME: Final = "cold start of the checker"
_USUAL, _FLOOR = "usual: boto3, typed client, Powertools", "floor: bare boto3, same calls"
_HALF, _NEAR = Goal(on="ratio", bound=0.5), Goal(on="ratio", bound=1.3)
_MEMORY_MB: Final = 128


def run(run: Run) -> list[Row]:
    """Wall time is what a person waits for; CPU time is what Lambda's small share of a processor makes long."""
    with Ground() as ground:
        environment = ground.function_environment()
        rivals = rivals_beside_ours()
        contenders = {
            "ours": function("checker", our_asset(), Function.CHECKER.handler, environment),
            _FLOOR: function("floor", rivals, "floor.lambda_handler", environment),
            _USUAL: function("usual", rivals_with("boto3", "aws-lambda-powertools", "kubernetes"), "usual.lambda_handler", environment),
        }

        def event() -> bytes:
            return payload(check_requested(trigger="identity-changed"))

        for each in contenders.values():  # once unmeasured, so that nobody alone pays for reading files into the page cache
            cold(each, event)
        costs = in_turns({name: partial(cold, item, event) for name, item in contenders.items()}, run.pick(3, 9))
    rows = [
        compared(NAME, f"init + first check, {what}", part, costs, rival=rival, goal=goal)
        for part, what in (("wall_ms", "wall"), ("cpu_ms", "CPU"))
        for rival, goal in ((_USUAL, _HALF), (_FLOOR, _NEAR))
    ]
    memory = compared(NAME, "peak memory", "peak_mb", costs, rival=_USUAL, goal=Goal(on="value", bound=_MEMORY_MB))
    return [*rows, memory]
