"""Compares the result of a scenario run with its expectation."""

import json
from collections.abc import Iterator

from sandbox.simulation.scenario import Expectation
from sandbox.simulation.scenario_result import ScenarioResult


def differences(expected: Expectation, result: ScenarioResult) -> list[str]:
    """One sentence for each difference; empty if the result is as expected."""
    return list(_differences(expected, result))


def _differences(expected: Expectation, result: ScenarioResult) -> Iterator[str]:
    if expected.verdict not in (result.verdict, result.first_verdict):
        yield f"the verdict is {result.verdict or 'none'}, not {expected.verdict}"
    if expected.plan_verdict not in ("", result.plan_verdict):
        yield f"the verdict of the plan is {result.plan_verdict or 'none'}, not {expected.plan_verdict}"
    if missing := set(expected.also) - set(result.verdicts):
        yield f"missing verdicts: {', '.join(sorted(missing))}"
    expected_actions = list(expected.actions)
    if expected_actions != (result.actions if expected.exact_actions else result.actions[: len(expected_actions)]):
        yield f"the actions are {', '.join(result.actions) or 'none'}, not {', '.join(expected_actions) or 'none'}"
    text = json.dumps(result.messages, ensure_ascii=False)
    yield from (f"no message contains {part!r}" for part in expected.message_contains if part not in text)
    if result.node_log is not None and (missing := set(expected.node_log) - set(result.node_log)):
        yield f"no log on a node shows {', '.join(sorted(missing))}; they show {', '.join(result.node_log) or 'no cause'}"
    if expected.outcome in ("no-incident", "no-message", "recovered") and result.messages:
        yield f"{len(result.messages)} unexpected messages were sent"
    ready, total = result.nodes
    if expected.outcome == "verified" and ready != total:
        yield f"{ready} of {total} nodes are Ready"
