"""Read a fleet of many accounts and regions in parallel. A failure is the answer for its own account or region alone."""

from __future__ import annotations

import shlex
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING, Final, TypeVar

from cli.errors import ExitCode, describe_error, worst
from cli.output import counted
from cli.queries.assessment import TargetAssessment
from cli.queries.fleet import assess_member
from cli.queries.fleet_member import FleetMember, worst_first
from cli.queries.targets import TargetSelection, targets
from lambdas.domain.errors import RemediatorError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from cli.clients.dependencies import Dependencies
    from cli.clients.fleet_connection import FleetAccount, FleetConnection, OpenAccount
    from lambdas.contract.parameters import ServiceAccountRef

MAX_PARALLEL: Final = 8
"""Accounts, regions or clusters that are read at a time. More would not be faster: one process computes with one core."""

Item = TypeVar("Item")
Answer = TypeVar("Answer")


@dataclass(frozen=True, kw_only=True)
class FleetFailure:
    """An account or region of which nothing is known, with the reason. `region` is empty where the whole account failed."""

    label: str
    account: str
    region: str
    sentence: str
    next_step: str


@dataclass(frozen=True, kw_only=True)
class FleetReport:
    """The members of all accounts, worst first, and the accounts and regions that could not be read.

    `accounts` are those that were read, `regions` is the number of pairs of account and region.
    """

    at: datetime
    members: tuple[FleetMember, ...]
    failures: tuple[FleetFailure, ...] = ()
    accounts: tuple[str, ...] = ()
    regions: int = 0

    @property
    def exit_code(self) -> ExitCode:
        """The worst of all members. An account that could not be read is unknown."""
        return worst([*(member.assessment.exit_code for member in self.members), *([ExitCode.UNKNOWN] if self.failures else [])])


@dataclass(frozen=True)
class _Place:
    """One region of an account."""

    opened: OpenAccount
    region: str

    def failed(self, error: RemediatorError) -> FleetFailure:
        return _failure(self.opened.source, self.opened.caller.account, self.region, error)


@dataclass(frozen=True)
class _Selected:
    """One ServiceAccount, and the dependencies that read it. `options` select its account and region in another command."""

    target: ServiceAccountRef
    dependencies: Dependencies
    options: str


@dataclass(frozen=True)
class _Reading:
    """Reads items in parallel, and collects the failures."""

    pool: ThreadPoolExecutor
    failures: list[FleetFailure] = field(default_factory=list)

    def each(
        self, text: str, items: Sequence[Item], read: Callable[[Item], Answer], failed: Callable[[Item, RemediatorError], FleetFailure]
    ) -> list[Answer]:
        """Return the answers in the order of the items, without those that failed."""

        def attempt(item: Item) -> Answer | FleetFailure:
            try:
                return read(item)
            except RemediatorError as error:
                return failed(item, error)

        answers = counted(text, items, attempt, self.pool)
        self.failures.extend(answer for answer in answers if isinstance(answer, FleetFailure))
        return [answer for answer in answers if not isinstance(answer, FleetFailure)]


def read_fleet(accounts: Sequence[FleetAccount], fleet: FleetConnection, now: datetime) -> FleetReport:
    """Return the state of every account and region."""
    with ThreadPoolExecutor(MAX_PARALLEL) as pool:
        reading = _Reading(pool)
        opened = reading.each("opening accounts", accounts, fleet.open, lambda source, error: _failure(source, source.account, "", error))
        places = [_Place(account, region) for account in opened for region in account.regions]
        found = reading.each("listing clusters", places, lambda place: _targets(place, fleet), _Place.failed)
        selected = list(chain.from_iterable(found))
        members = worst_first(counted("checking", selected, _member, pool, state=lambda member: member.state))
    return FleetReport(
        at=now,
        members=tuple(members),
        failures=tuple(reading.failures),
        accounts=tuple(sorted({account.caller.account for account in opened})),
        regions=len(found),
    )


def _failure(source: FleetAccount, account: str, region: str, error: RemediatorError) -> FleetFailure:
    sentence, next_step = describe_error(error)
    return FleetFailure(label=source.label, account=account, region=region, sentence=sentence, next_step=next_step)


def _targets(place: _Place, fleet: FleetConnection) -> list[_Selected]:
    """Return the ServiceAccounts of one region. A region without clusters is read further only where a source names it."""
    source = place.opened.source
    if not fleet.clusters(place.opened, place.region) and not source.regions:
        return []
    dependencies, options = fleet.dependencies(place.opened, place.region), _options(source, place.region)
    found = targets(TargetSelection(all_clusters=True), dependencies)
    served = [target for target in found if not source.clusters or target.cluster in source.clusters]
    return [_Selected(target, dependencies, options) for target in served if dependencies.environment.serves(target.cluster)]


def _options(source: FleetAccount, region: str) -> str:
    values = {"--profile": source.profile, "--role-arn": source.role_arn, "--region": region, "--stack": source.stack}
    return " ".join(f"{option} {shlex.quote(value)}" for option, value in values.items() if value)


def _member(one: _Selected) -> FleetMember:
    try:
        return replace(assess_member(one.target, one.dependencies), options=one.options)
    except RemediatorError as error:
        environment = one.dependencies.environment
        failed = TargetAssessment(target=one.target, failure=str(error))
        return FleetMember(account=environment.account, region=environment.region, assessment=failed, options=one.options)
