"""Rules, patterns, the round trip of an event, the schedule, and the sources that an account may switch off."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from cli.queries.stack_verification.results import CheckResult, Verification, shown_if, unknown
from cli.queries.stack_verification.sample_events import sample_events
from cli.queries.trigger_sources import TriggerSourceState, trigger_sources
from lambdas.contract.environment import Function
from lambdas.contract.events import SUBSCRIPTIONS, SWEEP_RATE_MINUTES
from lambdas.contract.self_test import Answer
from lambdas.contract.stack_checks import CheckId

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cli.clients.stack_ports import DeployedRule

ROUND_TRIP_TIMEOUT_S: Final = 60
POLL_S: Final = 0.5
OWN_EVENTS: Final = "OwnEvents"
SWEEPS_MISSED: Final = 3
"""Sweeps that may be late: the number after which the stack's own alarm is on."""
_SWEEP_SCHEDULE: Final = f"rate({SWEEP_RATE_MINUTES} minutes)"
_SOURCES: Final = {"CloudTrail": CheckId.CLOUDTRAIL, "audit log": CheckId.AUDIT_LOG, "alarm on nodes": CheckId.NODE_ALARM}
_ANSWERS: Final = {
    TriggerSourceState.ON: Answer.SHOWN,
    TriggerSourceState.OFF: Answer.REFUTED,
    TriggerSourceState.UNKNOWN: Answer.UNKNOWN,
}


def rules(run: Verification) -> Iterator[CheckResult]:
    """Compare the deployed rules with the contract, then test each pattern, then send an event along the way."""
    checker = run.functions.get(run.dependencies.environment.role_of(Function.CHECKER))
    if checker is None:
        yield replace(unknown(CheckId.EVENT_RULES), detail="not tested, since the checker was not found")
        return

    def read() -> tuple[Answer, str]:
        run.rules = run.dependencies.stack.events.rules(checker.arn)
        problems = list(_rule_problems(run))
        return shown_if(not problems, "; ".join(problems) or f"{len(SUBSCRIPTIONS)} rules")

    yield run.result(unknown(CheckId.EVENT_RULES), read)


def _subscribed(run: Verification) -> Mapping[str, DeployedRule]:
    """The deployed rule of each subscription, by its pattern: CloudFormation generates the names."""
    our_roles = run.dependencies.environment.our_role_arns.split(",")
    found = {name: item.pattern(our_roles) for name, item in SUBSCRIPTIONS.items()}
    deployed = [(name, rule) for name, pattern in found.items() for rule in run.rules if rule.pattern == pattern]
    return dict(deployed)


def _rule_problems(run: Verification) -> Iterator[str]:
    subscribed = _subscribed(run)
    for name, subscription in SUBSCRIPTIONS.items():
        rule = subscribed.get(name)
        if rule is None:
            yield f"{name}: no rule with the pattern of this release targets the checker"
        elif rule.state != subscription.state:
            yield f"{name}: {rule.name} is {rule.state}, not {subscription.state}"


def patterns(run: Verification) -> Iterator[CheckResult]:
    """Let EventBridge test the pattern of each rule that exists."""
    subscribed = _subscribed(run)
    if not subscribed:
        yield replace(unknown(CheckId.EVENT_PATTERNS), detail="not tested, since no rule was found")
        return
    events = sample_events(run.dependencies.environment)

    def read() -> tuple[Answer, str]:
        port = run.dependencies.stack.events
        wrong = [name for name, rule in subscribed.items() if not port.matches(rule.pattern or {}, events[name])]
        return shown_if(not wrong, f"not matched: {', '.join(wrong)}" if wrong else f"{len(subscribed)} patterns")

    yield run.result(unknown(CheckId.EVENT_PATTERNS), read)


def round_trip(run: Verification) -> Iterator[CheckResult]:
    """Send an event with a nonce, and wait for the row that the checker writes."""
    rule = _subscribed(run).get(OWN_EVENTS)
    if rule is None or rule.state != SUBSCRIPTIONS[OWN_EVENTS].state or not run.is_shown(CheckId.FUNCTION_ANSWERS, Function.CHECKER):
        yield replace(unknown(CheckId.EVENT_ROUND_TRIP), detail=f"not tested: it needs the rule {OWN_EVENTS} and a checker that answers")
        return
    yield run.result(unknown(CheckId.EVENT_ROUND_TRIP), lambda: _sent(run))


def _sent(run: Verification) -> tuple[Answer, str]:
    port, nonce = run.dependencies.stack.events, uuid4().hex
    port.send_delivery_test(nonce)
    ends_at = run.seconds() + ROUND_TRIP_TIMEOUT_S
    while run.seconds() < ends_at:
        if port.delivered_at(nonce):
            return Answer.SHOWN, "bus, rule, checker, table"
        run.dependencies.sleep(POLL_S)
    return Answer.REFUTED, f"the event did not reach the table within {ROUND_TRIP_TIMEOUT_S} seconds"


def schedule(run: Verification) -> Iterator[CheckResult]:
    """Read the rule of the sweep, and the metric of the last sweeps."""
    checker = run.functions.get(run.dependencies.environment.role_of(Function.CHECKER))
    if checker is None or not run.rules:
        yield replace(unknown(CheckId.SWEEP_SCHEDULE), detail="not tested, since no rule of the checker was found")
        return
    rule = next((rule for rule in run.rules if rule.schedule == _SWEEP_SCHEDULE), None)
    if rule is None or rule.state != "ENABLED":
        detail = f"{rule.name} is {rule.state}" if rule else f"no rule with {_SWEEP_SCHEDULE} targets the checker"
        yield replace(unknown(CheckId.SWEEP_SCHEDULE), answer=Answer.REFUTED, detail=detail)
        return
    now, window = run.dependencies.now(), timedelta(minutes=SWEEPS_MISSED * SWEEP_RATE_MINUTES)

    def read() -> tuple[Answer, str]:
        minutes = round(window.total_seconds() / 60)
        if sweeps := run.dependencies.stack.operation.sweeps(now - window, now):
            return Answer.SHOWN, f"{sweeps} in the last {minutes} minutes"
        detail = f"no sweep ended in the last {minutes} minutes"
        if checker.modified_at and now - checker.modified_at < window:
            return Answer.UNKNOWN, f"{detail}, and the checker is younger than that: run the command again, or use --wait"
        return Answer.REFUTED, detail

    yield run.result(unknown(CheckId.SWEEP_SCHEDULE), read)


def sources(run: Verification) -> Iterator[CheckResult]:
    """Read the trail once, and audit log and alarm of each cluster."""
    seen: set[CheckId] = set()
    for cluster in run.clusters:
        began = run.seconds()
        for source in trigger_sources(cluster, run.dependencies.trigger_sources):
            check = _SOURCES.get(source.name)
            if check is None or (check is CheckId.CLOUDTRAIL and check in seen):
                continue
            seen.add(check)
            where = "" if check is CheckId.CLOUDTRAIL else cluster
            took_ms, began = round((run.seconds() - began) * 1000), run.seconds()
            yield CheckResult(check=check, answer=_ANSWERS[source.state], cluster=where, detail=source.detail, took_ms=took_ms)
