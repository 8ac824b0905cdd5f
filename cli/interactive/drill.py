"""The fire drill of `verify --drill`: a throw-away ServiceAccount loses its annotation, and the deployed stack has to repair it.

The drill creates every object that it changes, in a namespace of its own with a marker label, and deletes them all. Where admission
policies limit the remediator, they are extended by the ServiceAccount and restored exactly.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from cli.errors import CommandError
from cli.queries.admission_policies import apply_policies, read_policies, restore_policies
from cli.queries.assessment import assess_target
from cli.queries.required_access import required_access
from lambdas.contract.access import BoundWorkload, manifests
from lambdas.contract.admission import account, allowed_roles, is_managed, limit_policies
from lambdas.contract.names import PROJECT, ROLE_ANNOTATION
from lambdas.contract.parameters import ServiceAccountRef, binding_path
from lambdas.contract.settings import Mode
from lambdas.contract.workloads import WorkloadKind
from lambdas.domain.errors import Conflict, RemediatorError
from lambdas.domain.incidents.incident import Outcome
from lambdas.domain.requests.request import CheckRequest, Trigger
from lambdas.domain.snapshot.snapshot import ClusterFacts, ServiceAccountFacts
from lambdas.notifications import published_events

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from cli.clients.dependencies import Dependencies
    from lambdas.domain.incidents.incident import PastIncident
    from lambdas.domain.ports import ClusterPort
    from lambdas.domain.snapshot.snapshot import PodFacts

NAMESPACE: Final = f"{PROJECT}-drill"
"""Fixed, since the trust policy of the role has to admit the ServiceAccount before the drill. So one drill runs in a cluster at a time."""
NAME: Final = "drill"
LABEL: Final = f"{PROJECT}/drill"
MARKER: Final = {LABEL: "true"}
FIELD_MANAGER: Final = f"{PROJECT}-drill"
"""Another one than the remediator's: what one manager applies replaces what it applied before, so its repair would remove our labels."""
IMAGE: Final = "registry.k8s.io/pause:3.10"
"""A container that does nothing. Source: https://github.com/kubernetes/kubernetes/tree/master/build/pause"""
START_TIMEOUT_S: Final = 300
"""Time for a pod to start: a new node may have to pull the image."""
REPAIR_TIMEOUT_S: Final = 900
POLL_S: Final = 1.0


@dataclass(frozen=True, kw_only=True)
class DrillOptions:
    """Cluster, role and image of a drill."""

    cluster: str
    role_arn: str
    image: str = IMAGE

    @property
    def target(self) -> ServiceAccountRef:
        """The ServiceAccount that the drill creates."""
        return ServiceAccountRef(self.cluster, NAMESPACE, NAME)

    @property
    def binding(self) -> str:
        """The parameter that the drill creates."""
        return binding_path(self.cluster, NAMESPACE, NAME)


@dataclass(frozen=True)
class Leg:
    """One leg of the repair, and its time since the annotation was removed (seconds). None: it was not reached.

    `note` says why a drill that was passed has no time of it.
    """

    name: str
    shows: str
    seconds: float | None = None
    note: str = ""


MESSAGE: Final = "message"
NO_CHANNEL: Final = "not observed: no channel is subscribed to the topics"
NO_RECORD: Final = "not observed: the incident recorded no message; `notify_from` may hold it back"

LEGS: Final = {
    "fault": "the annotation is gone, and a pod runs without the role",
    "event": "the request for a check is on the bus",
    "decision": "the checker has opened the incident",
    MESSAGE: "the remediator has sent the first message about the incident",
    "annotation": "the remediator has put the annotation back",
    "pod": "a ready pod carries the role, and none without it is left",
    "proof": "the remediator has verified the repair and closed the incident",
}


