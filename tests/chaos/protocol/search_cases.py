"""The environment actions of the search, and the cases that are searched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

TICK: Final = 10
PASSES: Final = {"tick": TICK, "while": 0.75, "moment": 0.01}
"""Minutes. A moment is shorter than the second to which EventBridge truncates event times. A while is longer than a check lease, and
shorter than the time-out of the function."""


@dataclass(frozen=True)
class SearchCase:
    """The environment's steps, in order: `break` (with an event about it), `event` (without a fault), `sweep`, `tick`, `while` and
    `moment` (time passes), `person`, `hold` (the mode blocks repairs) and `lift`.

    `crashes` are processes that may be killed, `deaths` executions that may end without having closed their incident, `outages` checks
    whose snapshot may fail. `hands_over`: each execution hands its incident to a fresh one before its second iteration.
    """

    nature: tuple[str, ...]
    crashes: int = 0
    deaths: int = 0
    outages: int = 0
    hands_over: bool = False


BOUNDED = {
    "a hand-over between executions": SearchCase(("hold", "break", "lift"), crashes=1, hands_over=True),
    "a signal during a hand-over": SearchCase(("break", "event"), hands_over=True),
    "one fault": SearchCase(("break",), crashes=2, deaths=1),
    "a fault and an event of nothing": SearchCase(("break", "event")),
    "two faults": SearchCase(("break", "break")),
    "a fault after a sound check": SearchCase(("event", "moment", "break")),
    "a fault during a check, which may fail": SearchCase(("event", "break"), outages=1),
    "a fault during a sweep": SearchCase(("sweep", "break"), deaths=1),
    "a person beside the remediator": SearchCase(("break", "person"), crashes=1, deaths=1),
    "a person takes over what is only watched": SearchCase(("hold", "break", "person", "lift")),
    "a signal while an incident is given up": SearchCase(("hold", "break", "event")),
}

LONG = {
    "a fault during a hand-over, killed anywhere": SearchCase(("break", "break"), crashes=1, hands_over=True),
    "an execution that dies around a hand-over": SearchCase(("hold", "break", "lift"), crashes=1, deaths=1, hands_over=True),
    "a sweep around a hand-over": SearchCase(("hold", "break", "sweep", "lift"), deaths=1, hands_over=True),
    "a sweep around a repair": SearchCase(("break", "sweep"), crashes=1, deaths=1, hands_over=True),
    "a person beside a hand-over": SearchCase(("hold", "break", "person", "lift"), crashes=1, hands_over=True),
    "a check that stays too long hands over": SearchCase(("event", "event", "while", "break")),
    "a fault during a check, which may fail or be killed": SearchCase(("event", "break"), crashes=1, outages=1),
    "a fault while a check has died": SearchCase(("event", "tick", "break"), crashes=1),
    "signals while a check has died": SearchCase(("event", "event", "tick", "break")),
    "a check that fails and dies": SearchCase(("event", "tick", "break"), crashes=1, outages=1),
    "two faults, killed anywhere, dead once": SearchCase(("break", "break"), crashes=1, deaths=1),
    "three faults": SearchCase(("break", "break", "break")),
    "a fault after a sound check, killed twice": SearchCase(("event", "tick", "break"), crashes=2),
    "a person takes over, killed anywhere": SearchCase(("hold", "break", "person", "lift"), crashes=1, deaths=1),
    "a person, a sweep and a fault": SearchCase(("hold", "break", "sweep", "person", "lift")),
    "given up while signals come, killed anywhere": SearchCase(("hold", "break", "event"), crashes=1, deaths=1),
}
