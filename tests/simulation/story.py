"""Stories: what a seed lets happen to the clusters, in order of time. Each item can be left out, so that a failing story can be shrunk."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property, partial
from random import Random
from typing import TYPE_CHECKING, Any, Final

from lambdas.contract.events import SWEEP_INPUT
from lambdas.contract.names import CNI_ADDON
from lambdas.contract.parameters import Mechanism, binding_path
from lambdas.contract.settings import Window, settings_path
from lambdas.domain.errors import AccessDenied, Busy, Denial, TransientError
from lambdas.domain.ports import (
    CalendarPort,
    ChecksPort,
    ClusterPort,
    ClustersPort,
    EksPort,
    EventsPort,
    IamPort,
    IncidentsPort,
    NotifierPort,
    ParametersPort,
    RemediatorPort,
)
from lambdas.domain.snapshot.snapshot import OidcProvider, RoleFacts
from sandbox.aws import cloudtrail
from tests.events import event as recorded
from tests.simulation.simulated_world import KEY
from tests.simulation.simulation import Trap
from tests.unit.node_watcher.audit_records import kubelet_patch, service_account_write, silent_node
from tests.world import REGION, Update, right_trust, role_arn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.simulation.simulation import Simulation
    from tests.world import InCluster

FAULTS_FOR_S: Final = 90 * 60
"""How long things happen. Then the faults stop."""
SETTLES_FOR_S: Final = 3 * 3600
"""How long the product gets afterwards: more than its cool-downs, time-outs and lasting limits add up to."""
MAX_START_S: Final = 12
"""Seconds that a container needs to start, unless its image is pulled slowly."""
TOLD_WITHIN_S: Final = 35 * 60
"""How soon the first message about a fault must be sent, after the twenty minutes without a sweep. A reminder comes an hour later."""
REPAIRS_WITHIN_S: Final = 45 * 60
"""How long the product gets to repair one more fault in a world without faults: a verification takes up to twenty minutes."""
CLOSES_FOR_S: Final = 2 * 3600
"""How long it gets to close its incidents after a person has repaired what was left."""
SHORT: Final = 0.4
"""Share of the stories of a theme in which one or two things happen, of which the theme is: in a quiet world nothing hides a fault."""
WINDOWED: Final = 0.15
"""Share of the clusters that have a weekly maintenance window."""
ASSOCIATED: Final = 8
"""Each seed that is one less than a multiple of this has a cluster with a binding to EKS Pod Identity; all others have none."""
LARGE: Final = 4
"""In each seed that leaves this remainder of `ASSOCIATED`, workloads count as large, so that their rollouts are followed by the status."""
LARGE_FROM: Final = 4_000_000
"""The first seed with large workloads. Earlier ones have the stories that they had before."""
SKEWED: Final = 2
"""In each seed that leaves this remainder of `ASSOCIATED`, and from `SKEWED_FROM` on, the clocks of the functions differ."""
SKEWED_FROM: Final = 7_000_000
"""The first seed with clocks that differ. Earlier ones have the stories that they had before."""
CLOCKS_WITHIN_S: Final = 0.5
"""How far the clock of a function may be from that of the world, so that two differ by at most a second."""
WINDOWS: Final = ("thu 12:20-13:10", "thu 12:40-12:50", "wed-thu 12:45-14:15", "thu 18:00-04:00", "sat-sun 00:00-06:00")
"""Maintenance windows (UTC). A story is played on a Thursday, and begins at noon."""
MAX_MESSAGES_AFTERWARDS: Final = 4
"""Messages for each cluster in the last hour before a person acts."""

_PORTS: Final[Mapping[str, type]] = {
    "parameters": ParametersPort,
    "eks": EksPort,
    "iam": IamPort,
    "cluster": ClusterPort,
    "clusters": ClustersPort,
    "incidents": IncidentsPort,
    "remediator": RemediatorPort,
    "events": EventsPort,
    "checks": ChecksPort,
    "notifier": NotifierPort,
    "calendar": CalendarPort,
}
METHODS: Final = tuple(f"{name}.{method}" for name, port in _PORTS.items() for method in sorted(vars(port)) if not method.startswith("_"))
_DENIABLE: Final = ("cluster.", "iam.", "eks.", "clusters.")


@dataclass(frozen=True)
class Item:
    """One thing that happens: its number in the story, the second, the cluster, and a seed for its details.

    With a `trap` it happens after that second, while the `count`-th call of this method is on its way, so between what the product has
    read and what it writes. That call then takes `delay_s` more.
    """

    number: int
    second: float
    kind: str
    cluster: str
    seed: str
    trap: str = ""
    count: int = 0
    delay_s: float = 0.0

    @property
    def chance(self) -> Random:
        """Random numbers for its details."""
        return Random(self.seed)

    def __str__(self) -> str:
        at_call = f", during call {self.count} of {self.trap} and {self.delay_s} s" if self.trap else ""
        return f"{self.number:3}. after {self.second:6.0f} s  {self.kind} {self.cluster}".rstrip() + at_call


@dataclass(frozen=True)
class Story:
    """What happens in one run. `kept` are the numbers of the items that happen; None: every one."""

    seed: int
    kept: frozenset[int] | None = None

    @cached_property
    def _chance(self) -> Random:
        return Random(f"story {self.seed}")

    @cached_property
    def clusters(self) -> dict[str, dict[str, Any]]:
        """The clusters, with their descriptions."""
        found = {
            f"c{number}": _with_window(
                _cluster(Random(f"{self.seed} cluster {number}"), self.theme), Random(f"{self.seed} window {number}")
            )
            for number in range(Random(f"{self.seed} size").choice((1, 1, 2, 3)))
        }
        return {name: _with_association(name, told) if self._is_associated(name) else told for name, told in found.items()}

    def _is_associated(self, name: str) -> bool:
        """Whether this cluster has a binding to Pod Identity: the first one of each eighth seed, and often the others of this seed."""
        is_first = name == "c0"
        return self.seed % ASSOCIATED == ASSOCIATED - 1 and (is_first or Random(f"{self.seed} association {name}").random() < 0.5)

    @property
    def has_large_workloads(self) -> bool:
        """Whether the rollouts of this story are followed by the status of their workload."""
        return self.seed >= LARGE_FROM and self.seed % ASSOCIATED == LARGE

    def skew_s(self, process: str) -> float:
        """By how many seconds the clock of a function is ahead of that of the world."""
        differs = self.seed >= SKEWED_FROM and self.seed % ASSOCIATED == SKEWED
        return Random(f"{self.seed} clock of {process}").choice((-CLOCKS_WITHIN_S, 0.0, CLOCKS_WITHIN_S)) if differs else 0.0

    @cached_property
    def theme(self) -> Theme:
        """What happens more often in this story than in others."""
        return Random(f"{self.seed} theme").choice(THEMES)

    @cached_property
    def hand_over_after(self) -> int | None:
        """The durable operations after which an execution hands over; None: at the real quota."""
        return Random(f"{self.seed} operations").choice((None, None, 12, 30, 80))

    @cached_property
    def stays_broken(self) -> str:
        """The item that the end of the faults does not undo, so that a person has to; empty where everything is undone."""
        return Random(f"{self.seed} lasting").choice(("", "", "", *LASTING))

    @cached_property
    def all_items(self) -> list[Item]:
        """Every item of the story."""
        chance = Random(f"{self.seed} items")
        weights = [weight * self.theme.often.get(kind, 1) for kind, weight in WEIGHTS.items()]
        if self.theme.often and chance.random() < SHORT:
            theirs = {kind: weight * WEIGHTS[kind] for kind, weight in self.theme.often.items()}
            kinds = chance.choices(list(theirs), weights=list(theirs.values()), k=chance.choice((1, 1, 2)))
            kinds = [*(kind for kind in HAZARDS if chance.random() < 0.1), *kinds]
        else:
            kinds = chance.choices(list(WEIGHTS), weights=weights, k=chance.randint(3, 14))
            kinds = [*(kind for kind in HAZARDS if chance.random() < 0.3), *kinds]
        names = list(self.clusters)
        found = []
        for kind in kinds:
            second = 0.0 if kind in HAZARDS else chance.uniform(1, FAULTS_FOR_S * (0.2 if kind in EARLY else 0.8))
            if chance.random() < 0.3 and found:  # often at the same time as something else
                second = found[-1][0] + chance.uniform(0, 20) if kind not in HAZARDS else 0.0
            found.append((second, kind, "" if kind in HAZARDS else chance.choice(names)))
        ordered = sorted(found)
        return [
            Item(
                number, second, kind, cluster, f"{self.seed} item {number}", *_trap(kind, self.theme, Random(f"{self.seed} trap {number}"))
            )
            for number, (second, kind, cluster) in enumerate(ordered)
        ]

    @property
    def items(self) -> list[Item]:
        """The items that happen."""
        return [item for item in self.all_items if self.kept is None or item.number in self.kept]

    def play(self, simulation: Simulation) -> None:
        """Let everything happen, stop the faults, and check what must then hold."""
        for name, description in self.clusters.items():
            simulation.world.add_cluster(name, description)
        chance = Random(f"{self.seed} schedule")
        simulation.sweeps_every_s = chance.choice((300.0, 300.0, 900.0))
        simulation.sweeps = chance.random() < 0.6
        simulation.scheduler.after(chance.uniform(0, 300), simulation.sweep)
        simulation.tick()
        for item in self.items:
            simulation.scheduler.after(item.second, lambda item=item: _begin(simulation, item))  # type: ignore[misc]
        simulation.run_for(FAULTS_FOR_S)
        self._stop_faults(simulation)
        simulation.sweeps = False
        simulation.run_for(1200)
        simulation.check_signals()
        self._settle(simulation)

    def _stop_faults(self, simulation: Simulation) -> None:
        simulation.tell("the faults stop")
        simulation.hazards.__init__()  # type: ignore[misc]
        simulation.world.call_faults.clear()
        simulation.traps.clear()
        simulation.ports.calendar.closed_until.clear()
        simulation.world.sync()
        for name in self.clusters:
            _mend(simulation, name)
        if self.stays_broken:
            simulation.tell(f"but {self.stays_broken} stays")
            for name in list(self.clusters)[:1]:
                HAPPENINGS[self.stays_broken](simulation, name, Random(f"{self.seed} lasting details"))

    def _settle(self, simulation: Simulation) -> None:
        simulation.sweeps, simulation.sweeps_every_s = True, 1800.0
        simulation.sweep()
        simulation.run_for(TOLD_WITHIN_S)
        for name in self.clusters:
            simulation.check_told(name, is_early=True)
        simulation.run_for(SETTLES_FOR_S - 3600 - TOLD_WITHIN_S)
        late = simulation.scheduler.now
        simulation.run_for(3600)
        for name in self.clusters:
            simulation.check_told(name)
        simulation.check_quiet(late, MAX_MESSAGES_AFTERWARDS * len(self.clusters))
        simulation.tell("a person repairs what is left")
        for name in self.clusters:
            _mend(simulation, name)
            _repair_by_hand(simulation, name)
        simulation.run_for(CLOSES_FOR_S)
        for name in self.clusters:
            simulation.check_converged(name)
        self._repair_again(simulation)

    def _repair_again(self, simulation: Simulation) -> None:
        """One more fault that the product can repair alone: it does, unless a limit over history holds.

        Pods fail soon; in a cluster with a maintenance window only once a check has found that the repair can wait.
        """
        simulation.tell("one more fault")
        chance = Random(f"{self.seed} again")
        for name in self.clusters:
            _set_parameter(simulation, settings_path(name, "mode"), "enforce", name)
            again = chance.choice((remove_annotation, change_annotation, delete_pod))
            simulation.world.clusters[name].webhook.lag = timedelta()
            again(simulation, name, chance)
            fails_after_s = 5 if not isinstance(simulation.world.settings(name).maintenance_window, Window) else 120
            simulation.scheduler.after(fails_after_s, lambda name=name: restart_pods(simulation, name, chance))  # type: ignore[misc]
        simulation.run_for(REPAIRS_WITHIN_S)
        for name in self.clusters:
            simulation.check_repaired(name)


def _cluster(chance: Random, theme: Theme) -> dict[str, Any]:
    """A description of a cluster."""
    settings = {
        "mode": chance.choices(("enforce", "approve", "observe"), weights=(8, 3, 1))[0],
        "restart_by": chance.choice(("restart", "restart", "deletion")),
        "addon_record": chance.choice(("update", "update", "update", "notify-only")),
        "cooldown_s": chance.choice(("0", "60", "300", "1800")),
        "approval_timeout_s": chance.choice(("600", "3600")),
        "verification_timeout_s": chance.choice(("300", "1200")),
        "maintenance_window": chance.choice(("always", "always", "calendar:freeze")),
        "notify_from": "info",
        **{name: chance.choice(values) for name, values in theme.settings.items()},
    }
    description: dict[str, Any] = {
        "cluster": {
            "nodes": chance.choice((2, 3, 4, 6)),
            "pace": chance.choice((1, 2)),
            "update_reads": chance.choice((0, 1, 3, 8)),
            "falls_back": theme.falls_back or chance.random() < 0.3,
            "webhook_lag_s": chance.choice((0, 0, 2, 20)),
        },
        "settings": settings,
        "start_s": chance.choice((0, 0, 3, MAX_START_S)),
        "workload": {"max_unavailable": chance.choice((1, 1, 2)), "on_delete": chance.random() < 0.1},
    }
    if chance.random() < 0.25:
        description |= {"annotation": None, "pods": {"role": None}}
    return description


def _with_window(cluster: dict[str, Any], chance: Random) -> dict[str, Any]:
    """The description, in some clusters with a weekly maintenance window. The random numbers are its own, so that nothing else differs."""
    return (
        cluster
        if chance.random() >= WINDOWED
        else {**cluster, "settings": {**cluster["settings"], "maintenance_window": chance.choice(WINDOWS)}}
    )


def _with_association(name: str, cluster: dict[str, Any]) -> dict[str, Any]:
    """The description with Pod Identity in the place of the annotation. Where that is missing, the association is."""
    role = role_arn(f"{name}-vpc-cni")
    return {
        **cluster,
        "binding": json.dumps({"role": role, "mechanism": Mechanism.POD_IDENTITY}),
        "associations": [] if "annotation" in cluster else [role],
        "annotation": None,
        "addon": {"role_arn": None},
        "pods": {"role": None},
    }


# --- what happens -----------------------------------------------------------------------------------------------------------------------


def _trap(kind: str, theme: Theme, chance: Random) -> tuple[str, int, float]:
    """The call that this item waits for, if it waits for one, and how long the call then takes."""
    methods = theme.traps.get(kind) or TRAPS.get(kind, ())
    if not methods or chance.random() < (0.15 if kind in theme.traps else 0.5):
        return "", 0, 0.0
    return chance.choice(methods), chance.choice((1, 1, 1, 2, 3)), chance.choice((0.0, 0.0, 3.0, 10.0, 20.0))


def _begin(simulation: Simulation, item: Item) -> None:
    if item.trap:
        simulation.set_trap(Trap(item.trap, item.count, item.delay_s, lambda: _happen(simulation, item)))
    else:
        _happen(simulation, item)


def _happen(simulation: Simulation, item: Item) -> None:
    simulation.tell(f"{item.kind} {item.cluster}".rstrip())
    simulation.world.sync()
    HAPPENINGS[item.kind](simulation, item.cluster, item.chance)
    if item.cluster:
        simulation.world.observe(item.cluster)


def _event(simulation: Simulation, name: str, cluster: str, change: Callable[[dict[str, Any]], None] = lambda _: None) -> None:
    """Publish a recorded event with this cluster and the present time."""
    at = cloudtrail.zulu(simulation.scheduler.now)
    event = recorded(name)
    event["time"] = at
    if "eventTime" in event["detail"]:
        event["detail"]["eventTime"] = at
    change(event)
    simulation.publish(event, cluster, name)


def _there(simulation: Simulation, name: str) -> InCluster | None:
    return simulation.world.clusters.get(name)


def update_addon(simulation: Simulation, name: str, chance: Random) -> None:
    """A pipeline updates the add-on without the role, which empties the record and removes the annotation that EKS owns."""
    cluster = _there(simulation, name)
    record = cluster.addons.get(CNI_ADDON) if cluster else None
    if cluster is None or record is None or CNI_ADDON in cluster.updates:
        return
    role = record.role_arn if chance.random() < 0.2 else None
    becomes = replace(record, role_arn=role, status="ACTIVE", version=f"v1.{chance.randint(15, 20)}.{chance.randint(0, 9)}-eksbuild.1")
    cluster.addons[CNI_ADDON] = replace(record, status="UPDATING")
    cluster.updates[CNI_ADDON] = Update(becomes, cluster.update_reads, annotates=True)
    if chance.random() < 0.7:
        simulation.world.stamp_template(cluster)

    def change(event: dict[str, Any]) -> None:
        event["detail"]["requestParameters"] = {**event["detail"]["requestParameters"], "name": name, "addonName": CNI_ADDON}

    _event(simulation, "call-update-addon-by-role", name, change)
    simulation.scheduler.after(
        90, lambda: _event(simulation, "addon-update-succeeded", name, lambda event: event["detail"].update(clusterName=name))
    )


def _annotate(simulation: Simulation, name: str, role: str | None, manager: str) -> None:
    cluster = _there(simulation, name)
    if cluster is None or KEY not in cluster.accounts:
        return
    simulation.world.sync()
    before = simulation.world.given_role(cluster)
    simulation.world.give_role(cluster, role, manager)
    simulation.world.observe(name)
    if name in simulation.world.associated:
        if before != role:
            _tell_of_association(simulation, name, "delete" if role is None else "update" if before else "create")
        return
    at = simulation.scheduler.now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    simulation.watch_audit_log(name, service_account_write(at=at))


def _tell_of_association(simulation: Simulation, name: str, change: str) -> None:
    """CloudTrail tells who has created, changed or deleted the association."""

    def put_cluster(event: dict[str, Any]) -> None:
        event["detail"]["requestParameters"] = {**event["detail"]["requestParameters"], "name": name}
        answer = event["detail"]["responseElements"]["association"]
        event["detail"]["responseElements"] = {
            "association": {**answer, "clusterName": name, "namespace": KEY[0], "serviceAccount": KEY[1]}
        }
        if change == "create":
            event["detail"]["requestParameters"] |= {"namespace": KEY[0], "serviceAccount": KEY[1]}

    _event(simulation, f"call-{change}-association", name, put_cluster)


def remove_annotation(simulation: Simulation, name: str, _chance: Random) -> None:
    """Terraform removes the annotation, or the association."""
    _annotate(simulation, name, None, "Terraform")


def change_annotation(simulation: Simulation, name: str, _chance: Random) -> None:
    """A person sets the annotation or the association to another role."""
    _annotate(simulation, name, role_arn(f"{name}-wrong"), "kubectl-annotate")


def set_annotation(simulation: Simulation, name: str, _chance: Random) -> None:
    """A person sets the right annotation or association by hand."""
    if bound := simulation.world.bound_role(name):
        _annotate(simulation, name, bound, "kubectl-annotate")


def remove_again_and_again(simulation: Simulation, name: str, chance: Random) -> None:
    """A GitOps tool removes the annotation every few minutes."""
    every = chance.choice((chance.uniform(3, 30), chance.uniform(60, 300), chance.uniform(300, 900)))
    for number in range(chance.randint(2, 12)):
        if number * every < FAULTS_FOR_S * 0.2:
            simulation.scheduler.after(number * every, lambda: _annotate(simulation, name, None, "argocd-controller"))


def restart_pods(simulation: Simulation, name: str, _chance: Random) -> None:
    """A person restarts the workload."""
    if cluster := _there(simulation, name):
        simulation.world.stamp_template(cluster)


def delete_pod(simulation: Simulation, name: str, chance: Random) -> None:
    """A person deletes a pod."""
    cluster = _there(simulation, name)
    if cluster and cluster.pods:
        simulation.world.replace_pod(cluster, chance.choice(sorted(cluster.pods)))


def _set_parameter(simulation: Simulation, path: str, value: str | None, cluster: str) -> None:
    simulation.world.set_parameter(path, value)
    simulation.world.observe(cluster)

    def change(event: dict[str, Any]) -> None:
        event["detail"] |= {"operation": "Delete" if value is None else "Update", "name": path}
        event["resources"] = [f"arn:aws:ssm:{REGION}:111122223333:parameter{path}"]

    _event(simulation, "parameter-binding-created", cluster, change)


def change_binding(simulation: Simulation, name: str, chance: Random) -> None:
    """The binding names another good role, or goes back to the first one."""
    role = chance.choice(simulation.world.good_roles(name))
    cluster = _there(simulation, name)
    if cluster:
        simulation.world.roles.setdefault(role, RoleFacts(arn=role, trust=simulation.world.right_trust(cluster)))
        _set_parameter(simulation, binding_path(name, *KEY), simulation.world.binding_value(name, role), name)


def delete_binding(simulation: Simulation, name: str, _chance: Random) -> None:
    """The binding is deleted."""
    _set_parameter(simulation, binding_path(name, *KEY), None, name)


def change_mode(simulation: Simulation, name: str, chance: Random) -> None:
    """The mode is changed."""
    _set_parameter(simulation, settings_path(name, "mode"), chance.choice(("observe", "approve", "enforce")), name)


def set_observe(simulation: Simulation, name: str, _chance: Random) -> None:
    """The mode is set to observe."""
    _set_parameter(simulation, settings_path(name, "mode"), "observe", name)


def observe_only(simulation: Simulation, name: str, _chance: Random) -> None:
    """The mode is set to observe, and the annotation is removed."""
    _set_parameter(simulation, settings_path(name, "mode"), "observe", name)
    _annotate(simulation, name, None, "Terraform")


def break_trust(simulation: Simulation, name: str, _chance: Random) -> None:
    """The trust policy names another cluster. No event tells it."""
    role = simulation.world.bound_role(name)
    if role in simulation.world.roles:
        simulation.world.roles[role] = RoleFacts(arn=role, trust=right_trust(f"https://oidc.eks.{REGION}.amazonaws.com/id/OTHER"))


def delete_role(simulation: Simulation, name: str, _chance: Random) -> None:
    """The role is deleted."""
    simulation.world.roles.pop(simulation.world.bound_role(name) or "", None)


def delete_provider(simulation: Simulation, name: str, _chance: Random) -> None:
    """The OIDC provider is deleted."""
    if cluster := _there(simulation, name):
        simulation.world.providers.pop(cluster.facts.provider_arn or "", None)


def spoil_role(simulation: Simulation, name: str, _chance: Random) -> None:
    """No pod starts with any role any more, though everything that can be read is right. Some pods are replaced."""
    if _there(simulation, name):
        simulation.world.spoiled.add(name)


def let_pods_crash(simulation: Simulation, name: str, _chance: Random) -> None:
    """No replaced pod starts: its image cannot be pulled."""
    if cluster := _there(simulation, name):
        cluster.successors_crash = True


def lose_node(simulation: Simulation, name: str, chance: Random) -> None:
    """A kubelet falls silent."""
    cluster = _there(simulation, name)
    ready = sorted(node.name for node in cluster.nodes.values() if node.ready) if cluster else []
    if cluster and len(ready) > 1:
        lost = chance.choice(ready)
        simulation.world.lose_node(cluster, lost)
        at = simulation.scheduler.now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        simulation.watch_audit_log(name, silent_node(lost, at=at))


def return_node(simulation: Simulation, name: str, _chance: Random) -> None:
    """Lost nodes come back."""
    if cluster := _there(simulation, name):
        for node in [item.name for item in cluster.nodes.values() if item.ready is None]:
            simulation.world.return_node(cluster, node)


def join_node(simulation: Simulation, name: str, _chance: Random) -> None:
    """A node joins, and reports that its network plug-in is not ready."""
    if cluster := _there(simulation, name):
        simulation.world.join_node(cluster)
        at = simulation.scheduler.now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        simulation.watch_audit_log(name, kubelet_patch(list(cluster.nodes)[-1], at=at))


def stop_webhook(simulation: Simulation, name: str, chance: Random) -> None:
    """The identity webhook misses pods."""
    if cluster := _there(simulation, name):
        cluster.webhook.misses = chance.choice((1, 2, 5, 10**6))


def delete_webhook(simulation: Simulation, name: str, _chance: Random) -> None:
    """The identity webhook is not registered, and a person restarts the workload."""
    if cluster := _there(simulation, name):
        cluster.webhook.is_registered = False
        simulation.world.stamp_template(cluster)


def refuse_token(simulation: Simulation, name: str, _chance: Random) -> None:
    """STS refuses a token of the workload, and CloudTrail tells it."""
    cluster, role = _there(simulation, name), simulation.world.bound_role(name)
    if cluster is None or role is None:
        return
    break_trust(simulation, name, Random(0))
    if name in simulation.world.associated:
        _event(simulation, "refused-pod-identity", name, lambda event: event["detail"]["requestParameters"].update(clusterName=name))
        return
    subject = f"system:serviceaccount:{KEY[0]}:{KEY[1]}"
    event = cloudtrail.refused_token(subject, role_arn=role, provider_arn=cluster.facts.provider_arn or "", region=REGION)
    event["time"] = event["detail"]["eventTime"] = cloudtrail.zulu(simulation.scheduler.now)
    simulation.publish(event, name, "refused token")


def ask_for_check(simulation: Simulation, name: str, _chance: Random) -> None:
    """A person asks for a check."""

    def change(event: dict[str, Any]) -> None:
        event["detail"] = {**event["detail"], "cluster": name}
        event["detail"].pop("serviceAccount", None)

    _event(simulation, "check-requested-by-person", name, change)


def storm(simulation: Simulation, name: str, chance: Random) -> None:
    """Many events at once."""
    for number in range(chance.randint(5, 25)):
        simulation.scheduler.after(number * chance.uniform(0, 2), lambda: ask_for_check(simulation, name, chance))


def fix(simulation: Simulation, name: str, _chance: Random) -> None:
    """A person runs `irsa-remediator fix`."""
    if _there(simulation, name):
        simulation.fix(name)


def deploy(simulation: Simulation, _name: str, _chance: Random) -> None:
    """A new version is deployed."""
    simulation.deploy()


def stop_execution(simulation: Simulation, _name: str, chance: Random) -> None:
    """A person stops an execution in the console. Often a sweep follows soon."""
    simulation.stop_execution()
    if chance.random() < 0.7:
        simulation.scheduler.after(chance.uniform(0, 3), lambda: simulation.publish(dict(SWEEP_INPUT), "", "sweep"))


def recreate_cluster(simulation: Simulation, name: str, chance: Random) -> None:
    """The cluster is deleted, and made anew after a while."""
    there = simulation.world.clusters.pop(name, None)
    simulation.world.harmed[name] = {}
    simulation.world.rolls_ours.pop(name, None)
    if there is None:
        return

    def make() -> None:
        if name in simulation.world.clusters:
            return
        simulation.world.sync()
        there.facts = replace(there.facts, created_at=simulation.scheduler.now - timedelta(minutes=chance.choice((1, 30))))
        simulation.world.clusters[name] = there
        for pod in list(there.pods):
            simulation.world.replace_pod(there, pod)
        simulation.world.observe(name)

    simulation.scheduler.after(chance.uniform(60, 1500), make)


def fail_calls(simulation: Simulation, _name: str, chance: Random) -> None:
    """Some calls of one method fail, before or after their effect."""
    for method in chance.sample(METHODS, k=chance.randint(1, 6)):
        errors: list[Exception] = [TransientError(f"{method}: throttled"), TransientError(f"{method}: timed out", retry_after_s=2)]
        if method.startswith(_DENIABLE):
            errors.append(AccessDenied(f"{method}: forbidden", denial=chance.choice(tuple(Denial))))
        if method == "eks.set_addon_role":
            errors.append(Busy(f"{method}: an update is running"))
        error = chance.choice(errors)
        after = isinstance(error, TransientError) and not isinstance(error, Busy) and chance.random() < 0.4
        simulation.world.fail(method, error, times=chance.choice((1, 2, 5, 30)), after=after)


def take_down(simulation: Simulation, _name: str, chance: Random) -> None:
    """One service is down for a while."""
    sprung = simulation.sprung.partition(".")[0]
    service = sprung if sprung and chance.random() < 0.6 else chance.choice(tuple(_PORTS))
    error = TransientError(f"{service}: no answer")
    for method in METHODS:
        if method.startswith(f"{service}."):
            simulation.world.fail(method, error, times=None)

    def lift() -> None:
        simulation.world.call_faults = [fault for fault in simulation.world.call_faults if fault.error is not error]

    simulation.scheduler.after(chance.uniform(20, 1800), lift)


def close_calendar(simulation: Simulation, _name: str, chance: Random) -> None:
    """The change calendar closes for a while."""
    simulation.ports.calendar.closed_until["freeze"] = simulation.scheduler.now + timedelta(seconds=chance.uniform(300, 3600))


def hide_iam(simulation: Simulation, _name: str, chance: Random) -> None:
    """Roles and OIDC providers cannot be read for a while."""
    error = AccessDenied("iam: forbidden", denial=Denial.FORBIDDEN)
    for method in chance.choice((("iam.role",), ("iam.oidc_provider",), ("iam.role", "iam.oidc_provider"))):
        simulation.world.fail(method, error, times=None)

    def lift() -> None:
        simulation.world.call_faults = [fault for fault in simulation.world.call_faults if fault.error is not error]

    simulation.scheduler.after(chance.uniform(300, 2400), lift)


# --- faults with something that happens while they are repaired ---------------------------------------------------------------------------


def _lose_role(simulation: Simulation, name: str) -> bool:
    """Remove the annotation or the association, and restart the pods a moment later. Returns whether the cluster exists."""
    if _there(simulation, name) is None:
        return False
    _annotate(simulation, name, None, "Terraform")
    simulation.scheduler.after(1, lambda: restart_pods(simulation, name, Random(0)))
    return True


def let_repair_fail(simulation: Simulation, name: str, chance: Random) -> None:
    """Pods without the role work, and once a repair has begun, pods with the role do not. Often someone else sets the annotation then."""
    if not _lose_role(simulation, name):
        return
    simulation.world.clusters[name].falls_back = True
    simulation.set_trap(Trap("cluster.delete_pod", 1, 0.0, lambda: spoil_role(simulation, name, chance)))
    if chance.random() < 0.5:
        count = chance.randint(2, 20)
        simulation.set_trap(Trap("cluster.pods", count, 0.0, lambda: change_annotation(simulation, name, chance)))


def overtake_plan(simulation: Simulation, name: str, chance: Random) -> None:
    """Between plan and write the binding, the mode or the annotation changes."""
    change = chance.choice((rebind, rebind, set_observe, set_observe, change_mode, change_annotation))
    methods = ("incidents.mark_repairing",) if change is rebind else ("incidents.mark_repairing", *_WRITES[:2])
    method = chance.choice(methods)
    if _lose_role(simulation, name):
        simulation.set_trap(Trap(method, 1, chance.choice((0.0, 2.0)), lambda: change(simulation, name, chance)))


def stop_repair(simulation: Simulation, name: str, chance: Random) -> None:
    """A repair that replaces one pod after the other is stopped in the console while a call is on its way, and a sweep follows."""
    method, count = chance.choice((("cluster.delete_pod", 2), ("cluster.delete_pod", 3), ("cluster.service_account", 1)))
    if _there(simulation, name):
        simulation.world.set_parameter(settings_path(name, "restart_by"), "deletion")
        simulation.world.start_s[name] = 4.0  # so that the successor is not done before the former process continues
        stop = Trap(method, count, chance.choice((5.0, 8.0, 20.0)), lambda: _stop_and_sweep(simulation, name))
        simulation.set_trap(Trap("incidents.mark_repairing", 1, 0.0, lambda: simulation.set_trap(stop)))
        _annotate(simulation, name, None, "Terraform")
        _replace_all_pods(simulation, name)


def _replace_all_pods(simulation: Simulation, name: str) -> None:
    """Every pod is replaced at once, and the webhook knows the present annotation."""
    cluster = simulation.world.clusters[name]
    cluster.former_annotations.clear()
    for pod in sorted(cluster.pods):
        simulation.world.replace_pod(cluster, pod)


def _stop_and_sweep(simulation: Simulation, name: str) -> None:
    """A person stops the execution of this cluster, and the next sweep comes at once."""
    simulation.stop_execution(name)
    simulation.publish(dict(SWEEP_INPUT), "", "sweep")


def stop_failed_repair(simulation: Simulation, name: str, chance: Random) -> None:
    """A repair fails, and the execution that only watches since is stopped. A sweep follows."""
    cluster = _there(simulation, name)
    if cluster is None:
        return
    cluster.falls_back = True
    _annotate(simulation, name, None, "Terraform")
    simulation.set_trap(Trap("cluster.delete_pod", 1, 0.0, lambda: spoil_role(simulation, name, chance)))
    stop = Trap(
        "notifier.send", 1, 0.0, lambda: simulation.scheduler.after(chance.uniform(5, 60), lambda: _stop_and_sweep(simulation, name))
    )
    simulation.set_trap(Trap("cluster.restore_annotation", 1, 0.0, lambda: simulation.set_trap(stop)))


def change_before_closing(simulation: Simulation, name: str, chance: Random) -> None:
    """A repair is verified, and before its incident is closed the annotation is removed once more."""
    delay_s = chance.uniform(6, 15)
    if _lose_role(simulation, name):
        simulation.set_trap(Trap("incidents.close", 1, delay_s, lambda: remove_annotation(simulation, name, chance)))


def change_after_persons_repair(simulation: Simulation, name: str, chance: Random) -> None:
    """A person whose clock is fast repairs a cluster, and soon after that the annotation is removed."""
    if not _there(simulation, name):
        return
    simulation.set_trap(Trap("incidents.close", 1, 0.0, lambda: later(chance.uniform(5, 150))))
    _annotate(simulation, name, None, "Terraform")
    simulation.fix(name, skew_s=chance.uniform(120, 240))

    def later(seconds: float) -> None:
        simulation.scheduler.after(seconds, lambda: remove_annotation(simulation, name, chance))


def repair_by_rollout(simulation: Simulation, name: str, chance: Random) -> None:
    """Every pod has lost its role. A person sets the annotation and restarts the workload, so that a rollout gives all of them the role.

    It takes some time, since containers start slowly, and pods without the role run meanwhile.
    """
    cluster = _there(simulation, name)
    if cluster is None or KEY not in cluster.accounts:
        return
    world = simulation.world
    world.set_parameter(settings_path(name, "mode"), "enforce")
    world.start_s[name], cluster.pace, cluster.falls_back = chance.choice((0.0, 20.0)), 1, True
    world.give_role(cluster, None, "Terraform")
    _replace_all_pods(simulation, name)

    def roll_out() -> None:
        set_annotation(simulation, name, chance)
        world.stamp_template(cluster)

    simulation.scheduler.after(chance.uniform(0.1, 0.5), roll_out)


def remove_during_update(simulation: Simulation, name: str, chance: Random) -> None:
    """An add-on update without the role takes minutes, and meanwhile the annotation is removed."""
    update_addon(simulation, name, chance)
    cluster = _there(simulation, name)
    if cluster and CNI_ADDON in cluster.updates:
        cluster.updates[CNI_ADDON].reads_left = chance.randint(20, 60)
        simulation.scheduler.after(chance.uniform(1, 5), lambda: remove_annotation(simulation, name, chance))


def rebind(simulation: Simulation, name: str, _chance: Random) -> None:
    """The binding names the other good role."""
    cluster, world = _there(simulation, name), simulation.world
    if cluster and (bound := world.bound_role(name)):
        other = next(role for role in world.good_roles(name) if role != bound)
        world.roles.setdefault(other, RoleFacts(arn=other, trust=world.right_trust(cluster)))
        _set_parameter(simulation, binding_path(name, *KEY), world.binding_value(name, other), name)


def rebind_only(simulation: Simulation, name: str, chance: Random) -> None:
    """The binding names the other good role, and the record of the add-on is left to its owner, who has not changed it yet."""
    simulation.world.set_parameter(settings_path(name, "addon_record"), "notify-only")
    rebind(simulation, name, chance)


def remove_in_freeze(simulation: Simulation, name: str, chance: Random) -> None:
    """The annotation is removed while the change calendar is closed. Nothing fails until a pod starts."""
    simulation.world.set_parameter(settings_path(name, "maintenance_window"), "calendar:freeze")
    close_calendar(simulation, name, chance)
    remove_annotation(simulation, name, chance)


def slow_down_starts(simulation: Simulation, name: str, chance: Random) -> None:
    """While a repair restarts the workload, containers take ten minutes to start, since their image is pulled slowly."""
    if _lose_role(simulation, name):
        slow = partial(simulation.world.start_s.__setitem__, name, 600.0)
        for method in ("cluster.restart", "cluster.delete_pod"):
            simulation.set_trap(Trap(method, 1 + (method == "cluster.delete_pod"), 0.0, slow))


def let_fault_grow(simulation: Simulation, name: str, chance: Random) -> None:
    """A fault that needs a person, and every few minutes one more pod loses its role."""
    if _there(simulation, name):
        break_trust(simulation, name, chance)
        _annotate(simulation, name, None, "Terraform")
        for number in range(1, 9):
            simulation.scheduler.after(number * 540, lambda: delete_pod(simulation, name, chance))


def undo_each_write(simulation: Simulation, name: str, chance: Random) -> None:
    """A tool that writes at the same moment as the remediator, several times."""
    if _lose_role(simulation, name):
        for count in range(1, chance.randint(2, 6)):
            simulation.set_trap(Trap("cluster.apply_annotation", count, 0.0, lambda: change_annotation(simulation, name, chance)))


def lose_answer(simulation: Simulation, name: str, chance: Random) -> None:
    """The answer to the write of the annotation is lost. Then someone else changes it, and the mode is set to observe."""

    def take_back() -> None:
        change_annotation(simulation, name, chance)
        set_observe(simulation, name, chance)

    if _lose_role(simulation, name):
        method, error = "cluster.apply_annotation", TransientError("the answer is lost")
        written = "eks.create_association" if name in simulation.world.associated else method
        simulation.set_trap(Trap(method, 1, 0.0, lambda: simulation.world.fail(written, error, after=True)))
        simulation.set_trap(Trap(method, 2, 0.0, take_back))


def change_during_check(simulation: Simulation, name: str, chance: Random) -> None:
    """A check has read a cluster as right, and before it ends the annotation is removed, whose event the check has to answer."""
    ask_for_check(simulation, name, chance)
    delay_s = chance.uniform(4, 15)
    simulation.set_trap(Trap("incidents.finish_check", 1, delay_s, lambda: remove_annotation(simulation, name, chance)))


def crash_process(simulation: Simulation, _name: str, chance: Random) -> None:
    """A process ends right after one of its calls."""
    method = chance.choice(("eks.addon", "cluster.pods", "incidents.signal", "incidents.finish_check", *_READS, *_WRITES, *_ENDS))
    simulation.set_trap(Trap(method, chance.choice((1, 1, 2, 5)), 0.0, simulation.crash_next))


def lose_message(simulation: Simulation, name: str, chance: Random) -> None:
    """A fault that needs a person, and the topics do not answer while it is told."""
    error = TransientError("notifier: no answer")

    def end() -> None:
        simulation.world.call_faults = [fault for fault in simulation.world.call_faults if fault.error is not error]

    if _there(simulation, name):
        break_trust(simulation, name, chance)
        _annotate(simulation, name, None, "Terraform")
        simulation.world.fail("notifier.send", error, times=None)
        simulation.scheduler.after(chance.uniform(30, 1200), end)


def hide_fault(simulation: Simulation, name: str, chance: Random) -> None:
    """The trust policy or the OIDC provider is wrong, and after the first message it cannot be read any more."""
    if _there(simulation, name):
        chance.choice((break_trust, delete_provider))(simulation, name, chance)
        if chance.random() < 0.3:
            _annotate(simulation, name, None, "Terraform")
        ask_for_check(simulation, name, chance)
        simulation.set_trap(Trap("notifier.send", 1, 0.0, lambda: hide_iam(simulation, name, chance)))


# --- what goes wrong all the time ---------------------------------------------------------------------------------------------------------


def crash_often(simulation: Simulation, _name: str, chance: Random) -> None:
    """Processes crash after any call."""
    simulation.hazards.crash = chance.choice((0.002, 0.01, 0.04))


def slow_down(simulation: Simulation, _name: str, chance: Random) -> None:
    """Some calls take many seconds."""
    simulation.hazards.slow = chance.choice((0.01, 0.05))


def delay_events(simulation: Simulation, _name: str, chance: Random) -> None:
    """Events arrive minutes late and out of order."""
    simulation.hazards.delay_s = chance.choice((10.0, 120.0, 600.0))


def double_events(simulation: Simulation, _name: str, _chance: Random) -> None:
    """Events arrive twice."""
    simulation.hazards.double = 0.4


def lose_events(simulation: Simulation, _name: str, _chance: Random) -> None:
    """Events are lost."""
    simulation.hazards.loss = 0.3


def skew_clocks(simulation: Simulation, _name: str, _chance: Random) -> None:
    """The clock of a person's laptop is minutes wrong."""
    simulation.hazards.skew_s = 240


