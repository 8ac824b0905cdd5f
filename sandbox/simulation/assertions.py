"""Whether a play came to what its scenario expects, in words."""

import json
from collections.abc import Iterator

from sandbox.simulation.scenario import Expectation
from sandbox.simulation.scenario_result import ScenarioResult


def differences(expected: Expectation, outcome: ScenarioResult) -> list[str]:
    """What came out otherwise than expected, one sentence each; empty where all is as it must be."""
    return [*_verdicts(expected, outcome), *_changes(expected, outcome), *_messages(expected, outcome), *_nodes(expected, outcome)]


def _verdicts(expected: Expectation, outcome: ScenarioResult) -> Iterator[str]:
    if expected.verdict not in (outcome.verdict, outcome.first_verdict):
        yield f"the verdict is {outcome.verdict or 'none'}, not {expected.verdict}"
    if expected.plan_verdict not in ("", outcome.plan_verdict):
        yield f"the verdict of the plan is {outcome.plan_verdict or 'none'}, not {expected.plan_verdict}"
    if missing := set(expected.also) - set(outcome.verdicts):
        yield f"not found beside it: {', '.join(sorted(missing))}"


def _changes(expected: Expectation, outcome: ScenarioResult) -> Iterator[str]:
    wanted = list(expected.changes)
    seen = outcome.changes if expected.only_changes else outcome.changes[: len(wanted)]
    if seen != wanted:
        yield f"the changes are {', '.join(outcome.changes) or 'none'}, not {', '.join(wanted) or 'none'}"


def _messages(expected: Expectation, outcome: ScenarioResult) -> Iterator[str]:
    said = json.dumps(outcome.messages, ensure_ascii=False)
    yield from (f"no message says {text!r}" for text in expected.says if text not in said)
    if expected.outcome in ("quiet", "silent", "recovered") and outcome.messages:
        yield f"messages were sent where nobody need be told: {len(outcome.messages)}"


def _nodes(expected: Expectation, outcome: ScenarioResult) -> Iterator[str]:
    ready, total = outcome.nodes
    if expected.outcome == "verified" and ready != total:
        yield f"{ready} of {total} nodes are Ready"
