"""Converts Kubernetes JSON to facts. Pure; accepts absent fields."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from lambdas.contract.names import AUDIENCE_ANNOTATION, RESTARTED_AT_ANNOTATION
from lambdas.contract.workloads import WorkloadKind
from lambdas.domain.diagnosis.permissions import calls_in_event
from lambdas.domain.snapshot.snapshot import FieldWriter, NodeFacts, PluginError, PodFacts, ServiceAccountFacts, WorkloadFacts

Json = Mapping[str, Any]

_MESSAGE_LIMIT: Final = 400
"""Characters of a termination message: enough for an SDK error, which ends with its cause."""
_FINISHED: Final = frozenset({"Succeeded", "Failed"})
_READY: Final = "Ready"
_FAULT_WHEN_FALSE: Final = frozenset(
    {"NetworkingReady", "KernelReady", "StorageReady", "ContainerRuntimeReady", "AcceleratedHardwareReady"}
)
"""Conditions of the EKS node monitoring agent that report a fault when False. All others but Ready report one when True.

Source: https://github.com/aws/eks-node-monitoring-agent/blob/HEAD/docs/node-health-issues.adoc
"""
_SHUT_DOWN: Final = "node.cloudprovider.kubernetes.io/shutdown"
"""Source: https://kubernetes.io/docs/reference/labels-annotations-taints/#node-cloudprovider-kubernetes-io-shutdown"""
_UNAVAILABLE_BY_DEFAULT: Final = {WorkloadKind.DAEMON_SET: 1, WorkloadKind.DEPLOYMENT: "25%", WorkloadKind.STATEFUL_SET: 1}


def parse_time(text: str | None) -> datetime | None:
    """A Kubernetes time (RFC 3339, UTC), or None if it is absent."""
    return datetime.fromisoformat(text) if text else None


def service_account(item: Json) -> ServiceAccountFacts:
    """The facts of a ServiceAccount."""
    metadata = item["metadata"]
    annotations: Mapping[str, str] = metadata.get("annotations") or {}
    return ServiceAccountFacts(
        resource_version=metadata["resourceVersion"],
        role_annotations={key: value for key, value in annotations.items() if _is_role_key(key)},
        audience=annotations.get(AUDIENCE_ANNOTATION) or None,
        writers=_writers(metadata.get("managedFields") or ()),
    )


def _is_role_key(key: str) -> bool:
    """Whether the key is the role annotation or a misspelling such as `eks.amazon.com/role-arn` or `eks.amazonaws.com/roleARN`."""
    return "".join(filter(str.isalnum, key.lower())).endswith("rolearn")


def _writers(entries: Iterable[Json]) -> tuple[FieldWriter, ...]:
    writers = [
        FieldWriter(manager=entry.get("manager", ""), at=parse_time(entry.get("time")), owns_annotation=_owns_role_annotation(entry))
        for entry in entries
    ]
    latest = max((writer.at for writer in writers if writer.at), default=None)
    return tuple(writer for writer in writers if writer.owns_annotation or (writer.at is not None and writer.at == latest))


def _owns_role_annotation(entry: Json) -> bool:
    owned = ((entry.get("fieldsV1") or {}).get("f:metadata") or {}).get("f:annotations") or {}
    return any(_is_role_key(key) for key in owned)


def workload(kind: WorkloadKind, item: Json) -> WorkloadFacts:
    """The facts of a DaemonSet, Deployment or StatefulSet."""
    metadata, spec, status = item["metadata"], item["spec"], item.get("status") or {}
    daemon = kind is WorkloadKind.DAEMON_SET
    desired = status.get("desiredNumberScheduled", 0) if daemon else spec.get("replicas", 1)
    annotations = (spec["template"].get("metadata") or {}).get("annotations") or {}
    strategy = spec.get("strategy" if kind is WorkloadKind.DEPLOYMENT else "updateStrategy") or {}
    return WorkloadFacts(
        kind=kind,
        name=metadata["name"],
        desired=desired,
        updated=status.get("updatedNumberScheduled" if daemon else "updatedReplicas", 0),
        max_unavailable=_max_unavailable(kind, strategy, desired),
        generation=metadata.get("generation", 0),
        observed_generation=status.get("observedGeneration", 0),
        restarted_at=annotations.get(RESTARTED_AT_ANNOTATION),
        on_delete=strategy.get("type") == "OnDelete",
    )


