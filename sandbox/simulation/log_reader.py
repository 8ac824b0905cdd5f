"""Derives the result of a scenario run from the logs of the functions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from lambdas.domain.diagnosis.verdict import Verdict
from sandbox.simulation.scenario_result import Milestone, ScenarioResult

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_FINAL_MESSAGES: Final = {"needs-action": "needs-action", "not-approved": "needs-action", "blocked": "blocked"}
"""Kind of a notification -> outcome of an incident that needs a person."""


class LogReader:
    """Writes what the log lines say into the result.

    `is_planned` becomes true with the first plan. `milestone` and `entry` are called for each milestone and timeline entry.
    """

    def __init__(self, result: ScenarioResult, milestone: Callable[[Milestone], None], entry: Callable[[str, str], None]) -> None:
        self._result = result
        self._milestone = milestone
        self._entry = entry
        self.is_planned = False

    def read_lines(self, lines: Iterable[tuple[str, str]]) -> None:
        """Read pairs of function name and log line in order; lines in another format are ignored."""
        for function, line in lines:
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if isinstance(record, dict) and "title" in record:
                self.read(function.rsplit("-", 1)[-1], record)

    def read(self, function: str, record: Mapping[str, Any]) -> None:
        """Read one log record of the `checker` or the `remediator`."""
        match record["title"]:
            case "diagnosis":
                self._read_diagnosis(function, record)
            case "actions" if "action" in record and record.get("done"):
                if record["action"] not in self._result.actions:  # a rolling replacement logs each pod
                    self._result.actions.append(record["action"])
                self._entry(function, f"{record['action']}: {record['message']}")
            case "actions":
                self._entry(function, str(record["message"]))
            case "plan" if function == "remediator":
                self.is_planned = True
            case "verification" if record.get("state") == "verified":
                self._milestone(Milestone.VERIFIED)
                self._entry(function, f"verified: {record['message']}")
            case "report" if kind := record.get("kind"):
                self._result.outcome = _FINAL_MESSAGES.get(str(kind), self._result.outcome)
                self._entry(function, f"message: {record['message']}")

    def _read_diagnosis(self, function: str, record: Mapping[str, Any]) -> None:
        result, verdict = self._result, str(record.get("verdict") or record["message"])
        result.first_verdict = result.first_verdict or verdict
        result.plan_verdict = str(record.get("verdict") or result.plan_verdict)
        was_updating = result.verdict == Verdict.UPDATE_IN_PROGRESS != verdict and not result.actions
        if not result.verdict or (was_updating and record.get("broken")):
            result.verdict = verdict
            result.verdicts = tuple(record.get("broken", ()))
            self._milestone(Milestone.DIAGNOSIS)
            others = [other for other in result.verdicts if other != verdict]
            self._entry(function, "diagnosis: " + ", ".join([verdict, *others]))