@dataclass
class Drill:
    """One drill. `on_step` gets each step, for a person. `seconds` is a clock that only goes forward."""

    options: DrillOptions
    dependencies: Dependencies
    seconds: Callable[[], float]
    on_step: Callable[[str], None] = lambda _: None
    times: dict[str, float] = field(default_factory=dict)
    failure: str = ""
    _began_at: datetime | None = None
    _removed_at: float = 0.0
    _is_created: bool = False
    _message_note: str = ""
    _former_policies: list[tuple[dict[str, Any], Mapping[str, Any] | None]] = field(default_factory=list)

    @property
    def legs(self) -> list[Leg]:
        """All legs, with the times of those that were reached."""
        return [Leg(name, shows, self.times.get(name), self._message_note if name == MESSAGE else "") for name, shows in LEGS.items()]

    def run(self) -> None:
        """Set up, remove the annotation, wait for the repair, and clean up in every case. `failure` says why a drill did not end well.

        Raises:
            CommandError: the drill may not begin, or objects could not be deleted.
        """
        self._require_permission_to_begin()
        try:
            self._set_up()
            self._break()
            self._await_repair()
        except RemediatorError as error:
            if isinstance(error, CommandError) and not self._is_created:
                raise
            self.failure = str(error)
        finally:
            if self._is_created:
                self.on_step("cleaning up")
                self._clean_up()

    def _require_permission_to_begin(self) -> None:
        """Raise where a setting keeps the remediator from repairs: the drill changes no setting."""
        readers = self.dependencies.readers
        parameters = readers.parameters.load(self.options.cluster)
        settings, _ = readers.settings(parameters, self.options.cluster)
        if settings.mode is not Mode.ENFORCE:
            raise CommandError(
                f"the mode of {self.options.cluster} is {settings.mode}, so the remediator would not repair by itself",
                next_step=f"run the drill where `irsa-remediator settings set {self.options.cluster} mode enforce` is right",
            )

    # --- set up ------------------------------------------------------------------------------------------------------------------

    def _set_up(self) -> None:
        access, cluster = self.dependencies.cluster_access, self.options.cluster
        self.on_step(f"creating namespace {NAMESPACE}")
        try:
            access.create(cluster, _namespace(), FIELD_MANAGER)
        except Conflict as error:
            raise CommandError(
                f"cluster {cluster} has a namespace {NAMESPACE} already: {error}",
                next_step=f"wait for the other drill, or run `irsa-remediator verify --drill --clean-up --cluster {cluster}`",
            ) from error
        self._is_created = True
        own = [manifest for manifest in manifests([_workload()]) if manifest["metadata"].get("namespace") == NAMESPACE]
        for manifest in (_service_account(self.options.role_arn), *own, _deployment(self.options.image)):
            access.create(cluster, manifest, FIELD_MANAGER)
        self.dependencies.parameters.put(self.options.binding, self.options.role_arn)
        self.on_step("waiting for a pod with the role")
        self._until(lambda: self._pods_are_right, START_TIMEOUT_S, "no ready pod carries the role: is the identity webhook at work?")
        self._extend_policies()
        self.on_step("assessing the ServiceAccount")
        assessment = assess_target(self.options.target, self.dependencies)
        if assessment.summary is None or not assessment.summary.is_healthy:
            sentence = assessment.summary.sentence if assessment.summary else assessment.failure
            raise CommandError(f"the ServiceAccount is not sound before the drill, so a repair would show nothing: {sentence}")

    def _extend_policies(self) -> None:
        """Add the ServiceAccount to the installed admission policies. Without installed policies there is nothing to extend."""
        access, cluster = self.dependencies.cluster_access, self.options.cluster
        required = required_access(cluster, self.dependencies, with_policies=True).policies
        if required.omitted or not any(state.exists for state in read_policies(cluster, required, access)):
            return
        self.on_step("extending the admission policies")
        self._former_policies = [(manifest, access.read(cluster, manifest)) for manifest in required.manifests]
        apply_policies(cluster, required.manifests, access)

    # --- fault and repair --------------------------------------------------------------------------------------------------------

    def _break(self) -> None:
        """Remove the annotation and the pod, and request a check as a person does."""
        self.on_step("removing the annotation")
        former = {pod.name for pod in self._pods()}
        access = self.dependencies.cluster_access
        self._began_at, self._removed_at = self.dependencies.now(), self.seconds()
        access.remove_annotation(self.options.cluster, _service_account(""), ROLE_ANNOTATION, FIELD_MANAGER)
        for pod in self._pods():
            self._cluster().delete_pod(NAMESPACE, pod.name, pod.uid)
        self._until(lambda: self._is_broken(former), START_TIMEOUT_S, "no pod without the role has started")
        self._reached("fault")
        request = CheckRequest(
            trigger=Trigger.PERSON,
            occurred_at=self.dependencies.now(),
            event_id="drill",
            cluster=self.options.cluster,
            service_account=(NAMESPACE, NAME),
        )
        self.dependencies.events.put([published_events.check_requested(request)])
        self._reached("event")

    def _await_repair(self) -> None:
        self.on_step("waiting for the repair")
        ends_at = self.seconds() + REPAIR_TIMEOUT_S
        while self.seconds() < ends_at:
            is_open = self.dependencies.incidents.get(self.options.target) is not None
            self._look(is_decided=is_open)
            past = None if is_open else self._closed_incident()
            if past:
                self._look(is_decided=True)
                if past.outcome is not Outcome.VERIFIED:
                    raise CommandError(f"the incident ended as {past.outcome}: {past.details.sentence or past.verdict}")
                self._reached("proof")
                self._time_message(past)
                return
            self.dependencies.sleep(POLL_S)
        raise CommandError(f"the repair was not verified within {REPAIR_TIMEOUT_S} seconds{self._reason()}")

    def _look(self, *, is_decided: bool) -> None:
        if is_decided:
            self._reached("decision")
        if self._is_annotated:
            self._reached("annotation")
            if self._pods_are_right:
                self._reached("pod")

    def _time_message(self, past: PastIncident) -> None:
        """Set the time of the message from the record in history, or say why none was observed.

        The record has the time of the remediator's clock. Where that one and ours differ, the message still lies between the event and the
        time that is counted back from the end. SNS also accepts a message for a topic that nobody receives.
        """
        assert self._began_at is not None  # noqa: S101  # set before the repair can begin
        if not self._has_channel():
            self._message_note = NO_CHANNEL
        elif (sent_at := past.details.first_notified_at) is None:
            self._message_note = NO_RECORD
        else:
            latest = self.times["proof"] - (past.closed_at - sent_at).total_seconds()
            self.times[MESSAGE] = max(self.times["event"], min(latest, (sent_at - self._began_at).total_seconds()))

    def _has_channel(self) -> bool:
        """Whether a topic has a confirmed subscription. True also where the person may not read them."""
        environment = self.dependencies.environment
        topics = (environment.people_topic_arn, environment.chat_topic_arn)
        try:
            return any(item.is_confirmed for topic in topics for item in self.dependencies.stack.notifications.subscriptions(topic))
        except RemediatorError:
            return True

    def _closed_incident(self) -> PastIncident | None:
        assert self._began_at is not None  # noqa: S101  # set before the repair can begin
        past = self.dependencies.incident_list.past(self._began_at - timedelta(seconds=1))
        return next((incident for incident in past if incident.target == self.options.target), None)

    def _reason(self) -> str:
        """What the plan of now is blocked by, for a drill that took too long."""
        summary = assess_target(self.options.target, self.dependencies).summary
        blocked = "; ".join(dict.fromkeys(item.sentence for item in summary.blocked)) if summary else ""
        return f": {blocked}" if blocked else ""

    def _reached(self, leg: str) -> None:
        self.times.setdefault(leg, self.seconds() - self._removed_at)

    # --- reads -------------------------------------------------------------------------------------------------------------------

    def _cluster(self) -> ClusterPort:
        facts = self.dependencies.readers.eks.cluster(self.options.cluster)
        if not isinstance(facts, ClusterFacts):
            raise CommandError(f"there is no {facts.what}")
        return self.dependencies.readers.clusters.login(facts)

    def _pods(self) -> Sequence[PodFacts]:
        return [pod for pod in self._cluster().pods(NAMESPACE, NAME) if not pod.deleting]

    @property
    def _pods_are_right(self) -> bool:
        pods = self._pods()
        return bool(pods) and all(pod.ready and pod.role_arn == self.options.role_arn for pod in pods)

    def _is_broken(self, former: set[str]) -> bool:
        """Whether a new pod runs without the role. A stack that was faster than the pod has put the annotation back already."""
        pods = [pod for pod in self._pods() if pod.name not in former]
        return bool(pods) and (all(pod.role_arn is None for pod in pods) or self._is_annotated)

    @property
    def _is_annotated(self) -> bool:
        account = self._cluster().service_account(NAMESPACE, NAME)
        return isinstance(account, ServiceAccountFacts) and account.role_annotations.get(ROLE_ANNOTATION) == self.options.role_arn

    def _until(self, condition: Callable[[], bool], timeout_s: float, otherwise: str) -> None:
        ends_at = self.seconds() + timeout_s
        while not condition():
            if self.seconds() > ends_at:
                raise CommandError(f"{otherwise} (after {timeout_s:.0f} seconds)")
            self.dependencies.sleep(POLL_S)

    # --- clean up ----------------------------------------------------------------------------------------------------------------

    def _clean_up(self) -> None:
        """Delete what the drill has created. Each step is tried, also where one before it failed."""
        access, cluster = self.dependencies.cluster_access, self.options.cluster
        steps: list[Callable[[], object]] = [
            lambda: self.dependencies.parameters.delete(self.options.binding),
            lambda: access.delete(cluster, _deployment(self.options.image)),
            lambda: access.delete(cluster, _namespace()),
            lambda: restore_policies(cluster, self._former_policies, access),
        ]
        _try_all(steps, cluster)


