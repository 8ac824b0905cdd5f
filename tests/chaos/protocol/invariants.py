"""The invariants of every state and of every end state.

Only the holder of the incident repairs, and only one at a time. At the end, every event was followed by a check that began after it, or an
open incident or the lease of a crashed check remains for the next sweep. Without a crash, nothing remains. After a few sweeps the cluster
is healthy, no incident is open, and no lease is held.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.chaos.protocol.actors import Actor, Execution, Person

if TYPE_CHECKING:
    from tests.chaos.protocol.shared_state import Shared

MOST_SWEEPS: Final = 3


@dataclass(frozen=True)
class State:
    """One state: the shared state, the state of each actor, and the remaining environment actions."""

    shared: Shared
    actors: tuple[Actor, ...]
    nature: tuple[str, ...]
    crashes: int
    deaths: int
    outages: int
    sweeps: int = 0
    events: int = 0


def broken_promise(state: State, *, at_rest: bool, hurt: bool) -> str:
    """The violated invariant as a sentence, or an empty string. `hurt`: an actor was killed or got no response."""
    shared = state.shared
    if shared.foreign_repairs:
        return f"{shared.foreign_repairs[-1]} repaired and did not hold the incident"
    about = [actor for actor in state.actors if isinstance(actor, Execution | Person) and _acts(actor)]
    if len(about) > 1:
        return f"{len(about)} are about to repair at once"
    if not at_rest:
        return ""
    left = bool(shared.incident or shared.lease_holder)
    if shared.unchecked and not left:
        return f"events {sorted(shared.unchecked)} were lost: no check followed them, and no incident is open"
    if left and not hurt:
        left_open = "an incident is left open" if shared.incident else f"{shared.lease_holder} keeps the lease"
        return f"no process was killed, but {left_open}"
    if state.sweeps == MOST_SWEEPS and (left or (shared.broken and not shared.held)):
        return f"after {MOST_SWEEPS} sweeps the cluster is {'broken' if shared.broken else 'whole'}, and something is left open: {left}"
    return ""


def _acts(actor: Actor) -> bool:
    call = actor.call()
    return call is not None and call.what == "act"
