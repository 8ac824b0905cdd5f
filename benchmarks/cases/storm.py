"""Event storm about one cluster: cost of one event compared with the one conditional write that it needs."""

from datetime import UTC, datetime
from typing import Final

from benchmarks.harness import profiler
from benchmarks.harness.child_process import run_in_child
from benchmarks.harness.measurement import interleave
from benchmarks.harness.row import Goal, Row, compare, explain_missed
from benchmarks.harness.run import Run
from benchmarks.harness.static_fleet import StaticFleet
from lambdas.adapters import incident_items as items
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.domain.incidents.incident import CLOCK_SKEW, Incident
from sandbox.simulation.aws_account import TABLE

_BASELINE: Final = "boto3: one conditional write"
_TARGET: Final = ServiceAccountRef("demo", "kube-system", "aws-node")
_LIMIT: Final = (
    "Most of the time is the write itself, in botocore and HTTP. The product's condition is longer: one write answers whether an incident"
    " is open, a check holds the lease or the cluster is known to be healthy. The handler also parses the event and the returned row"
)
_GOAL: Final = Goal(on="ratio", bound=1.4)


def run(run: Run) -> list[Row]:
    """Send 10,000 events in blocks (400 in a quick run): half with an open incident, half to a cluster that is known to be healthy."""
    blocks, events = run.choose((2, 100), (5, 1000))
    single = min(events, 300)  # events of the baseline, whose cost does not vary
    benchmark = f"storm of {2 * blocks * events:,} events"
    rows = []
    with StaticFleet() as fleet:
        for name, row in (("incident open", _open_row()), ("known healthy", _healthy_row())):
            fleet.aws.client("dynamodb").put_item(TableName=TABLE, Item=items.row_key(_TARGET) | row)
            mark = fleet.mark()
            costs = interleave(
                {
                    "product": lambda: run_in_child(
                        "benchmarks.harness.product:handle_storm", {"events": events}, fleet.function_environment()
                    ),
                    _BASELINE: lambda: run_in_child(
                        "benchmarks.baselines.single_operations:conditional_writes", {"events": single}, fleet.function_environment()
                    ),
                },
                blocks,
            )
            kubernetes, aws = fleet.requests_since(mark)
            assert not kubernetes, "an event of the storm reached the cluster"
            assert {call.action for call in aws} <= {"dynamodb:GetItem", "dynamodb:UpdateItem", "ssm:GetParametersByPath"}
            rows += explain_missed(
                [
                    compare(benchmark, f"{name}, wall an event", "wall_ms", costs, baseline=_BASELINE, goal=_GOAL),
                    compare(benchmark, f"{name}, CPU an event", "cpu_ms", costs, baseline=_BASELINE, goal=_GOAL),
                ],
                lambda: profiler.cpu_shares(
                    "benchmarks.harness.product:handle_storm", {"events": run.choose(60, 200)}, fleet.function_environment()
                ),
                _LIMIT,
            )
    return rows


def _open_row() -> items.Row:
    now = datetime.now(UTC)
    incident = Incident(id="storm", target=_TARGET, opened_at=now, signals=1, request={"trigger": "sweep"}, started=True)
    return {**items.open_attributes(incident), "signals": {"N": "1"}}


def _healthy_row() -> items.Row:
    """Return a row whose last healthy check, nodes included, started after every event of the storm.

    A time further in the future than the clock skew would answer nothing.
    """
    began_at = items.time(datetime.now(UTC) + 0.9 * CLOCK_SKEW)
    return {"known_good_at": began_at, "nodes_seen_at": began_at}
