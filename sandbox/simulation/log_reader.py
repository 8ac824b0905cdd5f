"""What the functions say in their logs, as the outcome of a play."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from lambdas.domain.diagnosis.verdict import Verdict
from sandbox.simulation.scenario_result import Milestone, ScenarioResult

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_ENDS: Final = {"needs-action": "needs-action", "not-approved": "needs-action", "blocked": "blocked"}
"""How an incident ends that is left to people, by the occasion of its message."""


class LogReader:
    """Keeps in the outcome what log lines tell; marks and moments go to those who were given. `planned` is set with the first plan."""

    def __init__(self, outcome: ScenarioResult, mark: Callable[[Milestone], None], moment: Callable[[str, str], None]) -> None:
        self._outcome = outcome
        self._mark = mark
        self._moment = moment
        self.planned = False

    def hear(self, lines: Iterable[tuple[str, str]]) -> None:
        """Take in `(function, line)`s in their order; lines that are not ours are passed over."""
        for function, line in lines:
            try:
                said = json.loads(line)
            except ValueError:
                continue
            if isinstance(said, dict) and "title" in said:
                self.heard(function.rsplit("-", 1)[-1], said)

    def heard(self, function: str, said: Mapping[str, Any]) -> None:
        """Take in one line of a function's log, `checker` or `remediator`, as a moment of the play."""
        match said["title"]:
            case "diagnosis":
                self._diagnosed(function, said)
            case "actions" if "action" in said and said.get("done"):
                if said["action"] not in self._outcome.changes:  # a wave deletes pod by pod
                    self._outcome.changes.append(said["action"])
                self._moment(function, f"{said['action']}: {said['message']}")
            case "actions":
                self._moment(function, str(said["message"]))
            case "plan" if function == "remediator":
                self.planned = True
            case "proof" if said.get("state") == "verified":
                self._mark(Milestone.VERIFIED)
                self._moment(function, f"proven: {said['message']}")
            case "report" if "occasion" in said:
                self._reported(function, said)

    def _diagnosed(self, function: str, said: Mapping[str, Any]) -> None:
        verdict = str(said.get("verdict") or said["message"])
        self._outcome.first_verdict = self._outcome.first_verdict or verdict
        self._outcome.plan_verdict = str(said.get("verdict") or self._outcome.plan_verdict)
        hidden = self._outcome.verdict == Verdict.UPDATE_IN_PROGRESS != verdict and not self._outcome.changes
        if not self._outcome.verdict or (hidden and said.get("broken")):
            self._outcome.verdict = verdict
            self._outcome.verdicts = tuple(said.get("broken", ()))
            self._mark(Milestone.DECISION)
            others = [item for item in self._outcome.verdicts if item != self._outcome.verdict]
            self._moment(function, "diagnosis: " + ", ".join([self._outcome.verdict, *others]))

    def _reported(self, function: str, said: Mapping[str, Any]) -> None:
        occasion = str(said["occasion"])
        self._outcome.outcome = _ENDS.get(occasion, self._outcome.outcome)
        self._moment(function, f"told: {said['message']}")
