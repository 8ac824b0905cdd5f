"""Wave after wave of stale pods: the next one when the one before is back, and no wait for pods on lost nodes, which never come back."""

from typing import Final

from lambdas.application.remediation.steps.apply_action import outcome
from lambdas.application.remediation.steps.canary import LOST_LOOKS, Run, replace
from lambdas.application.remediation.steps.step_context import LONGEST_WORDS, StepContext
from lambdas.application.snapshot_collection import read_workload
from lambdas.application.workflow_steps import Json
from lambdas.domain.diagnosis.links.annotation import oldest_first
from lambdas.domain.errors import RemediatorError
from lambdas.domain.plurals import many
from lambdas.domain.snapshot.node_reachability import lost_nodes, wanted_within_reach
from lambdas.domain.snapshot.snapshot import PodFacts, WorkloadFacts

STUCK_LOOKS: Final = 60
MOST_LOST: Final = 500
"""Names of lost nodes that the waves remember: 25 KB of their checkpoint. Pods on more of them are waited for, and then given up."""


def wave(context: StepContext, action: Json, former: Json, run: Run) -> Json:
    """Delete the next wave of stale pods once the one before has come back with the role and is ready."""
    try:
        pods = context.pods()
        lost, places = _reach(context, pods, former)
    except RemediatorError as error:
        return {**former, "state": "waiting", "words": str(error)[:LONGEST_WORDS], "at": context.at()}
    staying = [pod for pod in pods if not pod.deleting and pod.node not in lost]
    carrying = [pod for pod in staying if pod.role_arn == action["role_arn"]]
    right = sum(pod.ready for pod in carrying)
    stale = oldest_first(pod for pod in staying if pod.role_arn != action["role_arn"])
    goal = former.get("goal", right)
    if places is not None:
        goal = min(goal, places - len(stale))  # no more can come back than there are places for
    kept = {"lost": lost, "at": context.at()}
    if right < goal:
        return {**kept, **_missing(goal, right, former)}
    down = len(carrying) - right
    next_wave = _next_wave(stale, action["at_a_time"], down=down)
    if stale and not next_wave:
        words = f"{many(down, 'pod that carries the role is', 'pods that carry the role are')} not ready, so no other is taken down"
        return {**kept, **_missing(goal + down, right, former), "goal": goal, "words": words}
    return {**kept, **_delete(context, next_wave, stale, right, run)}


def _next_wave(stale: tuple[PodFacts, ...], at_a_time: int, *, down: int) -> tuple[PodFacts, ...]:
    """At most so many, those first that are not ready, whose nodes wait for them. One that works is taken down only while fewer are down.

    As the controllers count: what is unavailable already takes a place of `maxUnavailable`, and is itself replaced without one.
    Source: https://github.com/kubernetes/kubernetes/blob/HEAD/pkg/controller/daemon/update.go (rollingUpdate)
    """
    unready, ready = [pod for pod in stale if not pod.ready], [pod for pod in stale if pod.ready]
    return (*unready, *ready[: max(0, at_a_time - down)])[:at_a_time]


def _missing(goal: int, right: int, former: Json) -> Json:
    idle = former.get("idle", 0)
    words = f"{many(goal - right, 'replaced pod has', 'replaced pods have')} not come back ready"
    return {"state": "stuck" if idle >= STUCK_LOOKS else "waiting", "goal": goal, "idle": idle + 1, "words": words}


def _delete(context: StepContext, next_wave: tuple[PodFacts, ...], stale: tuple[PodFacts, ...], right: int, run: Run) -> Json:
    for pod in next_wave:
        outcome(context, replace(pod), run)
    words = f"{many(len(stale), 'stale pod')}, {len(next_wave)} being replaced" if next_wave else "every pod within reach carries the role"
    return {"state": "waiting" if next_wave else "done", "goal": right + len(next_wave), "idle": 0, "words": words}


def _reach(context: StepContext, pods: tuple[PodFacts, ...], former: Json) -> tuple[list[str], int | None]:
    """Lost nodes, as of the first look and whenever nothing has moved for a while: then also how many pods have a place to run at all."""
    idle = former.get("idle", 0)
    if "lost" in former and (idle == 0 or idle % LOST_LOOKS):
        return former["lost"], None
    nodes = context.patiently(context.cluster().nodes)
    lost = sorted(lost_nodes(pods, nodes))[:MOST_LOST]
    workload = context.patiently(lambda: read_workload(context.cluster(), context.incident.target, lambda: pods)) if idle else None
    return lost, wanted_within_reach(workload, pods, nodes) if isinstance(workload, WorkloadFacts) else None
