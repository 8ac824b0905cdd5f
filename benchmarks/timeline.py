"""What a wait consists of: named moments on the way, seen by the servers, and the share of the whole that each was waited for."""

import statistics
from collections.abc import Mapping, Sequence
from datetime import datetime

Shares = Mapping[str, float]


def shares(began: datetime, moments: Sequence[tuple[str, datetime]]) -> Shares:
    """The part of the time that ended with each moment, of the time until the last one."""
    whole = moments[-1][1] - began
    before = [began, *(at for _, at in moments)]
    return {name: (at - earlier) / whole for (name, at), earlier in zip(moments, before, strict=False)}


def told(runs: Sequence[Shares]) -> str:
    """The medians of several runs, in words."""
    return ", ".join(f"{name} {statistics.median(run[name] for run in runs):.0%}" for name in runs[0])
