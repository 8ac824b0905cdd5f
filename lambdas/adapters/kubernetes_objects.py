"""Converts Kubernetes JSON to facts. Pure; accepts absent fields, and no field of another type than Kubernetes declares.

Each function raises `KeyError`, `TypeError` or `ValueError` for an invalid object; `expected_shape` translates them.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from lambdas.contract.call_needs import FEATURE_VARIABLES
from lambdas.contract.names import AUDIENCE_ANNOTATION, LEFT_OUT_BY, RESTARTED_AT_ANNOTATION
from lambdas.contract.workloads import WorkloadKind
from lambdas.domain.diagnosis.permissions import calls_in_event
from lambdas.domain.snapshot.snapshot import (
    ContainerFacts,
    ControllerError,
    FieldWriter,
    NodeFacts,
    PluginError,
    PodFacts,
    ServiceAccountFacts,
    WorkloadFacts,
)
from lambdas.domain.untrusted_json import moment

Json = Mapping[str, Any]

_MAX_ANNOTATIONS: Final = 256 * 1024
"""Characters of all annotations of one object.

Source: https://github.com/kubernetes/kubernetes/blob/HEAD/staging/src/k8s.io/apimachinery/pkg/api/validation/objectmeta.go
"""
_LONGEST_VALUE: Final = 2_049
"""Maximum length of any other text: one more than that of a role ARN, so that no truncated text equals an ARN."""
_MESSAGE_LIMIT: Final = 400
"""Characters of a termination message: enough for an SDK error, which ends with its cause."""
_STARTING: Final = frozenset({"", "PodInitializing", "ContainerCreating"})
"""Waiting reasons of a container that has not failed."""
_MAX_COUNT: Final = 2**31 - 1
_YEARS: Final = range(1970, 2200)
"""Years of a valid time. A delay added to a time outside these years could exceed the range of a datetime."""
_FINISHED: Final = frozenset({"Succeeded", "Failed"})
_READY: Final = "Ready"
_OF_MONITORING_AGENT: Final = frozenset(
    {"NetworkingReady", "KernelReady", "StorageReady", "ContainerRuntimeReady", "AcceleratedHardwareReady"}
)
"""Conditions of the EKS node monitoring agent that report a fault when False. All others but Ready report one when True.

Source: https://github.com/aws/eks-node-monitoring-agent/blob/HEAD/docs/node-health-issues.adoc
"""
_SHUT_DOWN: Final = "node.cloudprovider.kubernetes.io/shutdown"
"""Source: https://kubernetes.io/docs/reference/labels-annotations-taints/#node-cloudprovider-kubernetes-io-shutdown"""
_ROLE: Final = "AWS_ROLE_ARN"
_TOKEN_FILE: Final = "AWS_WEB_IDENTITY_TOKEN_FILE"  # noqa: S105  # the name of a variable
_STATIC_KEY: Final = "AWS_ACCESS_KEY_ID"
_AGENT_URI: Final = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
_AGENT_TOKEN: Final = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"  # noqa: S105  # the name of a variable
_AGENT_URIS: Final = ("http://169.254.170.23/v1/credentials", "http://[fd00:ec2::23]/v1/credentials")
"""The addresses of the Pod Identity agent, IPv4 and IPv6. Another address belongs to another provider of credentials.

Source: https://docs.aws.amazon.com/eks/latest/userguide/pod-id-agent-setup.html
"""
_CREDENTIAL_VARIABLES: Final = frozenset({_ROLE, _TOKEN_FILE, _STATIC_KEY, _AGENT_URI, _AGENT_TOKEN})
_UNAVAILABLE_BY_DEFAULT: Final = {WorkloadKind.DAEMON_SET: 1, WorkloadKind.DEPLOYMENT: "25%", WorkloadKind.STATEFUL_SET: 1}


# --- fields ------------------------------------------------------------------------------------------------------------------------------


