"""The invariants: what must hold after every step, and at the end."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from lambdas.contract.settings import AddonRecord, Window
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.incidents.incident import Outcome
from lambdas.notifications.kind import NotificationKind
from lambdas.remediator.handler import FACTS_TTL_S

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from cli.clients.local_incidents import Row
    from lambdas.domain.incidents.incident import Incident, PastIncident
    from lambdas.domain.ports import Message
    from tests.simulation.simulated_world import ClusterState, SimulatedWorld


class InvariantViolated(AssertionError):
    """An invariant does not hold. The text says which one, and what was seen."""


MAX_READ_AGE: Final = timedelta(minutes=3)
"""Age of the binding that a write was made from. Retries of a slow call take the most of it."""
CHANGES: Final[Mapping[str, frozenset[str]]] = {
    "cluster.apply_annotation": frozenset({"annotate-service-account"}),
    "cluster.restore_annotation": frozenset({"restore-annotation"}),
    "cluster.delete_pod": frozenset({"replace-canary-pod", "replace-stale-pods"}),
    "cluster.restart": frozenset({"restart-workload"}),
    "eks.set_addon_role": frozenset({"update-addon-role"}),
    "eks.create_association": frozenset({"create-association"}),
    "eks.update_association": frozenset({"update-association"}),
    "eks.roll_back_association": frozenset({"update-association"}),
}
"""The changes that history names for a write, one of them."""
ROLL_BACK: Final = "eks.roll_back_association"
RESTORES: Final = ("cluster.restore_annotation", ROLL_BACK)
"""Writes that give back what a repair has replaced."""
SETS_ROLE: Final = ("cluster.apply_annotation", "eks.create_association", "eks.update_association")
"""Writes that give new pods the role of the binding."""
ANSWER_WITHIN: Final = timedelta(minutes=5)
"""Time after which an event must have been followed by a check: the retries of a failed check take three minutes."""
POD_WRITES: Final = ("cluster.delete_pod", "cluster.restart")
MAX_REPAIRS: Final = 3
"""Repairs of one incident: the first, one for what it left, and one for a fault that has returned."""
MAX_UNDONE: Final = 3
"""Repairs of the annotation within a day after which another writer is assumed to remove it on purpose."""
MAX_MESSAGES: Final = 24
"""Messages about one incident: three repairs, three approvals, what happens between them, and the reminders of three days."""
LATEST_MESSAGE: Final = timedelta(minutes=45)
"""Age of the assessment that a message rests on: a message is sent again for half an hour while the topics do not answer. A reminder may
be older where nothing could be read since, if it gives the time of its numbers."""
_TIME_OF_STATE: Final = re.compile(r"^At (\d\d):(\d\d):(\d\d) UTC", re.MULTILINE)


SENT_AGAIN_FOR: Final = timedelta(minutes=35)
"""How long after it was written a message may be sent, where the topics do not answer. Its age is that of the time of writing."""
CACHED_FACTS: Final = timedelta(seconds=FACTS_TTL_S)
"""How much older than its assessment the role and the OIDC provider may be that a message rests on."""
REPAIRS: Final = (NotificationKind.REPAIRING, NotificationKind.APPROVAL_REQUESTED, NotificationKind.BLOCKED)
LEFT_TO_PERSON: Final = (NotificationKind.NEEDS_ACTION, NotificationKind.NOT_APPROVED, NotificationKind.REMINDER)
ENDS: Final = (NotificationKind.VERIFIED, NotificationKind.RECOVERED)
BLAMES_PRECONDITION: Final = frozenset(
    {
        Verdict.BINDING_INVALID,
        Verdict.OIDC_PROVIDER_MISSING,
        Verdict.TRUST_OTHER_ISSUER,
        Verdict.TRUST_CONDITION_WRONG,
        Verdict.POD_IDENTITY_NOT_TRUSTED,
    }
)
PLANNED_WITHIN: Final = timedelta(minutes=3)
"""The longest time from the beginning of an assessment to the moment at which its plan had everything that it needs."""
JUST_READ: Final = timedelta(minutes=3)
LATEST_STATE: Final = timedelta(minutes=20)
"""How much older the state in a message may be than the state that the process read just before it."""


@dataclass
class Evidence:
    """What a process has read before it writes or says something.

    `holder_was_read` says whether its latest call has read the row, and the row named the process. `binding_is_read`: it has read the
    binding in the present step. `given_role_read` is the role of the annotation or the association that it has read last. `outdated` are
    the pods that a rollout in progress was about to replace with the role when it read the workload. `calendar_is_closed` is what its
    latest assessment has read. `assessed_at` is when its latest assessment began, `planned_at` when one last had everything that a plan
    needs. `unready` are the pods that were not ready when it last read them. `unrecorded` are the methods that wrote since its latest
    checkpoint, and `refuted_before` are the refuted preconditions of its incident before its present step.
    """

    role_read: str | None = None
    binding_is_read: bool = False
    addon_status: str = ""
    outdated: frozenset[str] = frozenset()
    calendar_is_closed: bool = False
    given_role_read: str | None = None
    mode_read: str = ""
    read_at: datetime | None = None
    holder_was_read: bool = False
    assessed_at: datetime | None = None
    planned_at: datetime | None = None
    unready: frozenset[str] = frozenset()
    unrecorded: list[str] = field(default_factory=list)
    refuted_before: dict[str, str] | None = None


@dataclass
class Ledger:
    """What was written and said, by incident.

    `kinds` are the methods that wrote, `refuted` the preconditions that were read and do not hold, `repairs` counts the repairs that have
    begun, and `failed_before` are the incidents that were taken over after a repair had failed. `untraced` are methods whose effect a crash
    has hidden: the process ended before the checkpoint that would have recorded it. `blamed` are the incidents of which a message has said
    that the role, the OIDC provider or the trust policy is wrong. `reported` are the incidents that were taken over from one of which
    people were told, and not that it has ended. `replaced_by_others` are the incidents whose canary was gone before we could delete it.
    """

    writes: dict[str, list[str]] = field(default_factory=dict)
    messages: dict[str, list[str]] = field(default_factory=dict)
    old_values: dict[str, str | None] = field(default_factory=dict)
    written_values: dict[str, str | None] = field(default_factory=dict)
    nodes: dict[str, list[str]] = field(default_factory=dict)
    verified_writes: dict[str, int] = field(default_factory=dict)
    opened_at: dict[str, datetime] = field(default_factory=dict)
    approved: set[str] = field(default_factory=set)
    kinds: dict[str, set[str]] = field(default_factory=dict)
    refuted: dict[str, dict[str, str]] = field(default_factory=dict)
    repairs: dict[str, int] = field(default_factory=dict)
    failed_before: set[str] = field(default_factory=set)
    untraced: dict[str, set[str]] = field(default_factory=dict)
    blamed: set[str] = field(default_factory=set)
    reported: set[str] = field(default_factory=set)
    replaced_by_others: set[str] = field(default_factory=set)
    last_write_at: datetime | None = None


@dataclass(frozen=True)
class Write:
    """One write of ours: by which incident, whether a person made it at the terminal, when by the clock of the process, and what."""

    incident: str
    at: datetime
    cluster: str
    method: str
    role: str | None
    by_person: bool
    holds: bool
    is_stopped: bool
    text: str
    pod: str = ""
    pod_name: str = ""
    value_before: str | None = None


def check_write(write: Write, evidence: Evidence, ledger: Ledger, world: SimulatedWorld) -> None:
    """No write without a binding that allows it, and never two writers.

    Raises:
        InvariantViolated: one of the two does not hold.
    """
    ledger.last_write_at = world.scheduler.now
    ledger.writes.setdefault(write.incident, []).append(write.text)
    ledger.kinds.setdefault(write.incident, set()).add(write.method)
    if not evidence.holder_was_read:
        raise InvariantViolated(f"two writers: {write.text}, but the row was not read right before, or does not name {write.incident}")
    if not (write.holds or write.is_stopped):
        raise InvariantViolated(f"two writers: {write.text}, but the row does not name incident {write.incident}")
    if write.method in RESTORES:
        _check_restored(write, evidence, ledger)
        return
    _check_binding(write, evidence, ledger, world)
    _check_plan(write, evidence, ledger)
    _check_window(write, evidence, world)
    _check_object(write, evidence, world)
    _check_canary(write, evidence, ledger, world)
    ledger.written_values[write.incident] = write.role if write.method in SETS_ROLE else evidence.given_role_read


def _check_binding(write: Write, evidence: Evidence, ledger: Ledger, world: SimulatedWorld) -> None:
    """The binding, the mode and the approval allow the write, as they were read right before."""
    if evidence.read_at is None or world.scheduler.now - evidence.read_at > MAX_READ_AGE:
        raise InvariantViolated(f"a write without a binding: {write.text}, and the binding was last read at {evidence.read_at}")
    if not evidence.binding_is_read:
        raise InvariantViolated(f"a write without a binding: {write.text}, and this step has not read the binding")
    if evidence.role_read is None or (write.role is not None and write.role != evidence.role_read):
        raise InvariantViolated(f"a write without a binding: {write.text}, and the binding named {evidence.role_read}")
    if evidence.mode_read == "observe" and not write.by_person:
        raise InvariantViolated(f"a write in mode observe: {write.text}")
    if evidence.mode_read == "approve" and not write.by_person and write.incident not in ledger.approved:
        raise InvariantViolated(f"a write without an approval: {write.text}")


def _check_plan(write: Write, evidence: Evidence, ledger: Ledger) -> None:
    """The plan is one that may be made: the role works as far as it was read, no update runs, and no repair has failed before."""
    if broken := ledger.refuted.get(write.incident):
        raise InvariantViolated(f"a write though the role does not work: {write.text}, and {', '.join(broken.values())}")
    if evidence.addon_status == "UPDATING":
        raise InvariantViolated(f"a write while the add-on is updated: {write.text}")
    if evidence.calendar_is_closed:
        raise InvariantViolated(f"a write while the change calendar is closed: {write.text}")
    if write.incident in ledger.failed_before and not write.by_person:
        raise InvariantViolated(f"a repair was repeated that had failed before a take-over: {write.text}")


def _check_window(write: Write, evidence: Evidence, world: SimulatedWorld) -> None:
    """The weekly maintenance window was open when the plan was made, by the clock of the process, or something failed then."""
    window, planned_at = world.settings(write.cluster).maintenance_window, evidence.planned_at
    if not isinstance(window, Window) or planned_at is None:
        return
    began_at = planned_at - PLANNED_WITHIN
    fails = any(state.fails for state in world.states_since(write.cluster, began_at))
    skew = write.at - world.scheduler.now
    if not fails and not any(is_open(window, began_at + skew + share * PLANNED_WITHIN / 10) for share in range(11)):
        raise InvariantViolated(f"a write outside the maintenance window: {write.text}, planned at {planned_at}, and nothing failed")


def is_open(window: Window, at: datetime) -> bool:
    """Whether a weekly window is open."""
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    days = (midnight - timedelta(days=ago) for ago in (0, 1))
    return any(day.weekday() in window.days and timedelta() <= at - day - window.start < window.length for day in days)


def _check_object(write: Write, evidence: Evidence, world: SimulatedWorld) -> None:
    """The object is as it was read, and the setting allows to write it."""
    if write.method == "cluster.apply_annotation" and write.value_before not in (evidence.given_role_read, write.role):
        raise InvariantViolated(f"a lost update: {write.text}, and the annotation was {write.value_before}, not {evidence.given_role_read}")
    if write.method in POD_WRITES and evidence.given_role_read != evidence.role_read:
        raise InvariantViolated(
            f"a pod was replaced though its successor lacks the role: {write.text}, and it gets {evidence.given_role_read}"
        )
    if write.method == "eks.set_addon_role" and world.settings(write.cluster).addon_record is AddonRecord.NOTIFY_ONLY:
        raise InvariantViolated(f"a write of the record, which is left to its owner: {write.text}")


def _check_canary(write: Write, evidence: Evidence, ledger: Ledger, world: SimulatedWorld) -> None:
    """One pod before all others: until a successor of ours has the role, only this one is replaced."""
    deleted = ledger.nodes.setdefault(write.incident, [])
    is_other_node = write.method == "cluster.delete_pod" and bool(deleted) and write.pod not in deleted
    if write.method == "cluster.delete_pod":
        if not deleted and write.pod_name in evidence.outdated:
            raise InvariantViolated(f"a repair beside a rollout: {write.text}, which the rollout in progress replaces with the role")
        deleted.append(write.pod)
    created = world.created_by.get(write.incident, [])
    if write.method == "cluster.restart" and not created and write.incident not in ledger.replaced_by_others:
        raise InvariantViolated(f"no canary before a restart: {write.text}")
    others = [pod for pod in created if pod.node != write.pod]
    if is_other_node and not any(world.was_admitted_with(write.cluster, pod, evidence.role_read) for pod in others):
        raise InvariantViolated(f"no canary with the role before other pods: {write.text}")


def check_pace(write: Write, past: list[PastIncident], world: SimulatedWorld) -> None:
    """The limits over history hold: cool-down, repairs in an hour, and repairs that another writer undoes.

    Raises:
        InvariantViolated: one of them does not hold.
    """
    now, settings = write.at, world.settings(write.cluster)
    there = world.clusters.get(write.cluster)
    repairs = [one for one in past if one.changes and there and one.closed_at >= there.facts.created_at]
    if write.method in RESTORES or not repairs:
        return
    if (now - max(one.closed_at for one in repairs)).total_seconds() < settings.cooldown_s:
        raise InvariantViolated(f"a repair within the cool-down: {write.text}")
    if sum(now - one.closed_at < timedelta(hours=1) for one in repairs) >= settings.max_repairs_per_hour:
        raise InvariantViolated(f"too many repairs within an hour: {write.text}")
    kinds = frozenset().union(*(CHANGES[method] for method in SETS_ROLE))
    ours = [one for one in repairs if kinds & set(one.changes) and one.outcome is not Outcome.INTERRUPTED]
    if write.method in SETS_ROLE and len(ours) >= MAX_UNDONE and now - ours[-1].closed_at < timedelta(hours=23):
        raise InvariantViolated(f"a tug of war: {write.text}, which was set {len(ours)} times before")


def _check_restored(write: Write, evidence: Evidence, ledger: Ledger) -> None:
    """Only our own value is replaced. EKS takes no precondition for an association, so the value that was read right before counts."""
    before = evidence.given_role_read if write.method == ROLL_BACK else write.value_before
    if before != ledger.written_values.get(write.incident):
        raise InvariantViolated(f"a value of another writer was overwritten: {write.text}, and the annotation was {write.value_before}")
    if write.incident not in ledger.old_values or ledger.old_values[write.incident] != write.role:
        known = ledger.old_values.get(write.incident, "nothing of ours")
        raise InvariantViolated(f"a value was restored that our write had not replaced: {write.text}, and it had replaced {known}")


def check_table(method: str, arguments: tuple[Any, ...], before: Incident | None, row: Row, ledger: Ledger) -> None:
    """What the row of an incident must keep, whatever call has changed it.

    Raises:
        InvariantViolated: an open incident was lost, a repair is one too many, or history lacks a change.
    """
    now = row.incident
    if before and now and before.id != now.id and method != "incidents.take_over":
        raise InvariantViolated(f"a lost incident: {method} replaced the open incident {before.id} by {now.id}")
    if method == "incidents.take_over" and before and now and before.id != now.id:
        _take_over(before.id, now.id, ledger)
    if method == "incidents.mark_repairing" and before and now and now.repairing and not before.repairing:
        ledger.repairs[now.id] = ledger.repairs.get(now.id, 0) + 1
        if ledger.repairs[now.id] > MAX_REPAIRS:
            raise InvariantViolated(f"a repair too many: {ledger.repairs[now.id]} repairs of incident {now.id}")
    if method == "incidents.close" and before and now is None:
        past: PastIncident = arguments[0]
        made = ledger.kinds.get(past.id, set()) - ledger.untraced.get(past.id, set())
        missing = [kind for kind in sorted(made) if not CHANGES[kind] & set(past.changes)]
        if missing and past.outcome is not Outcome.INTERRUPTED:
            raise InvariantViolated(f"history lacks a change: incident {past.id} has made {missing}, and its changes are {past.changes}")


def _take_over(former: str, incident: str, ledger: Ledger) -> None:
    """Let the new incident answer for what the former one has written and said."""
    said = ledger.messages.get(former, [])
    if said[-1] not in ENDS if said else former in ledger.reported:
        ledger.reported.add(incident)
    ledger.writes[incident] = list(ledger.writes.get(former, []))
    told = [kind for kind in ledger.messages.get(former, []) if kind in ("repairing", "verified", "needs-action")]
    if former in ledger.failed_before or ("repairing" in told and told[-1] == "needs-action"):
        ledger.failed_before.add(incident)


def check_harm(cluster: str, world: SimulatedWorld) -> None:
    """Never a worse cluster than before by our hand: fewer of the ready pods that we replaced fail than may be unavailable.

    A pod whose node is lost does not fail by our hand, and repairs leave it out.

    Raises:
        InvariantViolated: more fail.
    """
    there = world.clusters.get(cluster)
    lost = {name for name, pod in there.pods.items() if there.is_lost(pod.facts.node)} if there else set()
    harmed = {pod: by for pod, by in world.harmed.get(cluster, {}).items() if pod not in lost}
    allowed = max((facts.max_unavailable for facts, _ in there.workloads.values()), default=1) if there else len(harmed)
    for incident, count in Counter(harmed.values()).items():
        if count > allowed:
            pods = sorted(pod for pod, by in harmed.items() if by == incident)
            raise InvariantViolated(f"a worse cluster by our hand: {pods} of {cluster} were ready before, and {allowed} may fail")


def check_message(message: Message, cluster: str, evidence: Evidence, ledger: Ledger, world: SimulatedWorld, *, is_by_person: bool) -> None:
    """A message is true: what it says held in the world between the start of its assessment and now.

    Of the role and the OIDC provider it may say what held up to `CACHED_FACTS` before, since the functions keep these facts for so long. It
    says nothing about those that it names as not checked. Where an earlier message has called one wrong, it must have been read since.

    Raises:
        InvariantViolated: it did not hold, or too many messages were sent about one incident.
    """
    kind, incident = NotificationKind(message.attributes["outcome"]), message.thread
    said = ledger.messages.setdefault(incident, [])
    if said[-1:] != [str(kind)]:  # a message is sent again where the process crashes before it has noted that it was sent
        said.append(str(kind))
    if len(said) > MAX_MESSAGES:
        raise InvariantViolated(f"{len(said)} messages about incident {incident}: {said}")
    is_dated = kind is NotificationKind.REMINDER and _TIME_OF_STATE.search(message.text) is not None
    if evidence.assessed_at is None or (world.scheduler.now - evidence.assessed_at > LATEST_MESSAGE and not is_dated):
        raise InvariantViolated(f"a message about the past: {message.subject}, and the assessment began at {evidence.assessed_at}")
    if kind is NotificationKind.REMINDER and (old := _outdated_state(message, evidence, world.scheduler.now)):
        raise InvariantViolated(f"a message about the past: {message.subject}, {old}")
    if world.clusters.get(cluster) is None and not world.states.get(cluster):
        return
    states = world.states_since(cluster, evidence.assessed_at)
    is_verified_since = ledger.verified_writes.get(incident, -1) == len(ledger.writes.get(incident, []))
    if kind is NotificationKind.REPAIRING:  # another repair begins, which may fail before it writes anything
        ledger.verified_writes.pop(incident, None)
    if kind is NotificationKind.VERIFIED:
        ledger.verified_writes[incident] = len(ledger.writes.get(incident, []))
    has_written, now = bool(ledger.writes.get(incident)), world.scheduler.now
    is_allowed = is_by_person or incident in ledger.approved
    if message.attributes["verdict"] in BLAMES_PRECONDITION:
        ledger.blamed.add(incident)
    with_cache = world.states_since(cluster, evidence.assessed_at - CACHED_FACTS)
    was_let_in = any(state.lets_in for state in with_cache)
    unread = tuple(_PRECONDITIONS) if was_let_in else _not_checked(message, ledger)
    has_begun = has_written or bool(ledger.repairs.get(incident))
    false = (
        _false_counts(message, states)
        or _false_end(kind, message, states, unread)
        or _no_fault(kind, message, states if kind in REPAIRS else with_cache)
        or _falsehood(kind, message, states, has_written=has_written, has_begun=has_begun, is_by_person=is_by_person, is_allowed=is_allowed)
        or _denied_change(message, ledger)
        or _false_words(message, ledger.opened_at[incident], now, is_verified_since=is_verified_since)
    )
    if false:
        raise InvariantViolated(f"a message that is not true: {message.subject!r}, but {false}")


def _outdated_state(message: Message, evidence: Evidence, now: datetime) -> str:
    """What is wrong about the time that a message gives for its state: it could be read a moment ago, and no later attempt has failed."""
    told = _TIME_OF_STATE.search(message.text)
    if told is None or evidence.planned_at is None or now - evidence.planned_at > JUST_READ:
        return ""
    if evidence.assessed_at and evidence.assessed_at > evidence.planned_at:
        return ""
    at = now.replace(hour=int(told[1]), minute=int(told[2]), second=int(told[3]), microsecond=0)
    return f"which says {told[0]!r}, and it was read at {evidence.planned_at}" if evidence.planned_at - at > LATEST_STATE else ""


def _false_counts(message: Message, states: list[ClusterState]) -> str:
    """What is wrong about the present numbers of pods in a message."""
    told = re.search(r"^Now: (\d+) of (\d+) pods? ha(?:s|ve) ([\w+=,@-]+)", message.text, re.MULTILINE)
    if told is None:
        return ""
    seen = sorted({(state.pod_roles.count(told[3]), len(state.pod_roles)) for state in states if state.exists})
    counts = (int(told[1]), int(told[2]))
    return "" if not seen or counts in seen else f"it says {told[0]!r}, and these numbers were seen: {seen}"


def _title(message: Message) -> str:
    return str(json.loads(message.chat)["content"]["title"])


def _false_end(kind: NotificationKind, message: Message, states: list[ClusterState], unread: tuple[str, ...]) -> str:
    """What is wrong about the end of an incident: a part that was wrong all the time, since an assessment reads one after the other.

    `unread` are the parts about which the message says nothing. What only the owner can change in the record is not part of it either.
    """
    if kind not in (NotificationKind.VERIFIED, NotificationKind.RECOVERED):
        return ""
    always = frozenset.intersection(*(state.wrong_parts for state in states)) - {"the add-on record has another role", *unread}
    return f"the cluster was not right: {sorted(always)}" if always else ""


def _not_checked(message: Message, ledger: Ledger) -> tuple[str, ...]:
    """The preconditions that the title names as not checked, and that no earlier message has called wrong without a right read since."""
    _, told, parts = _title(message).partition("not checked: ")
    if not told or (message.thread in ledger.blamed and ledger.refuted.get(message.thread)):
        return ()
    return tuple(why for why, names in _PRECONDITIONS.items() if names & set(parts.split(", ")))


def _denied_change(message: Message, ledger: Ledger) -> str:
    made = ledger.kinds.get(message.thread, set()) - ledger.untraced.get(message.thread, set())
    return f"{sorted(made)} are on record" if made and "no change is on record" in _title(message) else ""


def _no_fault(kind: NotificationKind, message: Message, states: list[ClusterState]) -> str:
    """Whether a message is about a fault, and there was none. Nodes that are not Ready and a refused login are left to a person as well.

    Without a binding nothing says which role is right, so that a fault stays one.
    """
    is_right = all(state.is_right and state.works and not state.record_differs for state in states)
    if kind is NotificationKind.NOT_APPROVED and message.attributes["verdict"] == Verdict.UPDATE_IN_PROGRESS:
        return ""  # it says that an update runs, and nothing else
    if kind in LEFT_TO_PERSON:
        is_right = is_right and all(state.nodes_ready and state.binding for state in states) and "cannot access" not in _title(message)
    return "nothing was wrong" if is_right and kind in (*REPAIRS, *LEFT_TO_PERSON) else ""


def _falsehood(
    kind: NotificationKind,
    message: Message,
    states: list[ClusterState],
    *,
    has_written: bool,
    has_begun: bool,
    is_by_person: bool,
    is_allowed: bool,
) -> str:
    title = _title(message)
    modes = {state.mode for state in states}
    if kind is NotificationKind.REPAIRING and ((modes == {"observe"} and not is_by_person) or (modes == {"approve"} and not is_allowed)):
        return f"the mode is {modes}, and nobody has approved the repair"
    if has_written and any(text in title for text in ("nothing was changed", "recovered without a repair")):
        return "something was written"
    if not has_begun and "the repair failed" in title:
        return "no repair has begun"
    if "observe mode" in title and not any(state.mode == "observe" for state in states):
        return "the mode is not observe"
    if "without a binding" in title and not any(state.binding is None for state in states):
        return "there is a binding"
    return ""


def _false_words(message: Message, opened_at: datetime, now: datetime, *, is_verified_since: bool) -> str:
    if "the repair failed" in message.subject and is_verified_since:
        return "the repair was verified, and nothing was written since"
    told, age = re.search(r"not fixed after ((?:\d+ (?:s|min|h|days?) ?)+)", message.subject), (now - opened_at).total_seconds()
    parts = re.findall(r"(\d+) (s|min|h|d)", told[1]) if told else []
    if told and sum(int(count) * _SECONDS[unit] for count, unit in parts) < min(age * 0.8 - 300, age - SENT_AGAIN_FOR.total_seconds()):
        return f"the incident is open for {age:.0f} s"
    return ""


_SECONDS: Final = {"s": 1, "min": 60, "h": 3600, "d": 86400}


_PRECONDITIONS: Final[Mapping[str, set[str]]] = {
    "there is no OIDC provider": {"the OIDC provider"},
    "the role does not let the workload in": {"the role", "the trust policy"},
}
"""Why a cluster is not right, with the names of what must be read to know it."""


def told_person(kinds: list[str]) -> bool:
    """Whether the latest message about an incident leaves it to a person, or says what it waits for."""
    waiting = {
        NotificationKind.NEEDS_ACTION,
        NotificationKind.BLOCKED,
        NotificationKind.NOT_APPROVED,
        NotificationKind.REMINDER,
        NotificationKind.APPROVAL_REQUESTED,
    }
    return bool(kinds) and kinds[-1] in waiting
