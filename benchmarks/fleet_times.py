"""`python -m benchmarks.fleet_times`: time of `irsa-remediator fleet` for 200 clusters in 40 accounts, over every region."""

from __future__ import annotations

import json
import resource
import sys
import time
from typing import Final

from benchmarks.harness.account_fleet import AccountFleet

_ACCOUNTS: Final = 40
_CLUSTERS: Final = 5


def main() -> None:
    """Print the duration and the CPU time of the command, and what it found."""
    with AccountFleet(accounts=_ACCOUNTS, clusters=_CLUSTERS) as fleet:
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        done = fleet.run("-o", "json")
        seconds, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if not done.stdout:
        sys.exit(done.stderr)
    summary = json.loads(done.stdout)["summary"]
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    sys.stdout.write(f"{seconds:.1f} s, {cpu:.1f} s of CPU time in the command, exit code {done.returncode}, {summary}\n")


if __name__ == "__main__":
    main()