def _object(value: object, what: str) -> Json:
    if not isinstance(value, dict):
        raise TypeError(f"{what} is of type {type(value).__name__}, not an object")
    return value


def _child(item: Json, key: str) -> Json:
    value = item.get(key)
    return _object(value, key) if value is not None else {}


def _children(item: Json, key: str) -> list[Json]:
    value = item.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise TypeError(f"{key} is of type {type(value).__name__}, not a list")
    return [_object(child, key) for child in value]


def _text(item: Json, key: str, default: str | None = "") -> str:
    value = item.get(key)
    if value is None:
        value = default
    if not isinstance(value, str):
        raise TypeError(f"{key} is of type {type(value).__name__}, not a text")
    return value[:_LONGEST_VALUE]


def _required(item: Json, key: str) -> str:
    return _text(item, key, None)


def _count(item: Json, key: str, default: int = 0) -> int:
    value = item.get(key)
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _MAX_COUNT:
        raise TypeError(f"{key} is no count")
    return value


def _annotations(metadata: Json) -> Mapping[str, str]:
    found = _child(metadata, "annotations")
    if not all(isinstance(value, str) for value in found.values()):
        raise TypeError("an annotation is no text")
    if sum(len(key) + len(value) for key, value in found.items()) > _MAX_ANNOTATIONS:
        raise ValueError("the annotations are longer than Kubernetes allows")
    return found


def _time(item: Json, key: str) -> datetime | None:
    """A Kubernetes time (RFC 3339, UTC), or None if it is absent."""
    text = _text(item, key)
    at = moment(text)
    if text and (at is None or at.year not in _YEARS):
        raise ValueError(f"{key} is no time")
    return at


def _required_time(item: Json, key: str) -> datetime:
    at = _time(item, key)
    if at is None:
        raise KeyError(key)
    return at


def items(page: Json) -> list[Json]:
    """The objects of one page of a list."""
    if not isinstance(page.get("items"), list):
        raise TypeError("items is no list")
    return _children(page, "items")


# --- objects -----------------------------------------------------------------------------------------------------------------------------


def service_account(item: Json) -> ServiceAccountFacts:
    """The facts of a ServiceAccount."""
    metadata = _object(item["metadata"], "metadata")
    annotations = _annotations(metadata)
    return ServiceAccountFacts(
        resource_version=_required(metadata, "resourceVersion"),
        role_annotations={key: value for key, value in annotations.items() if _is_role_key(key)},
        audience=annotations.get(AUDIENCE_ANNOTATION) or None,
        writers=_writers(_children(metadata, "managedFields")),
        left_out_by=annotations.get(LEFT_OUT_BY, ""),
    )


def uid(item: Json) -> str:
    """The UID of any object."""
    return _required(_object(item["metadata"], "metadata"), "uid")


def admission_object(item: Json) -> Json:
    """An admission policy or a binding of one: its labels, annotations and spec."""
    metadata = _object(item["metadata"], "metadata")
    return {"metadata": {"labels": _child(metadata, "labels"), "annotations": _annotations(metadata)}, "spec": _child(item, "spec")}


def namespaced_name(item: Json) -> tuple[str, str]:
    """Namespace and name of a namespaced object."""
    metadata = _object(item["metadata"], "metadata")
    return _required(metadata, "namespace"), _required(metadata, "name")


def _is_role_key(key: str) -> bool:
    """Whether the key is the role annotation or a misspelling such as `eks.amazon.com/role-arn` or `eks.amazonaws.com/roleARN`."""
    return "".join(filter(str.isalnum, key.lower())).endswith("rolearn")


def _writers(entries: Iterable[Json]) -> tuple[FieldWriter, ...]:
    writers = [
        FieldWriter(manager=_text(entry, "manager"), at=_time(entry, "time"), owns_annotation=_owns_role_annotation(entry))
        for entry in entries
    ]
    latest = max((writer.at for writer in writers if writer.at), default=None)
    return tuple(writer for writer in writers if writer.owns_annotation or (writer.at is not None and writer.at == latest))


