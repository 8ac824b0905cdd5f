"""Faults sown into the product, one at a time. The simulation must find each within a stated number of seeds."""

from __future__ import annotations

import re
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

from lambdas.application import codec
from lambdas.application.check import check_loop, incident_handover
from lambdas.application.remediation import notify, repair, state, watch, workflow
from lambdas.application.remediation.results import CanaryState, DeliveryState, NotificationResult
from lambdas.application.remediation.steps import remediation_steps, rolling_replacement
from lambdas.application.remediation.steps.remediation_steps import RemediationSteps
from lambdas.application.remediation.steps.write_check import WriteCheck
from lambdas.application.workflow_steps import StepPurpose
from lambdas.domain.assessment.summary import AssessmentSummary
from lambdas.domain.errors import Conflict
from lambdas.domain.incidents import check_lease
from lambdas.domain.incidents.incident import AlreadyAnswered
from lambdas.domain.planning import planner, policies
from lambdas.domain.planning.planned_binding import PlannedBinding
from lambdas.domain.verification import Verification, VerificationState
from lambdas.notifications import title
from tests import fakes
from tests.simulation import simulation
from tests.simulation.invariants import ENDS
from tests.simulation.search import play
from tests.simulation.story import Story

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from rich.console import Console

DOCUMENT: Final = Path(__file__).parents[2] / "docs" / "testing.md"
BEGIN, END = "<!-- sown faults: written by `make sown-faults` -->", "<!-- end of sown faults -->"
Patch = tuple[Any, str, Any]