HAZARDS: Final[Mapping[str, Callable[[Simulation, str, Random], None]]] = {
    "crashes": crash_often,
    "slow calls": slow_down,
    "late events": delay_events,
    "doubled events": double_events,
    "lost events": lose_events,
    "wrong clocks": skew_clocks,
}
_WEIGHTED: Final[Mapping[str, tuple[float, Callable[[Simulation, str, Random], None]]]] = {
    "add-on update without the role": (4, update_addon),
    "annotation removed": (5, remove_annotation),
    "annotation changed": (3, change_annotation),
    "annotation set by hand": (1, set_annotation),
    "annotation removed again and again": (1, remove_again_and_again),
    "pods restarted by a person": (3, restart_pods),
    "pod deleted by a person": (2, delete_pod),
    "binding changed": (2, change_binding),
    "binding deleted": (1, delete_binding),
    "mode changed": (2, change_mode),
    "observe only": (0.3, observe_only),
    "trust broken": (1, break_trust),
    "role deleted": (1, delete_role),
    "OIDC provider deleted": (0.5, delete_provider),
    "role spoiled": (1, spoil_role),
    "pods crash": (1, let_pods_crash),
    "node lost": (2, lose_node),
    "node returns": (1, return_node),
    "node joins": (2, join_node),
    "webhook misses pods": (1, stop_webhook),
    "webhook deleted": (0.5, delete_webhook),
    "token refused": (1, refuse_token),
    "check asked for": (1, ask_for_check),
    "storm": (1, storm),
    "person fixes": (2, fix),
    "new version": (2, deploy),
    "execution stopped": (2, stop_execution),
    "cluster recreated": (1, recreate_cluster),
    "calls fail": (5, fail_calls),
    "service down": (2, take_down),
    "IAM not readable": (1, hide_iam),
    "calendar closes": (1, close_calendar),
    "annotation removed in a freeze": (0.5, remove_in_freeze),
    "repair fails": (1, let_repair_fail),
    "plan overtaken": (1, overtake_plan),
    "repair stopped": (1, stop_repair),
    "failed repair stopped": (0.5, stop_failed_repair),
    "repaired by a rollout": (1, repair_by_rollout),
    "fault grows": (0.5, let_fault_grow),
    "removed during an update": (0.5, remove_during_update),
    "slow starts": (0.5, slow_down_starts),
    "binding changed without the record": (0.5, rebind_only),
    "change before closing": (1, change_before_closing),
    "change after a person's repair": (0.5, change_after_persons_repair),
    "each write undone": (0.5, undo_each_write),
    "message lost": (0.5, lose_message),
    "answer lost": (0.5, lose_answer),
    "change during a check": (1, change_during_check),
    "process crashes": (1, crash_process),
    "fault hidden": (0.5, hide_fault),
}
_WRITES: Final = ("cluster.apply_annotation", "cluster.delete_pod", "cluster.restart", "eks.set_addon_role")
_READS: Final = ("incidents.mark_repairing", "cluster.service_account", "cluster.pods", "incidents.get")
_ENDS: Final = ("incidents.close", "incidents.finish_check", "incidents.claim", "notifier.send")
_PLANNED: Final = ("incidents.mark_repairing",)
TRAPS: Final[Mapping[str, tuple[str, ...]]] = {
    "add-on update without the role": (*_WRITES, *_READS, *_ENDS),
    "annotation removed": (*_WRITES, *_READS, *_ENDS),
    "annotation changed": (*_WRITES, *_READS, *_ENDS),
    "annotation set by hand": (*_WRITES, *_READS),
    "pods restarted by a person": (*_WRITES, *_READS, *_ENDS),
    "binding changed": (*_WRITES, *_READS),
    "binding deleted": (*_WRITES, *_READS),
    "mode changed": (*_WRITES, *_READS),
    "observe only": _READS,
    "role spoiled": (*_PLANNED, *_WRITES),
    "IAM not readable": _READS,
    "trust broken": (*_WRITES, *_READS, *_ENDS),
    "node lost": _WRITES,
    "person fixes": ("incidents.claim", "incidents.finish_check", "notifier.send"),
    "new version": (*_WRITES, *_READS, *_ENDS),
    "execution stopped": (*_WRITES, *_READS, *_ENDS),
    "cluster recreated": (*_READS, *_ENDS),
    "calls fail": (*_WRITES, *_READS, *_ENDS),
    "service down": (*_WRITES, *_READS, *_ENDS),
}
"""Calls during which something may happen, by kind."""


