"""One look at one ServiceAccount, for check, plan and adopt: the checker's observation, diagnosis and plan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from cli.failures import BROKEN, COULD_NOT_TELL, SOUND, Refused
from lambdas.application.assessment import PolicySources, check
from lambdas.application.readers import Hints
from lambdas.application.snapshot_collection import read_advice
from lambdas.contract.parameters import binding_path
from lambdas.domain.assessment.summary_builder import look
from lambdas.domain.diagnosis.finding import GUARDS, State
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.errors import AccessDenied, RemediatorError
from lambdas.domain.planning.plan import BlockReason
from lambdas.domain.requests.request import actor_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cli.outside import Outside
    from lambdas.contract.parameters import ServiceAccountRef
    from lambdas.domain.assessment.summary import AssessmentSummary
    from lambdas.domain.incidents.incident import Incident
    from lambdas.domain.snapshot.snapshot import Snapshot


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a look showed, or why there is none: `failure` is a sentence then. `incident` is the open one, if any."""

    target: ServiceAccountRef
    look: AssessmentSummary | None = None
    snapshot: Snapshot | None = None
    incident: Incident | None = None
    failure: str = ""
    notes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 sound, 1 broken, 2 could not tell."""
        if self.look is None or self.look.verdict is Verdict.NO_ACCESS:
            return COULD_NOT_TELL
        if not self.look.sound:
            return BROKEN
        unread = (link for link in self.look.links if link.state == State.UNKNOWN and link.link not in GUARDS)
        return COULD_NOT_TELL if any(unread) else SOUND


LIFTABLE: Final = frozenset({BlockReason.COOLDOWN, BlockReason.TOO_MANY_REPAIRS, BlockReason.WINDOW, BlockReason.BREAKER})
"""Rules that pace what works on its own. A person who has read the reason may lift them; those that guard the cluster stay."""


def may(seen: Seen, *, lifted: bool) -> bool:
    """Whether a person's run would do something: what holds back is at most the mode, and with `lifted` the rules that pace."""
    if seen.look is None or seen.look.sound:
        return False
    held = {str(blocked.reason) for blocked in seen.look.withheld}
    return bool(seen.look.actions or seen.look.wait or BlockReason.OBSERVE_MODE in held or (held & LIFTABLE and lifted))


def worst(codes: Iterable[int]) -> int:
    """The exit code of several looks: broken outweighs not known."""
    found = set(codes)
    return BROKEN if BROKEN in found else COULD_NOT_TELL if COULD_NOT_TELL in found else SOUND


def see(target: ServiceAccountRef, outside: Outside) -> Seen:
    """Observe, diagnose and plan, with symptoms and history. What cannot be read at all is told as a failure."""
    try:
        return _see(target, outside)
    except RemediatorError as error:
        return Seen(target=target, failure=str(error))


def refuse_unknown(seen: Seen, outside: Outside) -> Seen:
    """The look, unless it is at a cluster that is neither there nor bound under its own name: then the name was mistyped.

    Raises:
        Refused: so it is; names the clusters there are, as far as they may be listed.
    """
    own = binding_path(seen.target.cluster, seen.target.namespace, seen.target.name)
    gone = seen.look is not None and seen.look.verdict is Verdict.CLUSTER_GONE and "status" not in seen.look.cluster
    if seen.look is None or not gone or seen.look.binding_path == own:
        return seen
    try:
        there = outside.readers.eks.clusters()
    except RemediatorError:
        there = ()
    then = f"there are {', '.join(sorted(there)[:20])}" if there else "choose another --region, or another account with --profile"
    raise Refused(f"there is no cluster {seen.target.cluster!r} in {outside.environment.account} {outside.environment.region}", then=then)


def _see(target: ServiceAccountRef, outside: Outside) -> Seen:
    notes: list[str] = []
    incident = _open(target, outside, notes)
    request: dict[str, Any] = dict(incident.request) if incident else {}
    policy_sources = PolicySources(incidents=_readable(outside, notes), calendar=outside.calendar)
    made = check(target, outside.readers, policy_sources, outside.now(), Hints(actor=actor_of(request)))
    seen = read_advice(made.snapshot, outside.readers) if made.diagnosis.sound else made.snapshot  # else the check has read it
    return Seen(target=target, look=look(seen, made.diagnosis, made.plan), snapshot=seen, incident=incident, notes=tuple(notes))


def _open(target: ServiceAccountRef, outside: Outside, notes: list[str]) -> Incident | None:
    try:
        return outside.incidents.get(target)
    except AccessDenied as error:
        notes.append(f"incidents and history were not read, so rules over them do not count here: {error}")
        return None


def _readable(outside: Outside, notes: list[str]) -> Any:
    """History, or none where we may not read it."""
    if not notes:
        return outside.incidents
    from cli.ledger import in_memory

    return in_memory()