def _owns_role_annotation(entry: Json) -> bool:
    owned = _child(_child(_child(entry, "fieldsV1"), "f:metadata"), "f:annotations")
    return any(_is_role_key(key) for key in owned)


def workload(kind: WorkloadKind, item: Json) -> WorkloadFacts:
    """The facts of a DaemonSet, Deployment or StatefulSet."""
    metadata, spec, status = _object(item["metadata"], "metadata"), _object(item["spec"], "spec"), _child(item, "status")
    daemon = kind is WorkloadKind.DAEMON_SET
    desired = _count(status, "desiredNumberScheduled") if daemon else _count(spec, "replicas", 1)
    template = _object(spec["template"], "template")
    annotations = _annotations(_child(template, "metadata"))
    strategy = _child(spec, "strategy" if kind is WorkloadKind.DEPLOYMENT else "updateStrategy")
    pod = _child(template, "spec")
    return WorkloadFacts(
        kind=kind,
        name=_required(metadata, "name"),
        desired=desired,
        updated=_count(status, "updatedNumberScheduled" if daemon else "updatedReplicas"),
        ready=_count(status, "numberReady" if daemon else "readyReplicas"),
        max_unavailable=_max_unavailable(kind, strategy, desired),
        generation=_count(metadata, "generation"),
        observed_generation=_count(status, "observedGeneration"),
        restarted_at=annotations.get(RESTARTED_AT_ANNOTATION),
        on_delete=_text(strategy, "type") == "OnDelete",
        containers=tuple(map(_container, _children(pod, "containers"))),
        service_account=_text(pod, "serviceAccountName") or _text(pod, "serviceAccount") or "default",
        template_role_arn=_credential_variables(pod).get(_ROLE) or None,
    )


def _container(item: Json) -> ContainerFacts:
    """The facts of a container. Other variables may hold secrets and are dropped."""
    variables = {_text(variable, "name"): _text(variable, "value") for variable in _children(item, "env")}
    known_variables = {name: variables[name] for name in FEATURE_VARIABLES if name in variables}
    return ContainerFacts(name=_required(item, "name"), image=_text(item, "image"), environment=known_variables)