@dataclass(frozen=True)
class Theme:
    """What a story is about: how much more often some kinds happen and during which calls, and settings of its clusters.

    Stories that are each about something else find more than stories in which everything happens a little: see A. Groce et al., "Swarm
    Testing", ISSTA 2012, https://doi.org/10.1145/2338965.2336763
    """

    often: Mapping[str, float] = field(default_factory=dict)
    traps: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    settings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    falls_back: bool = False


THEMES: Final = (
    Theme(),
    Theme(  # checks, and the end of an incident
        often={
            "change during a check": 12,
            "change before closing": 8,
            "change after a person's repair": 12,
            "process crashes": 8,
            "check asked for": 3,
            "storm": 3,
        },
        settings={"mode": ("enforce",)},
    ),
    Theme(  # other writers, and the limits over history
        often={
            "annotation removed again and again": 25,
            "each write undone": 12,
            "answer lost": 60,
            "annotation removed": 3,
            "annotation changed": 4,
        },
        settings={"mode": ("enforce",), "cooldown_s": ("0", "60"), "max_repairs_per_hour": ("1", "2", "2", "10")},
    ),
    Theme(  # executions that end early, and holders that follow each other
        often={
            "repair stopped": 20,
            "failed repair stopped": 16,
            "execution stopped": 6,
            "new version": 8,
            "person fixes": 6,
            "annotation removed": 4,
            "pods restarted by a person": 3,
        },
        traps={"execution stopped": ("cluster.delete_pod", "cluster.apply_annotation", "cluster.pods", "notifier.send")},
        settings={"mode": ("enforce",), "cooldown_s": ("0",), "restart_by": ("deletion", "restart")},
    ),
    Theme(  # what the plan rests on changes between plan and write
        often={
            "binding changed": 8,
            "calendar closes": 4,
            "mode changed": 6,
            "observe only": 6,
            "annotation changed": 4,
            "annotation removed": 6,
            "repaired by a rollout": 20,
            "plan overtaken": 24,
            "annotation removed in a freeze": 24,
            "add-on update without the role": 3,
        },
        traps={
            "binding changed": _PLANNED,
            "mode changed": _PLANNED,
            "observe only": _PLANNED,
            "annotation changed": (*_PLANNED, "cluster.apply_annotation", "cluster.delete_pod"),
        },
        settings={"mode": ("approve", "enforce", "enforce"), "cooldown_s": ("0",)},
    ),
    Theme(  # approvals, and records that are left to their owner
        often={
            "annotation removed": 3,
            "annotation changed": 3,
            "add-on update without the role": 4,
            "removed during an update": 12,
            "binding changed without the record": 12,
            "binding changed": 5,
            "mode changed": 1,
        },
        settings={"mode": ("approve", "approve", "enforce"), "addon_record": ("update", "notify-only"), "maintenance_window": ("always",)},
    ),
    Theme(  # repairs that are rolled back
        often={
            "repair fails": 20,
            "slow starts": 16,
            "role spoiled": 3,
            "pods crash": 4,
            "annotation changed": 2,
            "pods restarted by a person": 2,
        },
        traps={"pods crash": _PLANNED},
        settings={"mode": ("enforce",), "cooldown_s": ("0",)},
        falls_back=True,
    ),
    Theme(  # outages, and what cannot be read
        often={
            "service down": 6,
            "calls fail": 3,
            "IAM not readable": 10,
            "trust broken": 5,
            "role deleted": 2,
            "OIDC provider deleted": 4,
            "message lost": 12,
            "fault grows": 12,
            "fault hidden": 24,
        },
        traps={"service down": ("notifier.send", "incidents.close", "incidents.mark_repairing"), "IAM not readable": ("notifier.send",)},
    ),
)

