"""What holds in every moment, and what at rest.

Nobody repairs who does not hold the incident, and no two are about to repair at once; at rest every event has been followed by a look that
began after it, or an open incident, or the duty of a check that died, is left for the next sweep to take over; where nobody was killed
nothing is left to take over; after at most a few sweeps the cluster is whole, no incident open and nobody on duty.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.chaos.protocol.actors import Actor, Execution, Person

if TYPE_CHECKING:
    from tests.chaos.protocol.shared import Shared

MOST_SWEEPS: Final = 3


@dataclass(frozen=True)
class State:
    """One moment: what is shared, where each actor is, and what may still happen."""

    shared: Shared
    actors: tuple[Actor, ...]
    nature: tuple[str, ...]
    crashes: int
    deaths: int
    outages: int
    sweeps: int = 0
    events: int = 0


def broken_promise(state: State, *, at_rest: bool, hurt: bool) -> str:
    """The promise that is broken in this moment, in words; empty where all hold. `hurt`: somebody was killed, or got no answer."""
    shared = state.shared
    if shared.strangers:
        return f"{shared.strangers[-1]} repaired and did not hold the incident"
    about = [actor for actor in state.actors if isinstance(actor, Execution | Person) and _acts(actor)]
    if len(about) > 1:
        return f"{len(about)} are about to repair at once"
    if not at_rest:
        return ""
    left = bool(shared.incident or shared.lease_holder)
    if shared.unlooked and not left:
        return f"events {sorted(shared.unlooked)} were lost: no look followed them, and no incident is open"
    if left and not hurt:
        return f"nobody was killed, and yet {'an incident is left open' if shared.incident else f'{shared.lease_holder} is left on duty'}"
    if state.sweeps == MOST_SWEEPS and (left or (shared.broken and not shared.held)):
        return f"after {MOST_SWEEPS} sweeps the cluster is {'broken' if shared.broken else 'whole'}, and something is left open: {left}"
    return ""


def _acts(actor: Actor) -> bool:
    call = actor.call()
    return call is not None and call.what == "act"
