"""Seeing replaced pods come back with the role: the canary's successor, and wave after wave of stale pods."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from lambdas.domain.action import Action, ReplaceOnePod
from lambdas.domain.counting import many
from lambdas.domain.errors import RemediatorError
from lambdas.domain.links.annotation import oldest_first
from lambdas.domain.observation import PodFacts
from lambdas.remediator.steps import Json
from lambdas.remediator.work.bench import LONGEST_WORDS, Bench
from lambdas.remediator.work.doing import outcome

QUICK_LOOKS: Final = 8
"""Short looks within one step for what usually takes a second: a durable wait is at least that long."""
QUICK_PAUSE_S: Final = 0.25
MOST_MISSES: Final = 3
READY_LOOKS: Final = 12
"""Looks (up to ten seconds apart) within which a canary's successor has to turn ready where its predecessor was."""
STUCK_LOOKS: Final = 60

Run = Callable[[Action], str]


def canary(bench: Bench, action: Json, former: Json, run: Run) -> Json:
    """Has the replaced pod's successor the role? A successor that the webhook missed is replaced again, a bounded number of times."""
    state = former
    for _ in range(QUICK_LOOKS):
        state = _canary(bench, action, state, run)
        if state["state"] != "waiting" or state.get("missed_uid"):
            break
        bench.sleep(QUICK_PAUSE_S)
    return {**state, "looks": former.get("looks", 0) + 1}


def _canary(bench: Bench, action: Json, former: Json, run: Run) -> Json:
    base = {"missed": former.get("missed", 0), "looks": former.get("looks", 0), "at": bench.at()}
    try:
        pods = bench.pods()
    except RemediatorError as error:
        return {**base, "state": "waiting", "words": str(error)[:LONGEST_WORDS]}
    found = _successor(pods, action)
    if found is None:
        return {**base, "state": "waiting", "words": "no successor yet"}
    if found.role_arn == action["role_arn"]:
        return _with_role(found, action, base)
    return _missed(bench, found, former, base, run)


def _with_role(found: PodFacts, action: Json, base: Json) -> Json:
    if found.ready or action["before"] != "well":
        return {**base, "state": "carried", "words": f"{found.name} carries the role"}
    if base["looks"] >= READY_LOOKS:
        return {**base, "state": "unready", "words": f"{found.name} carries the role but does not turn ready as its predecessor was"}
    return {**base, "state": "waiting", "words": f"{found.name} carries the role and is starting"}


def _missed(bench: Bench, found: PodFacts, former: Json, base: Json, run: Run) -> Json:
    if former.get("missed_uid") != found.uid:  # the webhook learns of an annotation with some delay: give it a pause
        return {**base, "state": "waiting", "missed_uid": found.uid, "words": f"{found.name} was admitted without the role"}
    if base["missed"] >= MOST_MISSES:
        words = f"the identity webhook missed {found.name} {MOST_MISSES + 1} times in a row; the other pods were left as they are"
        return {**base, "state": "missed", "words": words}
    told = outcome(bench, _replace(found), run)
    return {**base, "missed": base["missed"] + 1, "state": "waiting", "words": str(told.get("words"))}


def _successor(pods: tuple[PodFacts, ...], action: Json) -> PodFacts | None:
    """The newest pod that took the replaced one's place: on its node, or, where any node will do, one that the plan did not know."""
    if action["node"]:
        fit = [pod for pod in pods if pod.node == action["node"] and pod.uid != action["uid"] and not pod.deleting]
    else:
        newest = datetime.fromisoformat(action["newest"])
        known = {action["uid"], *action["as_new"]}
        fit = [pod for pod in pods if pod.created_at >= newest and pod.uid not in known and not pod.deleting]
    return max(fit, key=lambda pod: (pod.created_at, pod.name), default=None)


def wave(bench: Bench, action: Json, former: Json, run: Run) -> Json:
    """Delete the next wave of stale pods once the one before has come back with the role and is ready."""
    try:
        pods = bench.pods()
    except RemediatorError as error:
        return {**former, "state": "waiting", "words": str(error)[:LONGEST_WORDS], "at": bench.at()}
    right = sum(pod.role_arn == action["role_arn"] and pod.ready and not pod.deleting for pod in pods)
    goal, idle = former.get("goal", right), former.get("idle", 0)
    if right < goal:
        words = f"{many(goal - right, 'replaced pod has', 'replaced pods have')} not come back ready"
        return {"state": "stuck" if idle >= STUCK_LOOKS else "waiting", "goal": goal, "idle": idle + 1, "words": words, "at": bench.at()}
    stale = oldest_first(pod for pod in pods if pod.role_arn != action["role_arn"] and not pod.deleting)
    next_wave = stale[: action["at_a_time"]]
    for pod in next_wave:
        outcome(bench, _replace(pod), run)
    words = f"{many(len(stale), 'stale pod')}, {len(next_wave)} being replaced" if next_wave else "every pod carries the role"
    return {"state": "waiting" if next_wave else "done", "goal": right + len(next_wave), "idle": 0, "words": words, "at": bench.at()}


def _replace(pod: PodFacts) -> ReplaceOnePod:
    return ReplaceOnePod(pod=pod.name, uid=pod.uid, node=pod.node, newest="", role_arn=pod.role_arn or "")