WEIGHTS: Final = {kind: weight for kind, (weight, _) in _WEIGHTED.items()}
HAPPENINGS: Final[Mapping[str, Callable[[Simulation, str, Random], None]]] = {
    **HAZARDS,
    **{kind: do for kind, (_, do) in _WEIGHTED.items()},
}
EARLY: Final = ("fault grows",)
"""What is told again an hour later, while the faults last."""
LASTING: Final = (
    "binding deleted",
    "observe only",
    "trust broken",
    "role deleted",
    "OIDC provider deleted",
    "role spoiled",
    "webhook deleted",
    "node lost",
    "message lost",
)
"""What the end of the faults may leave. Each needs a person."""


# --- the end of the faults ----------------------------------------------------------------------------------------------------------------


def _mend(simulation: Simulation, name: str) -> None:
    """Undo what no product can repair: lost nodes, roles, the provider, the webhook, the binding and the mode."""
    world = simulation.world
    cluster = world.clusters.get(name)
    if cluster is None:
        return
    world.spoiled.discard(name)
    world.start_s[name] = min(world.start_s[name], MAX_START_S)
    cluster.successors_crash = False
    cluster.webhook.misses, cluster.webhook.is_registered = 0, True
    for role in world.good_roles(name):
        world.roles[role] = RoleFacts(arn=role, trust=simulation.world.right_trust(cluster))
    arn = cluster.facts.provider_arn or ""
    world.providers[arn] = OidcProvider(arn=arn, client_ids=("sts.amazonaws.com",))
    if world.bound_role(name) is None:
        _set_parameter(simulation, binding_path(name, *KEY), world.binding_value(name, world.good_roles(name)[0]), name)
    if str(world.settings(name).mode) == "observe":
        _set_parameter(simulation, settings_path(name, "mode"), "enforce", name)
    return_node(simulation, name, Random(0))
    world.tick()


def _repair_by_hand(simulation: Simulation, name: str) -> None:
    """What a person does: annotation, record, and a restart of every pod that lacks the role."""
    world, cluster = simulation.world, simulation.world.clusters[name]
    bound = world.bound_role(name)
    cluster.updates.clear()
    if record := cluster.addons.get(CNI_ADDON):
        cluster.addons[CNI_ADDON] = replace(record, role_arn=None if name in world.associated else bound, status="ACTIVE")
    if world.given_role(cluster) != bound:
        world.give_role(cluster, bound, "kubectl-annotate")
    world.sync()
    cluster.former_annotations.clear()
    for pod in [item.facts.name for item in cluster.pods.values() if world.pod_role(cluster, item.facts) != bound or not item.facts.ready]:
        world.replace_pod(cluster, pod)
    world.observe(name)
