"""The statuses that a kubelet reports for a pod: starting, running, failing."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sandbox.controllers.client import View

Status = dict[str, Any]
NO_RESTARTS: Final[Mapping[str, int]] = MappingProxyType({})


def starting(pod: View, node: View, now: str) -> Status:
    """The kubelet has accepted the pod; no container runs yet."""
    waiting = {"waiting": {"reason": "PodInitializing" if pod["spec"].get("initContainers") else "ContainerCreating"}}
    return {
        "phase": "Pending",
        "startTime": now,
        "hostIP": _address(node),
        "conditions": _conditions(pod, now, initialized=not pod["spec"].get("initContainers"), ready=False),
        "initContainerStatuses": [_container(each, {"waiting": {"reason": "PodInitializing"}}) for each in _init(pod)] or None,
        "containerStatuses": [_container(each, waiting) for each in pod["spec"]["containers"]],
    }


def running(pod: View, node: View, now: str, *, restarts: Mapping[str, int] = NO_RESTARTS) -> Status:
    """Every container is ready. `restarts` are new restart counts by container."""
    return _started(pod, node, now, frozenset(), restarts)


def failing(pod: View, node: View, now: str, container: str, restarts: int, *, exit_code: int) -> Status:
    """One container runs and is not ready; the others are ready. After a restart, its last state has the exit code."""
    status = _started(pod, node, now, frozenset({container}), {container: restarts})
    if restarts:
        _status_of(status, container)["lastState"] = {"terminated": _ended(now, exit_code)}
    return status


def backing_off(pod: View, node: View, now: str, container: str, restarts: int, *, exit_code: int) -> Status:
    """One container has exited, and the kubelet waits before it restarts it. The restart count changes with the restart."""
    status = _started(pod, node, now, frozenset({container}), {container: restarts})
    message = f"back-off restarting failed container={container} pod={pod['metadata']['name']}_{pod['metadata']['namespace']}"
    _status_of(status, container).update(
        state={"waiting": {"reason": "CrashLoopBackOff", "message": message}},
        lastState={"terminated": _ended(now, exit_code)},
        started=False,
    )
    return status


def _status_of(status: Status, container: str) -> Status:
    found: Status = next(each for each in status["containerStatuses"] if each["name"] == container)
    return found


def _ended(now: str, exit_code: int) -> Status:
    """The end of a container that wrote no termination message."""
    return {"exitCode": exit_code, "reason": "Error" if exit_code else "Completed", "startedAt": now, "finishedAt": now}


def unready(pod: View, now: str) -> Status:
    """As the node controller marks the pods of an unreachable node."""
    conditions = [dict(each) for each in (pod.get("status") or {}).get("conditions") or ()]
    for each in conditions:
        if each["type"] == "Ready" and each["status"] == "True":
            each |= {"status": "False", "lastTransitionTime": now}
    return {"conditions": conditions}


def _started(pod: View, node: View, now: str, broken: frozenset[str], restarts: Mapping[str, int]) -> Status:
    address = _address(node) if pod["spec"].get("hostNetwork") else f"10.0.128.{int(pod['metadata']['resourceVersion']) % 250 + 1}"
    ended = _ended(now, 0)
    names = [each["name"] for each in pod["spec"]["containers"] if each["name"] in broken]
    return {
        "phase": "Running",
        "startTime": (pod.get("status") or {}).get("startTime", now),
        "hostIP": _address(node),
        "podIP": address,
        "podIPs": [{"ip": address}],
        "conditions": _conditions(pod, now, initialized=True, ready=not broken, unready_containers=names),
        "initContainerStatuses": [_container(each, {"terminated": ended}, ready=True) for each in _init(pod)] or None,
        "containerStatuses": [
            _running_container(pod, each, now, ready=each["name"] not in broken)
            | ({"restartCount": restarts[each["name"]]} if each["name"] in restarts else {})
            for each in pod["spec"]["containers"]
        ],
    }


def _running_container(pod: View, container: View, now: str, *, ready: bool) -> Status:
    """A running container; its restart count and last state are preserved."""
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    before: View = next((each for each in statuses if each["name"] == container["name"]), {})
    kept = {key: before[key] for key in ("restartCount", "lastState") if key in before}
    return _container(container, {"running": {"startedAt": now}}, ready=ready) | kept


def _init(pod: View) -> Sequence[View]:
    return pod["spec"].get("initContainers") or ()


def _container(container: View, state: View, *, ready: bool = False) -> Status:
    image = container.get("image", "")
    return {
        "name": container["name"],
        "image": image,
        "imageID": "",
        "ready": ready,
        "started": "running" in state,
        "restartCount": 0,
        "state": dict(state),
        "lastState": {},
    }


def _conditions(pod: View, now: str, *, initialized: bool, ready: bool, unready_containers: Sequence[str] = ()) -> list[Status]:
    before = {each["type"]: each for each in (pod.get("status") or {}).get("conditions") or ()}
    names = " ".join(unready_containers or [each["name"] for each in pod["spec"]["containers"]])
    why: Status = {} if ready else {"reason": "ContainersNotReady", "message": f"containers with unready status: [{names}]"}
    uninitialized = {"reason": "ContainersNotInitialized", "message": "containers with incomplete status"}
    wanted: tuple[tuple[str, bool, Status], ...] = (
        ("Initialized", initialized, {} if initialized else uninitialized),
        ("Ready", ready, why),
        ("ContainersReady", ready, why),
        ("PodScheduled", True, {}),
    )
    return [_condition(kind, holds, extra, before.get(kind), now) for kind, holds, extra in wanted]


def _condition(kind: str, holds: bool, extra: View, before: View | None, now: str) -> Status:
    status = "True" if holds else "False"
    since = before["lastTransitionTime"] if before and before["status"] == status else now
    return {"type": kind, "status": status, "lastProbeTime": None, "lastTransitionTime": since, **extra}


def _address(node: View) -> str:
    addresses = (node.get("status") or {}).get("addresses") or ()
    return next((str(each["address"]) for each in addresses if each["type"] == "InternalIP"), "")
