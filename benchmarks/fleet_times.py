"""`python -m benchmarks.fleet_times`: time of `irsa-remediator fleet` for 200 clusters in 40 accounts."""

from __future__ import annotations

import json
import resource
import sys
import time
from typing import Final

from benchmarks.harness.account_fleet import AccountFleet
from sandbox.aws.local_aws import REGION

_ACCOUNTS: Final = 40
_CLUSTERS: Final = 5


def main() -> None:
    """Print the duration and the CPU time of the command for every region and for one region, and what it found."""
    with AccountFleet(accounts=_ACCOUNTS, clusters=_CLUSTERS) as fleet:
        for name, options in {"every region": (), "one region": ("--in-region", REGION)}.items():
            before, began = _cpu_s(), time.monotonic()
            done = fleet.run("-o", "json", *options)
            wall, cpu = time.monotonic() - began, _cpu_s() - before
            if not done.stdout:
                sys.exit(done.stderr)
            summary = json.loads(done.stdout)["summary"]
            sys.stdout.write(f"{name}: {wall:.1f} s, {cpu:.1f} s of CPU time in the command, exit code {done.returncode}, {summary}\n")


def _cpu_s() -> float:
    """Return the CPU time of all ended child processes."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
