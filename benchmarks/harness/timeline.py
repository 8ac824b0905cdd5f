"""Shares of an elapsed time: named moments, recorded by the servers, and the share of the time before each."""

import statistics
from collections.abc import Mapping, Sequence
from datetime import datetime

Shares = Mapping[str, float]


def shares(began: datetime, moments: Sequence[tuple[str, datetime]]) -> Shares:
    """Return the share of the elapsed time that ends with each moment."""
    total = moments[-1][1] - began
    before = [began, *(at for _, at in moments)]
    return {name: (at - earlier) / total for (name, at), earlier in zip(moments, before, strict=False)}


def describe(runs: Sequence[Shares]) -> str:
    """Return the medians of several runs as text."""
    return ", ".join(f"{name} {statistics.median(run[name] for run in runs):.0%}" for name in runs[0])
