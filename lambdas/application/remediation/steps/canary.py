"""Seeing the canary's successor come back with the role."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from lambdas.application.remediation.steps.apply_action import outcome
from lambdas.application.remediation.steps.step_context import LONGEST_WORDS, StepContext
from lambdas.application.workflow_steps import Json
from lambdas.domain.errors import RemediatorError
from lambdas.domain.planning.actions import Action, ReplaceCanaryPod
from lambdas.domain.snapshot.node_reachability import lost_nodes
from lambdas.domain.snapshot.snapshot import PodFacts

QUICK_PAUSES_S: Final = (0.05, 0.05, 0.05, 0.05, 0.1, 0.1, 0.15, 0.25, 0.4, 0.4, 0.4)
"""Short pauses after looks within one step for what usually takes a second: a durable wait is at least that long."""
MOST_MISSES: Final = 3
READY_LOOKS: Final = 12
"""Looks (up to ten seconds apart) within which a canary's successor has to turn ready where its predecessor was."""
LOST_LOOKS: Final = 4
"""Looks without progress after which the nodes are read: a pod on a node that was lost meanwhile never comes back."""

Run = Callable[[Action], str]


def canary(context: StepContext, action: Json, former: Json, run: Run) -> Json:
    """Has the replaced pod's successor the role? A successor that the webhook missed is replaced again, a bounded number of times."""
    state = former
    for pause_s in QUICK_PAUSES_S:
        state = _canary(context, action, state, run)
        if state["state"] != "waiting" or state.get("missed_uid"):
            break
        context.sleep(pause_s)
    looks = former.get("looks", 0) + 1
    hopeless = state["state"] == "unready" or (state["state"] == "waiting" and looks % LOST_LOOKS == 0)
    if hopeless and _on_lost_node(context, action):
        state = {**state, "state": "lost", "words": "the node of the replaced pod was lost meanwhile"}
    return {**state, "looks": looks}


def _on_lost_node(context: StepContext, action: Json) -> bool:
    try:
        pods = context.pods()
        lost = lost_nodes(pods, context.patiently(context.cluster().nodes))
    except RemediatorError as error:
        context.log("snapshot", str(error), incident=context.incident.id, error=error)
        return False
    found = _successor(pods, action)
    return (found.node if found else action["node"]) in lost


def _canary(context: StepContext, action: Json, former: Json, run: Run) -> Json:
    base = {"missed": former.get("missed", 0), "looks": former.get("looks", 0), "at": context.at()}
    try:
        pods = context.pods(action["node"])  # of thousands of pods the one that matters; where any node will do, all of them
    except RemediatorError as error:
        return {**base, "state": "waiting", "words": str(error)[:LONGEST_WORDS]}
    found = _successor(pods, action)
    if found is None:
        return {**base, "state": "waiting", "words": "no successor yet"}
    if found.role_arn == action["role_arn"]:
        return _with_role(found, action, base)
    return _missed(context, found, former, base, run)


def _with_role(found: PodFacts, action: Json, base: Json) -> Json:
    if found.ready or action["before"] != "well":
        return {**base, "state": "carried", "words": f"{found.name} carries the role"}
    if base["looks"] >= READY_LOOKS:
        return {**base, "state": "unready", "words": f"{found.name} carries the role but does not turn ready as its predecessor was"}
    return {**base, "state": "waiting", "words": f"{found.name} carries the role and is starting"}


def _missed(context: StepContext, found: PodFacts, former: Json, base: Json, run: Run) -> Json:
    if former.get("missed_uid") != found.uid:  # the webhook learns of an annotation with some delay: give it a pause
        return {**base, "state": "waiting", "missed_uid": found.uid, "words": f"{found.name} was admitted without the role"}
    if base["missed"] >= MOST_MISSES:
        words = f"the identity webhook missed {found.name} {MOST_MISSES + 1} times in a row; the other pods were left as they are"
        return {**base, "state": "missed", "words": words}
    told = outcome(context, replace(found), run)
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


def replace(pod: PodFacts) -> ReplaceCanaryPod:
    """The deletion of exactly this pod."""
    return ReplaceCanaryPod(pod=pod.name, uid=pod.uid, node=pod.node, newest="", role_arn=pod.role_arn or "")
