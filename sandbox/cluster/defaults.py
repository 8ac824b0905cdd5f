"""The defaults that the API server adds to a new object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.cluster.resources import DAEMON_SETS, DEPLOYMENTS, MUTATING_WEBHOOKS, NAMESPACES, PODS, REPLICA_SETS, STATEFUL_SETS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sandbox.cluster.resources import Object, Resource

_CONTAINER: dict[str, Any] = {
    "resources": {},
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
    "imagePullPolicy": "IfNotPresent",
}
_POD_SPEC: dict[str, Any] = {
    "restartPolicy": "Always",
    "terminationGracePeriodSeconds": 30,
    "dnsPolicy": "ClusterFirst",
    "securityContext": {},
    "schedulerName": "default-scheduler",
}
_PROBE: dict[str, Any] = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}


def pod_spec(spec: Mapping[str, Any]) -> Object:
    """The spec of a pod or of a template with its defaults."""
    filled = _POD_SPEC | dict(spec)
    if name := filled.get("serviceAccountName") or filled.get("serviceAccount"):
        filled |= {"serviceAccountName": name, "serviceAccount": name}
    for field in ("initContainers", "containers"):
        if field in filled:
            filled[field] = [_container(each, bool(filled.get("hostNetwork"))) for each in filled[field]]
    return filled


def _container(container: Mapping[str, Any], host_network: bool) -> Object:
    filled = _CONTAINER | dict(container)
    for probe in ("livenessProbe", "readinessProbe"):
        if probe in filled:
            filled[probe] = _PROBE | dict(filled[probe])
    if "ports" in filled:
        filled["ports"] = [_port(each, host_network) for each in filled["ports"]]
    return filled


def _port(port: Mapping[str, Any], host_network: bool) -> Object:
    filled = {"protocol": "TCP"} | dict(port)
    return filled | {"hostPort": port["containerPort"]} if host_network else filled


def _pod(pod: Object) -> Object:
    return pod | {"spec": pod_spec({"enableServiceLinks": True} | dict(pod["spec"]))}


def _templated(strategy: str, default: Mapping[str, Any], **more: Any) -> Callable[[Object], Object]:
    def fill(obj: Object) -> Object:
        spec = more | dict(obj["spec"])
        if strategy:
            spec[strategy] = _strategy(spec.get(strategy) or {}, default)
        template = dict(spec["template"])
        spec["template"] = template | {"spec": pod_spec(template.get("spec") or {})}
        return obj | {"spec": spec}

    return fill


def _strategy(given: Mapping[str, Any], default: Mapping[str, Any]) -> Object:
    filled = {"type": "RollingUpdate"} | dict(given)
    if filled["type"] == "RollingUpdate":
        filled["rollingUpdate"] = dict(default) | dict(given.get("rollingUpdate") or {})
    return filled


def _namespace(obj: Object) -> Object:
    labels = {"kubernetes.io/metadata.name": obj["metadata"]["name"]} | dict(obj["metadata"].get("labels") or {})
    filled = {"spec": {"finalizers": ["kubernetes"]}} | obj
    return filled | {"metadata": obj["metadata"] | {"labels": labels}, "status": {"phase": "Active"}}


def _webhooks(obj: Object) -> Object:
    default = {"failurePolicy": "Fail", "matchPolicy": "Equivalent", "timeoutSeconds": 10, "reinvocationPolicy": "Never"}
    default |= {"namespaceSelector": {}, "objectSelector": {}}
    return obj | {"webhooks": [default | dict(each) for each in obj.get("webhooks") or ()]}


_FILL: Mapping[Resource, Callable[[Object], Object]] = {
    PODS: _pod,
    DAEMON_SETS: _templated("updateStrategy", {"maxUnavailable": 1, "maxSurge": 0}, revisionHistoryLimit=10),
    DEPLOYMENTS: _templated(
        "strategy", {"maxUnavailable": "25%", "maxSurge": "25%"}, replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600
    ),
    STATEFUL_SETS: _templated(
        "updateStrategy", {"partition": 0}, replicas=1, revisionHistoryLimit=10, podManagementPolicy="OrderedReady", serviceName=""
    ),
    REPLICA_SETS: _templated("", {}, replicas=1),
    NAMESPACES: _namespace,
    MUTATING_WEBHOOKS: _webhooks,
}


def with_defaults(obj: Object, resource: Resource) -> Object:
    """The object with the defaults of its kind filled in."""
    fill = _FILL.get(resource)
    return fill(obj) if fill else obj
