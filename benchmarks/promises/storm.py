"""A storm of events about one cluster: what each costs, beside the one conditional write that it must at least make."""

from datetime import UTC, datetime, timedelta
from typing import Final

from benchmarks import profiled
from benchmarks.child import in_child
from benchmarks.ground import Ground
from benchmarks.measure import in_turns
from benchmarks.row import Goal, Row, compared, explained
from benchmarks.run import Run
from lambdas.adapters import incident_items as items
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.domain.incidents.incident import Incident
from sandbox.play.accounts import TABLE

_RIVAL: Final = "boto3: one conditional write"
_TARGET: Final = ServiceAccountRef("demo", "kube-system", "aws-node")
_LIMIT: Final = (
    "The write itself, in botocore and HTTP, is most of it. Ours has a longer condition, since one write answers whether an incident is"
    " open, a check is on duty or the cluster was found well; before it the event is read, and after it the row that came back"
)
_GOAL: Final = Goal(on="ratio", bound=1.5)


def run(run: Run) -> list[Row]:
    """Ten thousand events in blocks, half with an incident open, half on a cluster just found well; a few hundred in a quick run."""
    blocks, events = run.pick((2, 100), (5, 1000))
    single = min(events, 300)  # of the rival, whose cost is the same for each
    promise = f"storm of {2 * blocks * events:,} events"
    rows = []
    with Ground() as ground:
        for name, row in (("incident open", _open_row()), ("found well since", _well_row())):
            ground.aws.client("dynamodb").put_item(TableName=TABLE, Item=items.now_key(_TARGET) | row)
            mark = ground.mark()
            costs = in_turns(
                {
                    "ours": lambda: in_child("benchmarks.ours:storm", {"events": events}, ground.function_environment()),
                    _RIVAL: lambda: in_child(
                        "benchmarks.rivals.plain:conditional_writes", {"events": single}, ground.function_environment()
                    ),
                },
                blocks,
            )
            kubernetes, aws = ground.requests_since(mark)
            assert not kubernetes, "a storm is not to reach the cluster"
            assert {call.action for call in aws} <= {"dynamodb:GetItem", "dynamodb:UpdateItem", "ssm:GetParametersByPath"}
            rows += explained(
                [
                    compared(promise, f"{name}, wall an event", "wall_ms", costs, rival=_RIVAL, goal=_GOAL),
                    compared(promise, f"{name}, CPU an event", "cpu_ms", costs, rival=_RIVAL, goal=_GOAL),
                ],
                lambda: profiled.where("benchmarks.ours:storm", {"events": run.pick(60, 200)}, ground.function_environment()),
                _LIMIT,
            )
    return rows


def _open_row() -> items.Row:
    now = datetime.now(UTC)
    incident = Incident(id="storm", target=_TARGET, opened_at=now, signals=1, request={"trigger": "sweep"}, started=True)
    return {**items.opening(incident), "signals": {"N": "1"}}


def _well_row() -> items.Row:
    """A check of nodes too that began after every event of the storm."""
    began_at = items.time(datetime.now(UTC) + timedelta(hours=1))
    return {"known_good_at": began_at, "nodes_seen_at": began_at}