def clean_up_leftovers(cluster: str, dependencies: Dependencies) -> list[str]:
    """Delete what an interrupted drill has left in a cluster, and return it in words. Objects without the marker are left alone.

    Admission policies that allow the ServiceAccount of the drill get back what the bindings need: their former state is lost.

    Raises:
        CommandError: the namespace is not one of a drill, or objects could not be deleted.
    """
    access, removed = dependencies.cluster_access, list[str]()
    namespace = access.read(cluster, _namespace())
    if namespace is not None and not MARKER.items() <= (namespace["metadata"].get("labels") or {}).items():
        raise CommandError(
            f"namespace {NAMESPACE} in cluster {cluster} lacks the label {LABEL}, so no drill has created it: nothing was deleted"
        )
    options = DrillOptions(cluster=cluster, role_arn="")

    def delete_binding() -> None:
        if dependencies.parameters.delete(options.binding):
            removed.append(f"parameter {options.binding}")

    def delete_namespace() -> None:
        if namespace is not None:
            access.delete(cluster, _deployment(IMAGE))
            access.delete(cluster, _namespace())
            removed.append(f"namespace {NAMESPACE}")

    def reduce_policies() -> None:
        if _reduce_policies(options, dependencies):
            removed.append(f"the role of {NAMESPACE}/{NAME} in the admission policies")

    _try_all([delete_binding, delete_namespace, reduce_policies], cluster)
    return removed