def _max_unavailable(kind: WorkloadKind, strategy: Json, desired: int) -> int:
    """`maxUnavailable` as the controllers resolve it: DaemonSets round a percentage up, the others down, and the minimum is 1.

    Sources: https://github.com/kubernetes/kubernetes/blob/HEAD/pkg/controller/daemon/util/daemonset_util.go (UnavailableCount)
    https://github.com/kubernetes/kubernetes/blob/HEAD/pkg/controller/deployment/util/deployment_util.go (ResolveFenceposts)
    https://github.com/kubernetes/kubernetes/blob/HEAD/pkg/controller/statefulset/stateful_set_utils.go (getStatefulSetMaxUnavailable)
    """
    if _text(strategy, "type") == "Recreate":
        return max(1, desired)
    configured = _child(strategy, "rollingUpdate").get("maxUnavailable")
    value: Any = _UNAVAILABLE_BY_DEFAULT[kind] if configured is None else configured
    if isinstance(value, str):
        share = int(value.removesuffix("%")) * desired
        value = -(-share // 100) if kind is WorkloadKind.DAEMON_SET else share // 100
    elif not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("maxUnavailable is neither a count nor a percentage")
    return max(1, min(int(value), _MAX_COUNT))


def pods(page: Json) -> Iterator[PodFacts]:
    """The facts of the pods of one page, without finished pods."""
    return (_pod(item) for item in items(page) if _text(_child(item, "status"), "phase") not in _FINISHED)


def _pod(item: Json) -> PodFacts:
    metadata, spec, status = _object(item["metadata"], "metadata"), _object(item["spec"], "spec"), _child(item, "status")
    statuses = [*_children(status, "initContainerStatuses"), *_children(status, "containerStatuses")]
    failing = _failing(statuses)
    variables = _credential_variables(spec)
    return PodFacts(
        name=_required(metadata, "name"),
        uid=_required(metadata, "uid"),
        node=_text(spec, "nodeName"),
        created_at=_required_time(metadata, "creationTimestamp"),
        role_arn=variables.get(_ROLE) or None,
        container_credentials=variables.get(_AGENT_URI) in _AGENT_URIS and _AGENT_TOKEN in variables,
        has_token_file=_TOKEN_FILE in variables,
        has_static_keys=_STATIC_KEY in variables,
        ready=_text(_condition(status, _READY), "status") == "True",
        owner=_controller(metadata),
        deleting="deletionTimestamp" in metadata,
        deleting_since=_time(metadata, "deletionTimestamp"),
        phase=_text(status, "phase"),
        intended_node=_intended_node(spec),
        waiting=_waiting(failing) or next(filter(None, map(_waiting, statuses)), ""),
        termination_message=_termination_message(failing) or next(filter(None, map(_termination_message, statuses)), ""),
        failing_container=_text(failing, "name"),
        has_run=any(map(_has_run, _children(status, "containerStatuses"))),
    )


def _credential_variables(spec: Json) -> Mapping[str, str]:
    """The variables that decide the credentials of a pod, each from the first container that has it, and there from its last entry."""
    containers = [*_children(spec, "containers"), *_children(spec, "initContainers")]
    return {
        name: _text(variable, "value")
        for container in reversed(containers)
        for variable in _children(container, "env")
        if (name := variable["name"]) in _CREDENTIAL_VARIABLES
    }


def _controller(metadata: Json) -> tuple[str, str] | None:
    owners = (owner for owner in _children(metadata, "ownerReferences") if owner.get("controller") is True)
    return next(((_required(owner, "kind"), _required(owner, "name")) for owner in owners), None)


def controller(item: Json) -> tuple[str, str] | None:
    """`(kind, name)` of the object's controller, or None."""
    return _controller(_object(item["metadata"], "metadata"))


def _termination_message(container: Json) -> str:
    """The message of the last termination. Few containers write one, so else the reason and the exit code.

    Source: https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/
    """
    ended = _child(_child(container, "lastState"), "terminated")
    code = ended.get("exitCode")
    without_message = ", ".join(filter(None, (_text(ended, "reason"), f"exit code {code}" if isinstance(code, int) else "")))
    return (_text(ended, "message") or without_message).strip()[:_MESSAGE_LIMIT]


def _waiting(container: Json) -> str:
    return _text(_child(_child(container, "state"), "waiting"), "reason")


def _failing(statuses: Iterable[Json]) -> Json:
    """The first container that is not ready and fails; one that only waits for an init container does not. Empty where none fails."""
    unready = [status for status in statuses if status.get("ready") is not True]
    failing = (status for status in unready if _waiting(status) not in _STARTING or _termination_message(status))
    return next((status for status in failing if _waiting(status) or _termination_message(status)), {})


def _has_run(container: Json) -> bool:
    """Whether a container runs or has run."""
    state, last = _child(container, "state"), _child(container, "lastState")
    return bool(_child(state, "running") or _child(state, "terminated") or _child(last, "terminated"))


def _condition(status: Json, kind: str) -> Json:
    return next((condition for condition in _children(status, "conditions") if condition["type"] == kind), {})


def node(item: Json) -> NodeFacts:
    """The facts of a Node."""
    metadata, spec, status = _object(item["metadata"], "metadata"), _child(item, "spec"), _child(item, "status")
    labels = _child(metadata, "labels")
    ready = _condition(status, _READY)
    return NodeFacts(
        name=_required(metadata, "name"),
        ready={"True": True, "False": False}.get(_text(ready, "status")),
        reason=_text(ready, "reason"),
        message=_text(ready, "message"),
        since=_time(ready, "lastTransitionTime"),
        created_at=_time(metadata, "creationTimestamp"),
        pressures=tuple(_required(condition, "type") for condition in _children(status, "conditions") if _is_pressure(condition)),
        is_monitored=any(condition["type"] in _OF_MONITORING_AGENT for condition in _children(status, "conditions")),
        nodegroup=_text(labels, "eks.amazonaws.com/nodegroup"),
        os=_text(labels, "kubernetes.io/os", "linux"),
        compute_type=_text(labels, "eks.amazonaws.com/compute-type"),
        shut_down=any(taint["key"] == _SHUT_DOWN for taint in _children(spec, "taints")),
    )


def _is_pressure(condition: Json) -> bool:
    if condition["type"] == _READY:
        return False
    return bool(condition["status"] == ("False" if condition["type"] in _OF_MONITORING_AGENT else "True"))


def nodes_in_table(table: Json) -> Iterator[NodeFacts]:
    """The facts in a Table of nodes: name, readiness and operating system.

    Source: https://github.com/kubernetes/kubernetes/blob/HEAD/pkg/printers/internalversion/printers.go (printNode)
    """
    columns = {_required(column, "name"): index for index, column in enumerate(_children(table, "columnDefinitions"))}
    for row in _children(table, "rows"):
        cells = row["cells"]
        if not isinstance(cells, list):
            raise TypeError("cells is no list")
        status = str(cells[columns["Status"]]).split(",")
        windows = "Windows" in str(cells[columns["OS-Image"]]) if "OS-Image" in columns else False
        yield NodeFacts(
            name=_required({"name": cells[columns["Name"]]}, "name"),
            ready={"Ready": True, "NotReady": False}.get(status[0]),
            reason="",
            message="",
            since=None,
            created_at=None,
            os="windows" if windows else "linux",
        )


def _intended_node(spec: Json) -> str:
    """The node that the DaemonSet controller wants the pod on; empty for other pods.

    Source: https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/#how-daemon-pods-are-scheduled
    """
    required = _child(_child(_child(spec, "affinity"), "nodeAffinity"), "requiredDuringSchedulingIgnoredDuringExecution")
    fields = (field for term in _children(required, "nodeSelectorTerms") for field in _children(term, "matchFields"))
    values = (field.get("values") for field in fields if _text(field, "key") == "metadata.name")
    return next((value[0][:_LONGEST_VALUE] for value in values if isinstance(value, list) and value and isinstance(value[0], str)), "")


def plugin_error(item: Json) -> PluginError:
    """The facts of an event of `events.k8s.io/v1`. The action is the API call; older VPC CNI releases name it in the note."""
    return PluginError(
        call=calls_in_event(_text(item, "note")) or _text(item, "action"),
        pod=_text(_child(item, "regarding"), "name"),
        at=_event_time(item),
    )


def controller_errors(events: Iterable[Json], workload: str) -> list[ControllerError]:
    """The facts of `FailedCreate` events about the workload, or about a ReplicaSet of the Deployment of this name."""
    return [
        ControllerError(message=_text(item, "note")[:_MESSAGE_LIMIT], at=_event_time(item))
        for item in events
        if _is_about(_child(item, "regarding"), workload)
    ]


def _is_about(regarding: Json, workload: str) -> bool:
    """Whether an event is about a workload. A ReplicaSet has the name of its Deployment and a hash, which contains no hyphen.

    Source: https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#pod-template-hash-label
    """
    name = _text(regarding, "name")
    if _text(regarding, "kind") == "ReplicaSet":
        return name.rpartition("-")[0] == workload
    return name == workload


def _event_time(item: Json) -> datetime:
    return (
        _time(_child(item, "series"), "lastObservedTime")
        or _time(item, "deprecatedLastTimestamp")
        or _time(item, "eventTime")
        or _required_time(_object(item["metadata"], "metadata"), "creationTimestamp")
    )