def _max_unavailable(kind: WorkloadKind, strategy: Json, desired: int) -> int:
    """`maxUnavailable` as the controllers resolve it: DaemonSets round a percentage up, the others down, and the minimum is 1.

    Sources: https://github.com/kubernetes/kubernetes/blob/HEAD/pkg/controller/daemon/util/daemonset_util.go (UnavailableCount)
    https://github.com/kubernetes/kubernetes/blob/HEAD/pkg/controller/deployment/util/deployment_util.go (ResolveFenceposts)
    https://github.com/kubernetes/kubernetes/blob/HEAD/pkg/controller/statefulset/stateful_set_utils.go (getStatefulSetMaxUnavailable)
    """
    if strategy.get("type") == "Recreate":
        return max(1, desired)
    configured = (strategy.get("rollingUpdate") or {}).get("maxUnavailable")
    value: Any = _UNAVAILABLE_BY_DEFAULT[kind] if configured is None else configured
    if isinstance(value, str):
        share = int(value.removesuffix("%")) * desired
        value = -(-share // 100) if kind is WorkloadKind.DAEMON_SET else share // 100
    return max(1, int(value))


def pods(items: Iterable[Json]) -> Iterator[PodFacts]:
    """The facts of the pods of a list, without finished pods."""
    return (_pod(item) for item in items if (item.get("status") or {}).get("phase") not in _FINISHED)


def _pod(item: Json) -> PodFacts:
    metadata, spec, status = item["metadata"], item["spec"], item.get("status") or {}
    containers = [*spec["containers"], *spec.get("initContainers", ())]
    statuses = [*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())]
    return PodFacts(
        name=metadata["name"],
        uid=metadata["uid"],
        node=spec.get("nodeName", ""),
        created_at=datetime.fromisoformat(metadata["creationTimestamp"]),
        role_arn=_in_environment(containers, "AWS_ROLE_ARN") or None,
        container_credentials=_in_environment(containers, "AWS_CONTAINER_CREDENTIALS_FULL_URI") is not None,
        ready=_condition(status, _READY).get("status") == "True",
        owner=_controller(metadata),
        deleting="deletionTimestamp" in metadata,
        waiting=next(filter(None, ((container.get("state") or {}).get("waiting", {}).get("reason") for container in statuses)), ""),
        termination_message=next(filter(None, (_termination_message(container) for container in statuses)), ""),
    )


def _in_environment(containers: Iterable[Json], name: str) -> str | None:
    """The value of the variable in the first container that has it. The search starts at the end, where the webhook appends."""
    for container in containers:
        for variable in reversed(container.get("env") or ()):
            if variable["name"] == name:
                return variable.get("value") or ""
    return None


def _controller(metadata: Json) -> tuple[str, str] | None:
    return next(
        ((owner["kind"], owner["name"]) for owner in metadata.get("ownerReferences") or () if owner.get("controller")),
        None,
    )


def controller(item: Json) -> tuple[str, str] | None:
    """`(kind, name)` of the object's controller, or None."""
    return _controller(item["metadata"])


def _termination_message(container: Json) -> str:
    ended = (container.get("lastState") or {}).get("terminated") or {}
    return str(ended.get("message") or ended.get("reason") or "").strip()[:_MESSAGE_LIMIT]


def _condition(status: Json, kind: str) -> Json:
    return next((condition for condition in status.get("conditions") or () if condition["type"] == kind), {})


def node(item: Json) -> NodeFacts:
    """The facts of a Node."""
    metadata, spec, status = item["metadata"], item.get("spec") or {}, item.get("status") or {}
    labels = metadata.get("labels") or {}
    ready = _condition(status, _READY)
    return NodeFacts(
        name=metadata["name"],
        ready={"True": True, "False": False}.get(ready.get("status", "")),
        reason=ready.get("reason", ""),
        message=ready.get("message", ""),
        since=parse_time(ready.get("lastTransitionTime")),
        created_at=parse_time(metadata.get("creationTimestamp")),
        pressures=tuple(condition["type"] for condition in status.get("conditions") or () if _is_pressure(condition)),
        nodegroup=labels.get("eks.amazonaws.com/nodegroup", ""),
        os=labels.get("kubernetes.io/os", "linux"),
        compute_type=labels.get("eks.amazonaws.com/compute-type", ""),
        shut_down=any(taint["key"] == _SHUT_DOWN for taint in spec.get("taints") or ()),
    )


def _is_pressure(condition: Json) -> bool:
    if condition["type"] == _READY:
        return False
    return bool(condition["status"] == ("False" if condition["type"] in _FAULT_WHEN_FALSE else "True"))


def nodes_in_table(table: Json) -> Iterator[NodeFacts]:
    """The facts in a Table of nodes: name, readiness and operating system.

    Source: https://github.com/kubernetes/kubernetes/blob/HEAD/pkg/printers/internalversion/printers.go (printNode)
    """
    columns = {column["name"]: index for index, column in enumerate(table["columnDefinitions"])}
    for row in table["rows"]:
        cells = row["cells"]
        status = cells[columns["Status"]].split(",")
        windows = "Windows" in str(cells[columns["OS-Image"]]) if "OS-Image" in columns else False
        yield NodeFacts(
            name=cells[columns["Name"]],
            ready={"Ready": True, "NotReady": False}.get(status[0]),
            reason="",
            message="",
            since=None,
            created_at=None,
            os="windows" if windows else "linux",
        )


def plugin_error(item: Json) -> PluginError:
    """The facts of an event of `events.k8s.io/v1`. The action is the API call; older VPC CNI releases name it in the note."""
    at = (
        (item.get("series") or {}).get("lastObservedTime")
        or item.get("deprecatedLastTimestamp")
        or item.get("eventTime")
        or item["metadata"]["creationTimestamp"]
    )
    return PluginError(
        call=calls_in_event(item.get("note") or "") or item.get("action") or "",
        pod=(item.get("regarding") or {}).get("name", ""),
        at=datetime.fromisoformat(at),
    )
