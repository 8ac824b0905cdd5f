"""What can happen in a scenario's world, each by the word that its story uses."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from lambdas.contract.names import CNI_ADDON, ROLE_ANNOTATION
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.domain.errors import AccessDenied, Denial, TransientError
from lambdas.domain.snapshot.snapshot import AddonFacts, FieldWriter, HealthIssue
from sandbox.simulation.history import STS_TIMEOUT_MESSAGE, past_repairs
from sandbox.simulation.scenario import InvalidScenario, lookup
from tests.over_fakes import events
from tests.over_fakes.ground import CLUSTER, resolve_role
from tests.world import Update

if TYPE_CHECKING:
    from tests.over_fakes.performance import Performance

How = Mapping[str, Any]
NEVER_AGAIN = 10**6


def _update_addon(play: Performance, how: How) -> None:
    here, role = play.world.cluster, resolve_role(how.get("role"))
    record = here.addons[CNI_ADDON]
    becomes = replace(record, version=how.get("addonVersion", record.version), role_arn=role, status="ACTIVE")
    becomes, annotates = (_failed(record, play.next_failure), False) if play.next_failure else (becomes, True)
    here.addons[CNI_ADDON] = replace(record, status="UPDATING")
    here.updates[CNI_ADDON] = Update(becomes, here.update_looks, annotates=annotates)
    play.next_failure = None
    play.letters.append(events.update_addon(play.world.now, version=becomes.version, role=role))


def _failed(record: AddonFacts, issue: HealthIssue | None) -> AddonFacts:
    return replace(record, status="UPDATE_FAILED", issues=(issue,) if issue else ())


def _update_ends(play: Performance, _how: How) -> None:
    play.world.cluster.updates[CNI_ADDON].looks = 0
    play.world.advance_update(play.world.cluster, CNI_ADDON)


def _cloudtrail_is_late(_play: Performance, _how: How) -> None:
    """As always here: events come when the story is told."""


def _slow_updates(play: Performance, how: How) -> None:
    play.world.cluster.update_looks = int(how["value"])


def _fail_update(play: Performance, how: How) -> None:
    play.next_failure = HealthIssue(code=how["code"], message=how["message"], resources=tuple(how.get("resources", ())))


def _join_nodes(play: Performance, how: How) -> None:
    play.world.join_nodes(int(how["value"]))


def _annotate(play: Performance, how: How) -> None:
    world, key = play.world, how.get("key", ROLE_ANNOTATION)
    value, by = resolve_role(how.get("value")), how.get("by", "kubectl-annotate")
    if key == ROLE_ANNOTATION:
        world.set_annotation(world.cluster, world.key, value, by)
        return
    old = world.cluster.accounts[world.key]
    annotations = {name: text for name, text in {**old.role_annotations, key: value}.items() if text is not None}
    wrote = FieldWriter(manager=by, at=world.now, owns_annotation=True)
    world.cluster.accounts[world.key] = replace(
        old, role_annotations=annotations, resource_version=world.number(), writers=(*old.writers, wrote)
    )


def _replace_pods(play: Performance, how: How) -> None:
    cluster = play.world.cluster
    names = [name for name, pod in cluster.pods.items() if not (how.get("within_reach") and cluster.is_lost(pod.facts.node))]
    for name in names[: int(how.get("value", len(names)))]:
        play.world.replace_pod(play.world.cluster, name)


def _webhook(play: Performance, how: How) -> None:
    webhook = play.world.cluster.webhook
    for name, value in how.items():
        match name:
            case "outage":
                webhook.misses = NEVER_AGAIN if value else 0
            case "miss_next":
                webhook.misses = int(value)
            case "cache_lag_s":
                webhook.lag = timedelta(seconds=float(value))
            case _:
                raise InvalidScenario(f"the webhook has no {name!r}")


def _stop_kubelet(play: Performance, how: How) -> None:
    for name in list(play.world.cluster.nodes)[: int(how.get("value", 1))]:
        play.world.lose_node(play.world.cluster, name)


def _node_says(play: Performance, how: How) -> None:
    nodes = play.world.cluster.nodes
    first = next(iter(nodes.values()))
    shut_down = "node.cloudprovider.kubernetes.io/shutdown" in how.get("taints", ())
    said = {"message": how["message"], "pressures": tuple(how.get("pressures", ())), "shut_down": shut_down}
    nodes[first.name] = replace(first, ready=False, reason="KubeletNotReady", since=play.world.now, **said)


def _sts_unreachable(play: Performance, _how: How) -> None:
    for pod in play.world.cluster.pods.values():
        pod.facts = replace(pod.facts, ready=False, waiting="CrashLoopBackOff", last_words=STS_TIMEOUT_MESSAGE)


def _check(play: Performance, _how: How) -> None:
    play.deliver(events.check_requested(play.world.now))
    assert not play.opened, "a check was to find all well"
    play.log.lines.clear()
    play.world.sleep(1)


def _past_repairs(play: Performance, how: How) -> None:
    for past in past_repairs(int(how["value"]), ServiceAccountRef(CLUSTER, *play.world.key), play.world.now):
        play.incidents.remember(past)


_KINDS: Mapping[str, Callable[[str], Exception]] = {
    "access-denied": lambda text: AccessDenied(text, denial=Denial.FORBIDDEN),
    "throttle": TransientError,
    "server-error": TransientError,
    "timeout": TransientError,
    "reset": TransientError,
}
_METHODS = {("eks", "DescribeAddon"): "eks.addon", ("eks", "DescribeCluster"): "eks.cluster", ("iam", "GetRole"): "iam.role"}


def _fault(play: Performance, how: How) -> None:
    operation = (how["service"], how["operation"])
    if operation not in _METHODS:
        raise InvalidScenario(f"no fake stands for {operation[0]}:{operation[1]}")
    said = " ".join(re.findall("[A-Z][a-z]+", how["operation"])).lower()
    play.world.fail(_METHODS[operation], _KINDS[how["kind"]](f"{said}: {how['kind']}"), times=int(how.get("times", 1)))


def _wait(play: Performance, how: How) -> None:
    play.world.sleep(float(how["value"]))


HAPPENINGS: Mapping[str, Callable[[Performance, How], None]] = {
    "update_addon": _update_addon,
    "update_ends": _update_ends,
    "slow_updates": _slow_updates,
    "cloudtrail_is_late": _cloudtrail_is_late,
    "fail_update": _fail_update,
    "join_nodes": _join_nodes,
    "annotate": _annotate,
    "replace_pods": _replace_pods,
    "webhook": _webhook,
    "stop_kubelet": _stop_kubelet,
    "node_says": _node_says,
    "sts_unreachable": _sts_unreachable,
    "check": _check,
    "past_repairs": _past_repairs,
    "fault": _fault,
    "wait": _wait,
}


def run_step(play: Performance, what: str, how: How) -> None:
    """Let one thing happen.

    Raises:
        InvalidScenario: nothing of that name can happen.
    """
    lookup(what, HAPPENINGS, "happening")(play, how)