@dataclass(frozen=True)
class SownFault:
    """A fault: the attributes that it replaces, and the number of seeds within which it is found."""

    patches: tuple[Patch, ...]
    within: int = 200

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Run the block with the fault."""
        codec._decoder.cache_clear()
        with ExitStack() as stack:
            for of, name, replacement in self.patches:
                stack.enter_context(patch.object(of, name, replacement))
            yield
        codec._decoder.cache_clear()


def _nothing(*_: Any, **__: Any) -> None:
    return None


def _true(*_: Any, **__: Any) -> bool:
    return True


def _false(*_: Any, **__: Any) -> bool:
    return False


def _wrap(of: Any, name: str, around: Callable[..., Any]) -> Patch:
    """A patch whose function gets the original one first."""
    original = getattr(of, name)
    return of, name, lambda *arguments, **named: around(original, *arguments, **named)


def _without(policy: str) -> SownFault:
    """The planner without one policy. The check of the binding before a write stays."""
    return SownFault(((policies, "POLICIES", tuple(one for one in policies.POLICIES if one.__name__ != policy)),))


# --- the table and the protocol -----------------------------------------------------------------------------------------------------------


def _close_whatever_came(close: Any, table: Any, past: Any, _signals: int, healthy_since: Any) -> Any:
    return close(table, past, 10**6, healthy_since)


def _claim_over(_claim: Any, table: Any, incident: Any) -> Any:
    return table._open(table._row(incident.target), incident)


def _take_over_anybody(_take_over: Any, table: Any, _ended: Any, successor: Any) -> Any:
    return table._open(table._row(successor.target), successor)


def _count_nothing(record: Any, idle: Any, signal: Any) -> Any:
    counted, result = record(idle, signal)
    return replace(counted, signals=0), result


def _finish_at_once(_finish: Any, now: Any, held: Any, began_at: Any, nodes: Any) -> Any:
    del held
    return check_lease.after_healthy_check(now, began_at, nodes), None


def _remember_the_end(finish: Any, table: Any, target: Any, *rest: Any) -> Any:
    held, began_at, *nodes = rest
    return finish(table, target, held, began_at + timedelta(minutes=9), *nodes)


def _hand_over_nothing(hand_over: Any, table: Any, incident: Any, _state: str) -> Any:
    return hand_over(table, incident, "")


def _same_execution(_hand_over: Any, table: Any, incident: Any, carried: str) -> bool:
    table._row(incident.target).carried = carried
    return bool(table._change(incident, started=True))


def _answer_everything(_find: Any, idle: Any, _signal: Any) -> Any:
    return AlreadyAnswered(idle.known_good_at) if idle.known_good_at else None


def _only_count(_handle: Any, incident: Any, *_: Any) -> Any:
    return incident_handover.SignalCounted(incident_id=incident.id, signals=incident.signals)


def _healthy_when_closed(close: Any, table: Any, past: Any, signals: int, healthy_since: Any) -> Any:
    return close(table, past, signals, healthy_since or past.closed_at)


PROTOCOL: Final[Mapping[str, SownFault]] = {
    "an incident closes though signals have arrived": SownFault((_wrap(fakes.FakeIncidents, "close", _close_whatever_came),)),
    "a claim replaces the open incident": SownFault((_wrap(fakes.FakeIncidents, "claim", _claim_over),)),
    "a take-over ignores who repairs": SownFault(
        (_wrap(fakes.FakeIncidents, "take_over", _take_over_anybody), (incident_handover, "_is_held", _false))
    ),
    "a running execution counts as ended": SownFault(((incident_handover, "_is_held", _false),)),
    "an ended execution counts as running": SownFault(((incident_handover, "_is_held", _true),)),
    "the holder is not read before a write": SownFault(((RemediationSteps, "_check_holder", _nothing),), within=600),
    "everyone is the holder": SownFault(((RemediationSteps, "_is_holder", _true),), within=400),
    "an expired lease is kept": SownFault(((check_lease, "is_lease_expired", _false),)),
    "a deferred signal is not counted": SownFault((_wrap(check_lease, "record_signal", _count_nothing),), within=600),
    "a check releases its lease though signals have arrived": SownFault((_wrap(check_lease, "finish_check", _finish_at_once),), within=600),
    "a check is recorded as later than it began": SownFault((_wrap(fakes.FakeIncidents, "finish_check", _remember_the_end),)),
    "an old check answers every signal": SownFault((_wrap(check_lease, "find_answer", _answer_everything),)),
    "a failed check keeps its lease": SownFault(((check_loop, "_release_lease", _nothing), (check_lease, "is_lease_expired", _false))),
    "an incident that was not started stays so": SownFault((_wrap(simulation.pipeline, "handle_counted_signal", _only_count),)),
    "a hand-over loses the state": SownFault((_wrap(fakes.FakeIncidents, "hand_over", _hand_over_nothing),)),
    "a hand-over starts no execution": SownFault((_wrap(fakes.FakeIncidents, "hand_over", _same_execution),)),
    "a checkpoint of a newer version cannot be read": SownFault(
        (_wrap(codec, "_dataclass_decoder", lambda make, of: _strict(make(of), of)),)
    ),
    "a closed incident counts as a healthy check": SownFault((_wrap(fakes.FakeIncidents, "close", _healthy_when_closed),), within=600),
}


def _strict(decoder: Any, of: Any) -> Any:
    known = set(codec._defaults(of)) | {codec.KIND}

    def decode(data: Any) -> Any:
        if unknown := set(data) - known:
            raise TypeError(f"unknown fields {unknown}")
        return decoder(data)

    return decode


# --- the checks before a write ------------------------------------------------------------------------------------------------------------


def _binding_as_it_is(check: WriteCheck, _role: str, planned: PlannedBinding) -> Any:
    return check.readers.binding(check.readers.parameters.load(check.target.cluster), check.target) or planned


def _never_observe(require: Any, check: WriteCheck, role: str, planned: PlannedBinding) -> Any:
    try:
        return require(check, role, planned)
    except Conflict as error:
        if "observe" not in str(error):
            raise
        return check.readers.binding(check.readers.parameters.load(check.target.cluster), check.target)


def _blind_annotation(cluster: Any, namespace: str, name: str, role: str, _version: str) -> None:
    found = cluster.here.accounts[namespace, name]
    cluster._annotate(namespace, name, role, found.resource_version, is_apply=True)


def _restore_whatever_is_there(steps: RemediationSteps, action: Any) -> str:
    target, cluster = steps.incident.target, steps.cluster()
    found = cluster.service_account(target.namespace, target.name)
    steps._check_holder()
    cluster.restore_annotation(target.namespace, target.name, action.value, getattr(found, "resource_version", ""))
    return "restored"


WRITES: Final[Mapping[str, SownFault]] = {
    "the binding is not read before a write": SownFault(((WriteCheck, "check_binding", _nothing),), within=400),
    "a changed binding is accepted": SownFault(((PlannedBinding, "require_unchanged", lambda _planned, binding: binding),), within=600),
    "mode observe is not read before a write": SownFault((_wrap(WriteCheck, "check_binding", _never_observe),), within=1200),
    "the annotation is not read before pods are replaced": SownFault(((WriteCheck, "check_annotation", _nothing),), within=400),
    "the annotation is written over another change": SownFault(
        ((fakes.cluster.FakeCluster, "apply_annotation", _blind_annotation),), within=1200
    ),
    "the association is not read before pods are replaced": SownFault(((WriteCheck, "check_association", _nothing),), within=400),
    "a write without an answer is forgotten": SownFault(((RemediationSteps, "_send_write", lambda _steps, write: write()),), within=1200),
    "another writer's value is restored over": SownFault(((RemediationSteps, "_restore", _restore_whatever_is_there),), within=1200),
}


# --- plan and policies --------------------------------------------------------------------------------------------------------------------


def _only_canary_left_out(replace_pods: Any, *arguments: Any, **named: Any) -> Any:
    actions = replace_pods(*arguments, **named)
    return actions[1:] if len(actions) > 1 else actions


def _ten_at_a_time(replace_pods: Any, *arguments: Any, **named: Any) -> Any:
    actions = replace_pods(*arguments, **named)
    return tuple(replace(action, at_a_time=10) if hasattr(action, "at_a_time") else action for action in actions)


def _batch_of_all(_batch: Any, stale: Any, _most: int, _unavailable: int) -> Any:
    return tuple(stale)


def _without_goal(next_batch: Any, action: Any, pods: Any, reach: Any, *rest: Any) -> Any:
    former, at = rest
    return next_batch(replace(action, at_a_time=10), pods, reach, replace(former, goal=None), at)


def _other_role(annotate: Any, snapshot: Any, account: Any) -> Any:
    return tuple(replace(action, role_arn=action.role_arn + "-other") for action in annotate(snapshot, account))


def _old_value(annotate: Any, snapshot: Any, account: Any) -> Any:
    return tuple(replace(action, old_value=f"{action.role_arn}-older") for action in annotate(snapshot, account))


def _pause_only(iteration: Any, _summary: Any, seconds: int) -> None:
    iteration.steps.pause(iteration.step(StepPurpose.PAUSE), seconds)


def _never_approve(plan_actions: Any, *arguments: Any) -> Any:
    return replace(plan_actions(*arguments), needs_approval=False)


PLANNING: Final[Mapping[str, SownFault]] = {
    "no policy asks for working preconditions": _without("_precondition_failed"),
    "no policy respects mode observe": replace(_without("_observe"), within=400),
    "a refuted precondition is forgotten": replace(_without("_precondition_refuted"), within=1200),
    "no policy respects the change calendar": replace(_without("_window"), within=1200),
    "no weekly window closes": SownFault(((policies, "opens_at", _nothing),), within=600),
    "a wait for a window notices nothing": SownFault(((workflow, "await_policy", _pause_only),), within=600),
    "no policy asks for a cool-down": _without("_cooldown"),
    "no policy limits the repairs of an hour": replace(_without("_too_many_repairs"), within=2400),
    "no policy ends a tug of war": replace(_without("_tug_of_war"), within=2400),
    "mode approve asks nobody": SownFault((_wrap(planner, "_plan_actions", _never_approve),)),
    "an answer approves any plan": SownFault(((AssessmentSummary, "plan_digest", property(lambda _: "0" * 24)),), within=400),
    "the record is written though it is left to its owner": SownFault(((planner, "_blocked_record", _nothing),)),
    "no canary": SownFault((_wrap(planner, "_replace", _only_canary_left_out),)),
    "ten pods at a time": SownFault((_wrap(planner, "_replace", _ten_at_a_time),), within=400),
    "a batch of every stale pod": SownFault((_wrap(rolling_replacement, "batch", _batch_of_all),), within=400),
    "a batch does not wait for the one before": SownFault(
        (_wrap(remediation_steps, "next_batch", _without_goal), _wrap(rolling_replacement, "batch", _batch_of_all)), within=400
    ),
    "another role is annotated": SownFault((_wrap(planner, "_annotate", _other_role),)),
    "the value to restore is another one": SownFault((_wrap(planner, "_annotate", _old_value),), within=2400),
    "an update in progress does not wait": SownFault(((planner, "_update_in_progress", _nothing),), within=1200),
    "rollouts in progress do not matter": SownFault(((planner, "is_rolled_out", _true),), within=2400),
}


# --- the workflow and its messages --------------------------------------------------------------------------------------------------------


def _any_canary(judge: Any, canary: Any, pod: Any, former: Any, at: Any) -> Any:
    return replace(judge(canary, pod, former, at), state=CanaryState.HAS_ROLE, uid_without_role="")


def _always_verified(_before: Any, now: Any, **_: Any) -> Verification:
    return Verification(state=VerificationState.VERIFIED, sentence=now.sentence or "verified")


def _never_verified(*_: Any, **__: Any) -> Verification:
    return Verification(state=VerificationState.WAITING, sentence="never")


def _no_end(send: Any, iteration: Any, kind: Any, **named: Any) -> None:
    if kind not in ENDS:
        send(iteration, kind, **named)


def _never_sent(_steps: Any, *_: Any) -> NotificationResult:
    return NotificationResult(at=_steps.now(), state=DeliveryState.SENT)


def _closed_anyway(close: Any, iteration: Any, outcome: Any) -> bool:
    close(iteration, outcome)
    return True


WORKFLOW: Final[Mapping[str, SownFault]] = {
    "every canary has the role": SownFault((_wrap(remediation_steps, "judge", _any_canary),), within=400),
    "every repair is verified": SownFault(((remediation_steps, "verify", _always_verified),), within=400),
    "no repair is verified": SownFault(((remediation_steps, "verify", _never_verified),)),
    "verified without ready pods": SownFault(((state, "is_verified", _true),), within=1200),
    "every fault has ended": SownFault(((state.WorkflowState, "is_repaired", _true),)),
    "an undecided fault has ended": SownFault(((state.WorkflowState, "is_undecided", _false),), within=1200),
    "a watch sees no change": SownFault(((watch, "_is_changed", _false),)),
    "a reminder describes the past": SownFault(((watch, "assess_for_message", _nothing),), within=1200),
    "a message that nobody approved describes the request": SownFault(((workflow, "assess_for_message", _nothing),), within=1200),
    "the reason is not told": SownFault(((watch, "_notify_reason", _nothing),)),
    "the end of an incident is not told": SownFault((_wrap(workflow, "notify", _no_end),), within=400),
    "no message is sent": SownFault(((RemediationSteps, "_send", _never_sent),)),
    "an undelivered message is forgotten": SownFault(
        tuple((module, "notify_undelivered", _nothing) for module in (notify, watch, workflow)), within=1200
    ),
    "a failed repair is repeated after a take-over": SownFault(((workflow, "_respect_former_repair", _nothing),), within=1200),
    "an incident that did not close counts as closed": SownFault((_wrap(workflow, "_close", _closed_anyway),), within=600),
    "a repair is repeated without end": SownFault(((repair, "MAX_REPAIRS", 10**6), (workflow, "MAX_REPAIRS", 10**6)), within=1200),
    "a verified repair is called a failed one": SownFault(((title, "_result", lambda _: title.phrase("the repair failed")),)),
    "nothing was changed, whatever was written": SownFault(((title, "_result", lambda _: title.phrase("nothing was changed")),)),
}

SOWN_FAULTS: Final[Mapping[str, SownFault]] = {**PROTOCOL, **WRITES, **PLANNING, **WORKFLOW}
QUICKLY_FOUND: Final = ("nothing was changed, whatever was written",)
"""Faults that the tests sow. `make sown-faults` sows all of them."""


@dataclass(frozen=True)
class Found:
    """How soon a fault was found: the violated invariant, the number of seeds from 0 that are enough, and the seconds of the story that
    finds it. Without an invariant it was not found in so many seeds.
    """

    name: str
    invariant: str
    seeds: int
    seconds: float


def search(name: str, most: int | None = None, known: int | None = None) -> Found:
    """Run the seed that is known to find the fault. Where there is none, or it finds nothing any more, run seeds from 0.

    A seed that finds something without the fault as well does not count.
    """
    fault = SOWN_FAULTS[name]
    within = min(fault.within, most or fault.within)
    for seed in (*(() if known is None else (known,)), *range(within)):
        with fault.in_place():
            played = play(Story(seed))
        if played.violated and not play(Story(seed)).violated:
            return Found(name, played.kind, seed + 1, played.seconds)
    return Found(name, "", within, 0.0)


def measure(names: Sequence[str], console: Console, most: int | None = None) -> int:
    """Search each fault, and write the table of all faults into the document. Returns 1 if one was not found."""
    found, known = [], known_seeds()
    for name in names or SOWN_FAULTS:
        found.append(search(name, most, known.get(name)))
        console.print(f"{found[-1].invariant or 'NOT FOUND'}: {name}, {found[-1].seeds} seeds, {found[-1].seconds:.1f} s", soft_wrap=True)
    if not names:
        write(found)
    return int(any(not one.invariant for one in found))


_ROW: Final = re.compile(r"^\| (?P<name>[^|]+) \| [^|]+ \| (?P<seeds>\d+) \| [^|]+ \|$", re.MULTILINE)


def known_seeds() -> dict[str, int]:
    """The seed that found each fault in the last run, as the table has it."""
    text = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    return {row["name"]: int(row["seeds"]) - 1 for row in _ROW.finditer(text)}


def _row(one: Found) -> str:
    return (
        f"| {one.name} | {one.invariant} | {one.seeds} | {one.seconds:.1f} |"
        if one.invariant
        else f"| {one.name} | | not in {one.seeds} | |"
    )


def write(found: Sequence[Found]) -> None:
    """Write the table into the document."""
    rows = [_row(one) for one in found]
    table = ["| fault | found by | seeds | seconds |", "|---|---|---|---|", *rows]
    text = DOCUMENT.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    DOCUMENT.write_text(f"{before}{BEGIN}\n\n" + "\n".join(table) + f"\n\n{END}{rest.partition(END)[2]}", encoding="utf-8")
