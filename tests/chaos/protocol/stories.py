"""What nature may do to the protocol: its words, and the stories that are searched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

TICK: Final = 10
PASSES: Final = {"tick": TICK, "while": 0.75, "moment": 0.01}
"""Minutes: a moment is less than the second to which EventBridge cuts an event's time, a while longer than a check stays on duty and less
than it may live."""


@dataclass(frozen=True)
class Story:
    """What nature does, in order: `break` (and an event tells of it), `event` (that tells of nothing), `sweep`,
    `tick`, `while` and `moment` (time passes), `person`, `hold` (the mode keeps the remediator from acting) and `lift`.

    `crashes` are processes that may be killed, `deaths` executions that may end without having closed their incident, `outages` looks of a
    check that may fail.
    """

    nature: tuple[str, ...]
    crashes: int = 0
    deaths: int = 0
    outages: int = 0


BOUNDED = {
    "one fault": Story(("break",), crashes=2, deaths=1),
    "a fault and an event of nothing": Story(("break", "event")),
    "two faults": Story(("break", "break")),
    "a fault after a sound check": Story(("event", "moment", "break")),
    "a fault while a check looks, which may fail": Story(("event", "break"), outages=1),
    "a fault while a sweep looks": Story(("sweep", "break"), deaths=1),
    "a person beside the remediator": Story(("break", "person"), crashes=1, deaths=1),
    "a person takes over what is only watched": Story(("hold", "break", "person", "lift")),
    "a signal while an incident is given up": Story(("hold", "break", "event")),
}

LONG = {
    "a check that stays too long hands over": Story(("event", "event", "while", "break")),
    "a fault while a check looks, which may fail or be killed": Story(("event", "break"), crashes=1, outages=1),
    "a fault while a check has died": Story(("event", "tick", "break"), crashes=1),
    "signals while a check has died": Story(("event", "event", "tick", "break")),
    "a check that fails and dies": Story(("event", "tick", "break"), crashes=1, outages=1),
    "two faults, killed anywhere, dead once": Story(("break", "break"), crashes=1, deaths=1),
    "three faults": Story(("break", "break", "break")),
    "a fault after a sound check, killed twice": Story(("event", "tick", "break"), crashes=2),
    "a person takes over, killed anywhere": Story(("hold", "break", "person", "lift"), crashes=1, deaths=1),
    "a person, a sweep and a fault": Story(("hold", "break", "sweep", "person", "lift")),
    "given up while signals come, killed anywhere": Story(("hold", "break", "event"), crashes=1, deaths=1),
}
