"""Whatever the steps' bodies answer: the workflow ends, within the operations that an execution may have, and acts only while it may."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import pytest

from lambdas.application.remediation.workflow import MOST_REPAIRS, remediate
from lambdas.application.workflow_steps import SENDING, TIMED_OUT, Json, PollSchedule, sent
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.domain.assessment.summary import AssessmentSummary, summary_to_json
from lambdas.domain.incidents.incident import Incident, Outcome
from lambdas.domain.planning.actions import ReplaceCanaryPod, ReplaceStalePods
from lambdas.domain.verification import VerificationState
from tests.chaos.protocol.programs import looked
from tests.world import NOON

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_OPERATIONS: Final = 3_000
"""Durable operations of one execution; each look of a step that waits is counted as one, lest the service should count so.

Source: https://docs.aws.amazon.com/lambda/latest/dg/durable-best-practices.html
"""
AT: Final = NOON.isoformat()
WHOLE, ANNOTATION_GONE, HELD = (looked(found, AT) for found in ("whole", "broken", "held"))
ONE = ReplaceCanaryPod(pod="aws-node-1", uid="1", node="n1", newest=AT, role_arn="arn")
SOME = ReplaceStalePods(role_arn="arn", at_a_time=1, count=2)
BROKEN = replace(ANNOTATION_GONE, actions=(*ANNOTATION_GONE.actions, ONE, SOME))
INCIDENT: Final = Incident(id="i", target=ServiceAccountRef("demo", "kube-system", "aws-node"), opened_at=NOON, signals=1, request={})


@dataclass
class CountingSteps:
    """Counts operations, holds that no name comes twice, and looks as often as `attempts` says or patience allows."""

    answers: Callable[[], Json]
    attempts: Callable[[], int]
    operations: int = 0
    names: set[str] = field(default_factory=set)

    def once(self, name: str, do: Callable[[], Json]) -> Json:
        self._count(name)
        done: Json = json.loads(json.dumps(do()))
        return done

    def until(self, name: str, check: Callable[[Json], Json], settled: Callable[[Json], bool], patience: PollSchedule) -> Json:
        self._count(name)
        state, most, attempt = {}, self.attempts(), 0
        while True:
            state, attempt = json.loads(json.dumps(check(state))), attempt + 1
            if settled(state):
                return state
            if attempt >= most or patience.delay_s(attempt) is None:
                return {**state, **TIMED_OUT}
            self.operations += 1

    def pause(self, name: str, seconds: int) -> None:
        self._count(name)
        assert seconds >= 1

    def ask(self, name: str, put: Callable[[str], Json], timeout_s: int) -> Json:
        self._count(name)
        self.until(f"{name}: put", lambda _: put("callback"), sent, SENDING)
        return self.answers()

    def _count(self, name: str) -> None:
        assert name not in self.names, f"{name} comes twice: a replay would take the one for the other"
        self.names.add(name)
        self.operations += 1


@dataclass
class Capricious:
    """Answers anything that the port allows, and keeps what was asked of it."""

    chance: random.Random
    asked: list[str] = field(default_factory=list)

    def look(self, turn: int, former: Json) -> Json:
        self.asked.append("look")
        match self.chance.randrange(12):
            case 0:
                return {**former, "unread": "no answer", "at": AT}
            case 1:
                return {"taken": "another's", "at": AT} if self.chance.random() < 0.02 else {**former, "unread": "no answer", "at": AT}
        return {"look": summary_to_json(self._seen()), "signals": 1, "looks": self.chance.randrange(14), "at": AT}

    def _seen(self) -> AssessmentSummary:
        seen = self.chance.choices((WHOLE, BROKEN, HELD), (1, 6, 3))[0]
        return replace(
            seen,
            needs_approval=bool(seen.actions) and self.chance.random() < 0.3,
            wait="an update runs" if self.chance.random() < 0.1 else "",
            binding_version=self.chance.randrange(3),
        )

    def _maybe(self, name: str, likely: float, yes: Json, *others: Json) -> Json:
        self.asked.append(name)
        return {**(yes if self.chance.random() < likely else self.chance.choice(others)), "at": AT}

    def begin(self, former: Json) -> Json:
        state = self._maybe("begin", 0.9, {"ours": True}, {"ours": False}, {})
        self.asked += ["begun"] if state.get("ours") else []
        return state

    def rest(self, former: Json) -> Json:
        return self._maybe("rest", 0.9, {"ours": True}, {})

    def act(self, action: Json) -> Json:
        others = ({"done": False, "conflict": True}, {"done": False, "busy": True}, {"done": False, "words": "denied"})
        return self._maybe("restore" if action["kind"] == "restore-annotation" else "act", 0.8, {"done": True, "words": "done"}, *others)

    def canary(self, action: Json, former: Json) -> Json:
        return self._maybe("follow", 0.7, {"state": "carried"}, {"state": "waiting"}, {"state": "missed"}, {"state": "unready"})

    def wave(self, action: Json, former: Json) -> Json:
        return self._maybe("follow", 0.7, {"state": "done"}, {"state": "waiting"}, {"state": "stuck"})

    def verify(self, before: Json, former: Json) -> Json:
        self.asked.append("prove")
        told = {"proof": self.chance.choice(list(VerificationState)), "sentence": "so far", "at": AT}
        return {**told, "look": summary_to_json(self._seen())} if self.chance.random() < 0.8 else told

    def tell(self, key: str, about: Json) -> Json:
        return self._maybe(f"tell {about['occasion']}", 0.8, {"sent": True}, {"sent": False}, {"sent": False, "failed": "down"})

    def ask(self, about: Json, callback_id: str) -> Json:
        return self._maybe("ask", 0.8, {"sent": True}, {"sent": False, "failed": "down"})

    def answered(self) -> Json:
        return self._maybe("answered", 1.0, {})

    def close(self, outcome: Outcome, about: Json, former: Json) -> Json:
        return self._maybe("close", 0.6, {"closed": True}, {"closed": False}, {})


def course(seed: int) -> tuple[Json, CountingSteps, list[str]]:
    chance = random.Random(seed)
    answers: list[Json] = [{"approved": True, "by": "a"}, {"approved": True, "by": "a"}, {"approved": False, "by": "b"}, dict(TIMED_OUT)]
    steps = CountingSteps(answers=lambda: chance.choice(answers), attempts=lambda: chance.randint(1, 12))
    work = Capricious(chance)
    return remediate(INCIDENT, steps, work), steps, work.asked


def test_every_course_ends_within_its_operations_and_acts_only_while_it_may() -> None:
    _hold(range(60))


@pytest.mark.long
@pytest.mark.timeout(900)
def test_every_course_ends_within_its_operations_at_length() -> None:
    _hold(range(60, 3_000))


def _hold(seeds: range) -> None:
    for seed in seeds:
        ended, steps, asked = course(seed)
        assert ended["outcome"]
        assert steps.operations < MOST_OPERATIONS, seed
        assert asked.count("begun") <= MOST_REPAIRS
        _acts_only_between_begin_and_rest(asked)
        assert asked.count("restore") <= MOST_REPAIRS


def _acts_only_between_begin_and_rest(asked: list[str]) -> None:
    may = False
    for item in asked:
        may = item == "begun" or (may and item not in ("rest", "look"))
        assert may or item not in ("act", "follow", "restore"), asked


def test_the_courses_are_of_every_sort() -> None:
    """What they show is worth what they meet."""
    outcomes = {course(seed)[0]["outcome"] for seed in range(60)}
    asked = {item for seed in range(60) for item in course(seed)[2]}
    assert {Outcome.VERIFIED, Outcome.RECOVERED} <= outcomes
    assert {"restore", "ask", "follow", "tell needs-action", "tell not-approved", "close"} <= asked


class Unmoved(Capricious):
    """Broken in a way that only a person can repair, and nobody comes."""

    def look(self, turn: int, former: Json) -> Json:
        return {"look": summary_to_json(replace(HELD, blocked=())), "signals": 1, "at": AT}

    def _maybe(self, name: str, likely: float, yes: Json, *others: Json) -> Json:
        self.asked.append(name)
        return {**yes, "at": AT}


def test_four_days_of_waiting_for_a_person_stay_within_the_operations() -> None:
    steps = CountingSteps(answers=dict, attempts=lambda: 10**9)
    work: Any = Unmoved(random.Random(0))
    remediate(INCIDENT, steps, work)
    assert 300 < steps.operations < MOST_OPERATIONS / 2
    assert [item for item in work.asked if item.startswith("tell")].count("tell reminder") == 4
