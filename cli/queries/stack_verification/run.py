"""All checks of the deployed stack, in the order in which they rest on each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cli.queries.parameters import compare_clusters
from cli.queries.stack_verification import events, functions, notifications, operation, permissions
from lambdas.domain.errors import RemediatorError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from cli.clients.dependencies import Dependencies
    from cli.queries.stack_verification.results import CheckResult, Verification

STEPS: Final[Mapping[str, Callable[[Verification], Iterator[CheckResult]]]] = {
    "finding the functions": functions.find_functions,
    "asking the checker": functions.ask_checker,
    "asking the remediator": functions.ask_remediator,
    "comparing the rules": events.rules,
    "testing the patterns": events.patterns,
    "sending an event": events.round_trip,
    "reading the schedule": events.schedule,
    "reading the trigger sources": events.sources,
    "reading the admission policies": permissions.admission_policies,
    "reading the subscriptions": notifications.subscriptions,
    "reading the key": notifications.key,
    "sending a test message": notifications.test_message,
    "simulating the policies": permissions.simulations,
    "validating bindings and settings": operation.configuration,
    "reading the alarms": operation.alarms,
    "counting dead letters": operation.dead_letters,
    "reading the quotas": functions.concurrency,
}


def served_clusters(dependencies: Dependencies, named: Sequence[str]) -> list[str]:
    """Return the named clusters, else those with a binding and those that the stack's configuration names."""
    if named:
        return list(dict.fromkeys(named))
    configured = [name for name in dependencies.environment.clusters.split(",") if name]
    try:
        return sorted({*configured, *compare_clusters(dependencies).bound})
    except RemediatorError:  # the check of the bindings says why
        return sorted(configured)


def run_checks(run: Verification, on_step: Callable[[str], None]) -> None:
    """Make every check. Results are in `run.results`, also where the run is interrupted."""
    for title, step in STEPS.items():
        on_step(title)
        for result in step(run):
            run.results.append(result)