def _reduce_policies(options: DrillOptions, dependencies: Dependencies) -> bool:
    """Apply the admission policies without the ServiceAccount of the drill. False where no policy of ours allows it.

    Policies that only the drill needed are deleted after that: the remaining ones already forbid what they limit.
    """
    access, cluster, drill = dependencies.cluster_access, options.cluster, account(_workload())
    installed = access.read(cluster, limit_policies({})[0])
    if installed is None or not is_managed(installed) or drill not in allowed_roles(installed):
        return False
    required = required_access(cluster, dependencies, with_policies=True).policies
    bound = {workload: roles for workload, roles in required.bound.items() if account(workload) != drill}
    current = {workload: role for workload, role in required.current.items() if account(workload) != drill}
    reduced = replace(required, bound=bound, current=current).manifests
    apply_policies(cluster, reduced, access)
    kept = {_identity(manifest) for manifest in reduced}
    extension = limit_policies({_workload(): []}, restarts=required.restarts)
    for manifest in reversed([manifest for manifest in extension if _identity(manifest) not in kept]):
        found = access.read(cluster, manifest)
        if found is not None and is_managed(found):
            access.delete(cluster, manifest)
    return True


def _identity(manifest: Mapping[str, Any]) -> tuple[str, str]:
    return manifest["kind"], manifest["metadata"]["name"]


def _try_all(steps: Sequence[Callable[[], object]], cluster: str) -> None:
    failures = []
    for step in steps:
        try:
            step()
        except RemediatorError as error:
            failures.append(str(error))
    if failures:
        raise CommandError(
            f"the drill could not clean up: {'; '.join(failures)}",
            next_step=f"run `irsa-remediator verify --drill --clean-up --cluster {cluster}`",
        )


def _workload() -> BoundWorkload:
    return BoundWorkload(NAMESPACE, NAME, WorkloadKind.DEPLOYMENT, NAME)


def _namespace() -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": dict(MARKER)}}


def _service_account(role_arn: str) -> dict[str, Any]:
    metadata = {"name": NAME, "namespace": NAMESPACE, "labels": dict(MARKER), "annotations": {ROLE_ANNOTATION: role_arn}}
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}


def _deployment(image: str) -> dict[str, Any]:
    """One container that does nothing, under the restrictions of the Pod Security Standard `restricted`.

    Source: https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
    """
    labels = {**MARKER, "app": NAME}
    security = {
        "runAsNonRoot": True,
        "runAsUser": 65535,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    container = {
        "name": "pause",
        "image": image,
        "securityContext": security,
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "32Mi"}},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": NAME, "namespace": NAMESPACE, "labels": labels},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": NAME}},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"serviceAccountName": NAME, "terminationGracePeriodSeconds": 1, "containers": [container]},
            },
        },
    }
