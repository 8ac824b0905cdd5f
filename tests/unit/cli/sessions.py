"""Terminal sessions: a world, the commands, and the answer at a prompt. Each session has one golden file."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cli.clients.stack_ports import TopicSubscription
from cli.interactive.drill import MARKER
from cli.interactive.drill import NAMESPACE as NAMESPACE_OF_DRILL
from lambdas.contract import guard
from lambdas.contract.access import GROUPS, BoundWorkload, manifests
from lambdas.contract.admission import limit_policies
from lambdas.contract.environment import Function
from lambdas.contract.names import LEFT_OUT_BY, POD_IDENTITY_AGENT_ADDON, ROLE_ANNOTATION
from lambdas.contract.parameters import ServiceAccountRef, binding_path
from lambdas.contract.policy_kinds import PolicyKind, policy_name
from lambdas.contract.self_test import Answer
from lambdas.contract.settings import settings_path
from lambdas.contract.stack_checks import CheckId
from lambdas.contract.workloads import WorkloadKind
from lambdas.domain.errors import AccessDenied, Denial, TransientError
from lambdas.domain.incidents.details import CountSample, IncidentDetails, NotificationRecord, TimelineEntry
from lambdas.domain.incidents.incident import Incident, Outcome, PastIncident
from lambdas.domain.snapshot.bindings import Parameter
from lambdas.domain.snapshot.snapshot import AddonFacts, Association, RoleFacts, ServiceAccountFacts
from tests.unit.cli.fake_dependencies import Fakes
from tests.unit.notifications.snapshots import POD_IDENTITY_TRUST
from tests.world import NAME, NAMESPACE, NOON, Pod, described, role_arn
from tests.world.described import right_trust

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

EVENTS: Final = Path(__file__).resolve().parents[2] / "events"
TARGET: Final = ServiceAccountRef("demo", NAMESPACE, NAME)
BROKEN: Final[Mapping[str, Any]] = {
    "annotation": None,
    "pods": {"stale": 12},
    "cluster": {"not_ready": 3},
    "addon": {"role_arn": None},
    "errors": ["ec2:DescribeNetworkInterfaces"],
}
HOSTILE: Final = "\x1b[31m[bold]red[/bold] <script>alert(1)</script>\u202e"


_LOSING: Final = 3
"""Number of the cluster whose add-on record lacks the role."""


@dataclass(frozen=True)
class Session:
    """`commands` run one after the other. `answer` is the input at a prompt; None: standard input is not a terminal."""

    commands: tuple[str, ...]
    world: Mapping[str, Any] = field(default_factory=dict)
    answer: str | None = None
    prepare: Callable[[Fakes], None] = lambda _: None


def past(name: str = "7f3a9c21e5d0", **changes: Any) -> PastIncident:
    fields: dict[str, Any] = {
        "opened_at": NOON - timedelta(hours=3),
        "closed_at": NOON - timedelta(hours=3) + timedelta(seconds=91),
        "outcome": Outcome.VERIFIED,
        "verdict": "addon-role-missing",
        "trigger": "api-call",
        "changes": ("annotate-service-account", "restart-workload"),
        "signals": 3,
        "binding_path": binding_path(*TARGET.key.split("/")),
        "binding_version": 3,
        "old_value": None,
        "details": IncidentDetails(
            sentence="The vpc-cni add-on has no role of its own, so its next update takes the annotation away again.",
            severity="critical",
            broken=("annotation: The ServiceAccount has no role annotation.",),
            actor="UpdateAddon without a role by arn:aws:sts::111122223333:assumed-role/ci-deploy/build-1698",
            versions=("Kubernetes 1.28", "vpc-cni v1.15.1-eksbuild.1"),
            timeline=lines(),
            samples=samples(),
            notifications=(
                NotificationRecord(kind="repairing", at=NOON - timedelta(hours=3)),
                NotificationRecord(kind="verified", at=NOON - timedelta(hours=3) + timedelta(seconds=91)),
            ),
        ),
    }
    return PastIncident(id=name, target=TARGET, **{**fields, **changes})


def lines() -> tuple[TimelineEntry, ...]:
    def line(second: int, event: str, text: str, *counts: int) -> TimelineEntry:
        return TimelineEntry(at=NOON - timedelta(hours=3) + timedelta(seconds=second), event=event, text=text, counts=counts)

    return (
        line(0, "assessment", "addon-role-missing", 0, 12, 9, 12),
        line(2, "annotate-service-account", f"annotation set to {role_arn('demo-vpc-cni')}"),
        line(3, "replace-canary-pod", "aws-node-11 deleted"),
        line(11, "canary-replacement", "aws-node-1001 carries the role"),
        line(12, "restart-workload", "aws-node restarts, 2 at a time"),
        line(90, "verification", "12 of 12 pods carry the role, 12 ready, 12 of 12 nodes Ready, no permission error since"),
        line(90, "assessment", "healthy", 12, 12, 12, 12),
    )


def samples() -> tuple[CountSample, ...]:
    start = NOON - timedelta(hours=3)
    counted = ((14, 1, 10), (24, 3, 10), (36, 5, 11), (49, 8, 12), (66, 10, 12), (82, 12, 12))
    return tuple(
        CountSample(at=start + timedelta(seconds=at), pods_with_role=pods, pods=12, nodes_ready=nodes, nodes=12)
        for at, pods, nodes in counted
    )


def opened(**changes: Any) -> Incident:
    fields: dict[str, Any] = {"id": "c0ffee123456", "opened_at": NOON - timedelta(minutes=4), "signals": 2, "request": {"trigger": "sweep"}}
    return Incident(target=TARGET, started=True, **{**fields, **changes})


def _past_incidents(fakes: Fakes) -> None:
    row = fakes.incidents._row(TARGET)
    row.past += [past(), past("19aa03bb77cc", outcome=Outcome.NEEDS_ACTION, verdict="trust-other-issuer", changes=(), trigger="sweep")]


def _mechanisms(fakes: Fakes) -> None:
    """Three nodes, one of them with Windows and one without the agent, and ServiceAccounts of every state."""
    here = fakes.world.clusters["demo"]
    here.addons[POD_IDENTITY_AGENT_ADDON] = AddonFacts(
        name=POD_IDENTITY_AGENT_ADDON, version="v1.3.10-eksbuild.2", status="ACTIVE", role_arn=None
    )
    first, second, third = sorted(here.nodes)
    here.nodes[third] = replace(here.nodes[third], os="windows")
    here.without_agent = {second}
    both = {"Version": "2012-10-17", "Statement": [*POD_IDENTITY_TRUST["Statement"]]}
    template = next(iter(here.pods.values())).facts
    far, app = "arn:aws:iam::444455556666:role/audit", role_arn("team/reports")
    accounts = {
        ("shop", "cart"): (role_arn("cart"), "", [first]),
        ("shop", "legacy"): (role_arn("legacy"), "", [first, third]),
        ("shop", "audit"): (far, "", [second]),
        ("shop", "reports"): (role_arn("old-reports"), app, [first, first, second]),
        ("shop", "idle"): (role_arn("idle"), "", []),
    }
    for (namespace, name), (annotation, associated, nodes) in accounts.items():
        here.accounts[namespace, name] = ServiceAccountFacts(resource_version="1", role_annotations={ROLE_ANNOTATION: annotation})
        here.associations[namespace, name] = (Association(id=f"a-{name}", role_arn=associated),) if associated else ()
        for number, node in enumerate(nodes):
            is_old = bool(associated) and number == 0
            facts = replace(
                template,
                name=f"{name}-{number}",
                uid=f"{name}-{number}",
                node=node,
                role_arn=annotation if is_old or not associated else None,
                container_credentials=bool(associated) and not is_old,
            )
            here.pods[facts.name] = Pod(facts, (namespace, name))
    for arn in (role_arn("cart"), role_arn("idle"), app):
        fakes.world.roles[arn] = RoleFacts(arn=arn, trust=both)
    fakes.world.roles[role_arn("legacy")] = RoleFacts(arn=role_arn("legacy"), trust=right_trust(here.facts.issuer or ""))


def _can_migrate(fakes: Fakes) -> None:
    """The agent runs on each node, and the role trusts both mechanisms."""
    here = fakes.world.clusters["demo"]
    record = AddonFacts(name=POD_IDENTITY_AGENT_ADDON, version="v1.3.10-eksbuild.2", status="ACTIVE", role_arn=None)
    here.addons[POD_IDENTITY_AGENT_ADDON] = record
    both = [*right_trust(here.facts.issuer or "")["Statement"], *POD_IDENTITY_TRUST["Statement"]]
    bound = role_arn("demo-vpc-cni")
    fakes.world.roles[bound] = RoleFacts(arn=bound, trust={"Version": "2012-10-17", "Statement": both})


def _moving_fleet(fakes: Fakes) -> None:
    """Three clusters: one is ready to move, in one the webhook misses every pod, and one has no agent."""
    _can_migrate(fakes)
    for name in ("prod-eu-1", "prod-eu-2"):
        made = described({"cluster": {"name": name, "nodes": 1, "falls_back": True, "webhook_misses": 99}})
        here = fakes.world.clusters[name] = made.clusters[name]
        fakes.world.parameters |= made.parameters
        arn = role_arn(f"{name}-vpc-cni")
        both = [*right_trust(here.facts.issuer or "")["Statement"], *POD_IDENTITY_TRUST["Statement"]]
        fakes.world.roles[arn] = RoleFacts(arn=arn, trust={"Version": "2012-10-17", "Statement": both})
    record = fakes.world.clusters["demo"].addons[POD_IDENTITY_AGENT_ADDON]
    fakes.world.clusters["prod-eu-1"].addons[POD_IDENTITY_AGENT_ADDON] = record


def _mechanisms_unread(fakes: Fakes) -> None:
    fakes.world.fail("identities.annotated", AccessDenied("list ServiceAccounts: 403 Forbidden", denial=Denial.FORBIDDEN), times=None)
    fakes.world.fail("cluster.agent_pods", AccessDenied("list pods of the agent: 403 Forbidden", denial=Denial.FORBIDDEN), times=None)
    fakes.world.fail("identities.associable", TransientError("read the configuration: no answer"), times=None)


def _auto_mode_nodes(fakes: Fakes) -> None:
    """The nodes have a built-in agent, and the installed release of the add-on takes no associations."""
    fakes.identities.associable_accounts = {}
    nodes = fakes.world.clusters["demo"].nodes
    nodes.update({name: replace(node, compute_type="auto") for name, node in nodes.items()})


def _hostile_incident(fakes: Fakes) -> None:
    entry = TimelineEntry(at=NOON, event="assessment", text=HOSTILE, counts=(1, 2, 3, 4))
    fakes.incidents._row(TARGET).past.append(past(details=IncidentDetails(sentence=HOSTILE, timeline=(entry,), actor=HOSTILE)))


def _pending_approval(fakes: Fakes) -> None:
    fakes.incidents._row(TARGET).incident = opened(callback_id="callback-1")
    fakes.callbacks.waiting.add("callback-1")


def _already_answered(fakes: Fakes) -> None:
    _pending_approval(fakes)
    fakes.callbacks.waiting.clear()


def _remediator_repairs(fakes: Fakes) -> None:
    fakes.incidents._row(TARGET).incident = opened()


def _remediator_watches(fakes: Fakes) -> None:
    _remediator_repairs(fakes)
    fakes.incidents.mark_notified(opened(), "1 blocked")


def _two_clusters(fakes: Fakes) -> None:
    fakes.world.clusters["other"] = described({"binding": None, "cluster": {"name": "other", "nodes": 3}}).clusters["other"]


def _many_clusters(fakes: Fakes) -> None:
    """A broken one, one whose record lacks the role, a bound one that does not exist, and five sound ones."""
    fakes.world.advised_versions["vpc-cni", "1.33"] = fakes.world.advised_versions["vpc-cni", "1.28"]
    for number in range(6):
        name = f"prod-eu-{number}"
        record = {"addon": {"role_arn": None}} if number == _LOSING else {}
        world = described({"cluster": {"name": name, "nodes": 3, "version": "1.33"}, **record})
        fakes.world.clusters[name] = world.clusters[name]
        fakes.world.parameters |= world.parameters
        fakes.world.roles |= world.roles
    fakes.world.parameters[binding_path("last-year", NAMESPACE, NAME)] = Parameter(value=role_arn("demo-vpc-cni"))
    fakes.world.parameters[settings_path("prod-eu-1", "mode")] = Parameter(value="observe")


def _login_rejected(fakes: Fakes) -> None:
    error = AccessDenied("log in to cluster demo: 401 Unauthorized", denial=Denial.UNAUTHENTICATED)
    for method in ("cluster.service_account", "cluster.workload", "cluster.pods", "cluster.nodes", "cluster.plugin_errors"):
        fakes.world.fail(method, error, times=None)


def _throttled(fakes: Fakes) -> None:
    fakes.world.fail("parameters.load", TransientError("read parameters: ThrottlingException Rate exceeded"), times=None)


def _history_denied(fakes: Fakes) -> None:
    fakes.world.fail("incidents.get", AccessDenied("read the incident: AccessDeniedException", denial=Denial.FORBIDDEN), times=None)


def _chat_denied(fakes: Fakes) -> None:
    fakes.world.fail("notifier.send", AccessDenied("tell the chat: AuthorizationError", denial=Denial.FORBIDDEN), times=None)


def _invalid_parameters(fakes: Fakes) -> None:
    fakes.world.parameters[binding_path("other", NAMESPACE, NAME)] = Parameter(value="arn:aws:iam::111122223333:user/jane")
    fakes.world.parameters[binding_path("prod", NAMESPACE, NAME)] = Parameter(value="secret", type="SecureString")
    fakes.world.parameters[settings_path("demo", "mode")] = Parameter(value="sometimes")
    fakes.world.parameters[settings_path("_default", "cooldown_s")] = Parameter(value="60")


def _below_the_floor(fakes: Fakes) -> None:
    fakes.set_floor("mode=approve;cooldown_s=600;max_repairs_per_hour=10;notify_from=warning")
    for name, value in {"mode": "enforce", "cooldown_s": "900"}.items():
        fakes.world.parameters[settings_path("_default", name)] = Parameter(value=value)


def _fleet(fakes: Fakes) -> None:
    _two_clusters(fakes)
    fakes.world.parameters[binding_path("last-year", NAMESPACE, NAME)] = Parameter(value=role_arn("demo-vpc-cni"))


def _clusters_denied(fakes: Fakes) -> None:
    fakes.world.fail("eks.clusters", AccessDenied("list clusters: AccessDeniedException", denial=Denial.FORBIDDEN), times=None)


def _partly_granted(fakes: Fakes) -> None:
    for manifest in manifests():
        fakes.cluster_access.apply("demo", manifest)
    role = next(item for item in manifests() if item["kind"] == "Role" and item["metadata"]["name"].endswith("remediator"))
    fakes.cluster_access.apply("demo", {**role, "rules": role["rules"][:-1]})
    fakes.cluster_access.entries["arn:aws:iam::111122223333:role/checker"] = frozenset({"others"})


def _more_than_needed(fakes: Fakes) -> None:
    """The workload may still be patched, a former namespace is bound, an administrator's role too, and a policy was added by hand."""
    workload = BoundWorkload("apps", "former", WorkloadKind.DEPLOYMENT, "former")
    for manifest in (*manifests(), *(item for item in manifests([workload]) if item["metadata"].get("namespace") == "apps")):
        fakes.cluster_access.apply("demo", manifest)
    binding = next(item for item in manifests() if item["kind"] == "ClusterRoleBinding" and item["metadata"]["name"].endswith("remediator"))
    for name in ("administer", f"$(id) {HOSTILE}"):
        metadata, role = {"name": name}, {**binding["roleRef"], "name": "cluster-admin"}
        fakes.cluster_access.apply("demo", {**binding, "metadata": metadata, "roleRef": role})
    for function, group in GROUPS.items():
        groups = frozenset({group, "operators"} if function is Function.REMEDIATOR else {group})
        fakes.cluster_access.entries[f"arn:aws:iam::111122223333:role/{function}"] = groups
    administrator = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
    fakes.cluster_access.policies["arn:aws:iam::111122223333:role/remediator"] = (administrator,)
    statement = {"Effect": "Allow", "Action": ["s3:GetObject", "eks:UpdateAddon"], "Resource": "*"}
    fakes.role_policies.policies["arn:aws:iam::111122223333:role/remediator"] = {"by-hand": {"Statement": [statement]}}


NEWER: Final[Mapping[str, Any]] = {"cluster": {"version": "1.33"}}
NEWEST: Final[Mapping[str, Any]] = {"cluster": {"version": "1.36"}}
"""A version whose API server has admission policies."""


def _stale_policies(fakes: Fakes) -> None:
    """Everything is granted, for a binding that has changed since."""
    workload = BoundWorkload(NAMESPACE, NAME, WorkloadKind.DAEMON_SET, NAME)
    for manifest in (*manifests(), *limit_policies({workload: [role_arn("former"), role_arn("added-by-hand")]})):
        fakes.cluster_access.apply("demo", manifest)


def _foreign_policy(fakes: Fakes) -> None:
    policy = limit_policies({})[0]
    fakes.cluster_access.apply("demo", {**policy, "metadata": {"name": policy["metadata"]["name"]}})


def _annotated(fakes: Fakes) -> None:
    """The ServiceAccount as the API server returns it."""
    _add_service_account(fakes, {ROLE_ANNOTATION: role_arn("demo-vpc-cni")})


def _add_service_account(fakes: Fakes, annotations: Mapping[str, str]) -> None:
    metadata = {"name": NAME, "namespace": NAMESPACE, "annotations": annotations}
    fakes.cluster_access.apply("demo", {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})


def _guard_for(fakes: Fakes, namespace: str, name: str, role: str) -> None:
    for kind in PolicyKind:
        for manifest in guard.manifests(kind, namespace, name, role, binding_path("demo", namespace, name)):
            fakes.cluster_access.apply("demo", manifest)


def _role_left_out(fakes: Fakes) -> None:
    _guard_for(fakes, NAMESPACE, NAME, role_arn("demo-vpc-cni"))
    user = "arn:aws:sts::111122223333:assumed-role/ci-deploy/1698"
    _add_service_account(fakes, {ROLE_ANNOTATION: role_arn("demo-vpc-cni"), LEFT_OUT_BY: user})


def _stale_guard(fakes: Fakes) -> None:
    _annotated(fakes)
    _guard_for(fakes, NAMESPACE, NAME, role_arn("former"))
    _guard_for(fakes, "apps", "unbound", role_arn("reader"))


def _damaged_guard(fakes: Fakes) -> None:
    """The guard has no binding, and someone changed the warning."""
    _annotated(fakes)
    _guard_for(fakes, NAMESPACE, NAME, role_arn("demo-vpc-cni"))
    objects = fakes.cluster_access.objects
    del objects["MutatingAdmissionPolicyBinding", "", policy_name(PolicyKind.GUARD, NAMESPACE, NAME)]
    key = ("ValidatingAdmissionPolicy", "", policy_name(PolicyKind.WARNING, NAMESPACE, NAME))
    objects[key] = {**objects[key], "spec": {**objects[key]["spec"], "failurePolicy": "Fail"}}


def _ignored_guard(fakes: Fakes) -> None:
    _role_left_out(fakes)
    fakes.cluster_access.ignores_guards = True


def _foreign_guard(fakes: Fakes) -> None:
    manifest = guard.manifests(PolicyKind.GUARD, NAMESPACE, NAME, role_arn("demo-vpc-cni"), "path")[0]
    fakes.cluster_access.apply("demo", {**manifest, "metadata": {"name": manifest["metadata"]["name"]}})


def _without_mutating_policies(fakes: Fakes) -> None:
    _annotated(fakes)
    fakes.cluster_access.has_mutating_policies = False


def _without_policies(fakes: Fakes) -> None:
    fakes.cluster_access.has_policies = False


def _may_not_write_policies(fakes: Fakes) -> None:
    fakes.cluster_access.write_error = AccessDenied(
        "apply MutatingAdmissionPolicy kube-system.aws-node.guard.eks-irsa-remediator: 403 cannot patch resource; an advice for functions",
        denial=Denial.FORBIDDEN,
    )


def _guarded_with_another_role(fakes: Fakes) -> None:
    _role_left_out(fakes)
    fakes.world.roles[role_arn("other")] = replace(fakes.world.roles[role_arn("demo-vpc-cni")], arn=role_arn("other"))


def _guarded_by_another_person(fakes: Fakes) -> None:
    _guarded_with_another_role(fakes)
    _may_not_write_policies(fakes)


def _stale_guard_of_another_person(fakes: Fakes) -> None:
    _stale_guard(fakes)
    _may_not_write_policies(fakes)


def _cluster_does_not_answer(fakes: Fakes) -> None:
    _guarded_with_another_role(fakes)
    fakes.cluster_access.read_error = TransientError("read MutatingAdmissionPolicy: no answer from the API server of demo within 5 s")


def _guard_is_interrupted(fakes: Fakes) -> None:
    fakes.cluster_access.failing_apply = "ValidatingAdmissionPolicyBinding"


def _sound_stack(fakes: Fakes) -> None:
    workload = BoundWorkload(NAMESPACE, NAME, WorkloadKind.DAEMON_SET, NAME)
    for manifest in (*manifests(), *limit_policies({workload: [role_arn("demo-vpc-cni")]})):
        fakes.cluster_access.apply("demo", manifest)


def _unconfirmed(fakes: Fakes) -> None:
    """A pager has not confirmed. The path of its address is a key."""
    fakes.stack.people += (TopicSubscription(protocol="https", endpoint="https://events.example.com/x-ere/R0UT1NGK3Y", is_confirmed=False),)


def _faulty_stack(fakes: Fakes) -> None:
    """One fault in each group, with a text of the cluster that tries to control the terminal."""
    fakes.stack.errors["rules"] = AccessDenied("list the rules of the checker: AccessDeniedException", denial=Denial.FORBIDDEN)
    fakes.stack.answers[Function.REMEDIATOR, CheckId.CLUSTER_RBAC] = Answer.REFUTED
    fakes.stack.people = (TopicSubscription(protocol="email", endpoint=HOSTILE, is_confirmed=False),)
    fakes.stack.refused_calls.add("iam:PassRole")
    fakes.stack.dead_letters = 2
    fakes.world.parameters[settings_path("demo", "mode")] = Parameter(value="sometimes")


def _interrupted(fakes: Fakes) -> None:
    """Ctrl-C during the test of the patterns."""
    fakes.stack.errors["matches"] = KeyboardInterrupt()


def _drill_left(fakes: Fakes) -> None:
    fakes.cluster_access.create(
        "demo", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE_OF_DRILL, "labels": MARKER}}, "test"
    )
    fakes.world.parameters[binding_path("demo", NAMESPACE_OF_DRILL, "drill")] = Parameter(value=role_arn("drill"))


def _foreign_namespace(fakes: Fakes) -> None:
    fakes.cluster_access.create("demo", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE_OF_DRILL}}, "test")


def _bound_without_pods(fakes: Fakes) -> None:
    """Bind a ServiceAccount that has no pods yet."""
    fakes.world.parameters[binding_path("demo", "shop", "uploader")] = Parameter(value=role_arn("demo-uploader"))
    for manifest in manifests():
        fakes.cluster_access.apply("demo", manifest)


def _matching_rule(fakes: Fakes) -> None:
    fakes.pattern_tester.matched = ("AddonCalls",)


def node_log(*messages: str) -> str:
    return "".join(json.dumps({"level": "error", "ts": "2026-05-14T08:01:02.000Z", "msg": message}) + "\n" for message in messages)


NODE_LOGS: Final = {
    "ipamd.log": node_log(
        "Starting L-IPAMD v1.22.1  ...",
        "Failed to call ec2:DescribeNetworkInterfaces for [eni-0e4aad6f8000bb8e4]: WebIdentityErr: failed to retrieve credentials\n"
        "caused by: InvalidIdentityToken: No OpenIDConnect provider found in your account for https://oidc.eks.eu-west-1.amazonaws.com/id/9A",
        "failed to retrieve attached ENIs info " + HOSTILE,
    ),
    "ipamd-2026-05-14T08-00-00.000.log.gz": node_log("Get credentials: RequestLimitExceeded", "EC2: DescribeSubnets UnauthorizedOperation"),
    "ipamd-quiet.log": node_log("Starting L-IPAMD v1.22.1  ...", "Pool stats: total=10"),
    "ipamd-continues.log": node_log("DataStore has no available IP/Prefix addresses"),
    "ipamd.tar": "x" * 257 + "ustar" + "x" * 300,
    "damaged.log.gz": "\x1f\x8b\x08",
}


def log_file(name: str, folder: Path) -> Path:
    """Return a file with this log, compressed where its name ends in .gz."""
    content = NODE_LOGS[name].encode("latin-1" if name.startswith("damaged") else "utf-8")
    file = folder / name
    file.write_bytes(gzip.compress(content) if name.endswith(".log.gz") and not name.startswith("damaged") else content)
    return file


def on_demo(name: str, folder: Path) -> Path:
    """Return a recorded event about the world's cluster."""
    file = folder / f"{name}.json"
    file.write_text(json.dumps(json.loads((EVENTS / f"{name}.json").read_text().replace("prod-blue", "demo"))))
    return file


COOLDOWN: Final = {**BROKEN, "settings": {"cooldown_s": "86400"}}


def _just_repaired(fakes: Fakes) -> None:
    fakes.incidents._row(TARGET).past.append(past(closed_at=NOON - timedelta(minutes=1), opened_at=NOON - timedelta(minutes=2)))


def _flapping(fakes: Fakes) -> None:
    for hours in (2, 5, 9):
        at = NOON - timedelta(hours=hours)
        fakes.incidents._row(TARGET).past.append(past(f"{hours}f3a9c21e5d0", opened_at=at, closed_at=at + timedelta(minutes=1)))


SESSIONS: Final[Mapping[str, Session]] = {
    "check-healthy": Session(("check",)),
    "check-broken": Session(("check --cluster demo",), BROKEN),
    "check-json": Session(("check --cluster demo --output json",), BROKEN),
    "check-yaml": Session(("check --cluster demo -o yaml",)),
    "check-not-bound": Session(("check",), {"binding": None}),
    "check-trust": Session(("check",), {"role": {"trust": {"Version": "2012-10-17", "Statement": []}}, "annotation": None}),
    "check-no-access": Session(("check",), prepare=_login_rejected),
    "check-throttled": Session(("check",), prepare=_throttled),
    "check-all": Session(("check --all",), BROKEN, prepare=_two_clusters),
    "fleet-check": Session(
        (
            "check --all",
            "check --all --only sound",
            "check --all --only unknown",
            "check --all --only healthy",
            "check --all --only sound -o json",
        ),
        BROKEN,
        prepare=_many_clusters,
    ),
    "fleet": Session(
        (
            "fleet --organization --role-name reader",
            "fleet --organization --role-name reader --only sound -o yaml",
            "fleet --account-profile lab --in-region eu-west-1 -o csv",
        ),
        BROKEN,
        prepare=_many_clusters,
    ),
    "fleet-bad-input": Session(
        (
            "fleet --config /nowhere/deploy.yaml",
            "fleet --organization",
            "fleet --organization --account-profile lab",
            "fleet --account-role reader",
            "fleet --account-profile lab --role-arn arn:aws:iam::111122223333:role/reader",
            "fleet --organization --role-name reader --only healthy",
        )
    ),
    "fleet-plan": Session(("plan --all", "plan --all --only sound"), BROKEN, prepare=_many_clusters),
    "fleet-preflight": Session(
        ("preflight --all", "preflight --all --cluster demo", "preflight --all -o yaml"), BROKEN, prepare=_many_clusters
    ),
    "fleet-access": Session(
        ("access --all", "access --all --cluster demo", "access --all --check", "access --all --apply", "access --all --check -o json"),
        prepare=_two_clusters,
    ),
    "check-several-clusters": Session(("check", "check --all --cluster demo", "check --cluster 'no name'"), prepare=_two_clusters),
    "check-cluster-gone": Session(
        ("check --cluster gone", "check --cluster last-year", "plan --cluster gone", "fix --cluster gone"), prepare=_fleet
    ),
    "check-cluster-misspelt": Session(("check --cluster demp", "fix --cluster demmo --yes")),
    "check-cluster-unknown": Session(("check --cluster gone",), prepare=_clusters_denied),
    "check-cluster-being-deleted": Session(("check --cluster demo",), {"cluster": {"status": "DELETING"}, "binding": None}),
    "check-open-incident": Session(("check",), BROKEN, prepare=_remediator_repairs),
    "check-without-history": Session(("check",), BROKEN, prepare=_history_denied),
    "check-pod-identity": Session(("check",), {"associations": [role_arn("demo-vpc-cni")]}),
    "check-mechanisms": Session(
        ("check --mechanisms", "check --mechanisms -s shop/reports -o json", "check --mechanisms --watch", "check gone --mechanisms"),
        {"cluster": {"nodes": 3}},
        prepare=_mechanisms,
    ),
    "check-mechanisms-unread": Session(("check --mechanisms",), {"cluster": {"nodes": 3}}, prepare=_mechanisms_unread),
    "check-mechanisms-none": Session(
        ("check --mechanisms",), {"binding": None, "annotation": None, "addon": {"role_arn": None}, "cluster": {"nodes": 1}}
    ),
    "check-mechanisms-auto-mode": Session(
        ("check --mechanisms",),
        {"cluster": {"nodes": 2, "auto_mode": True}, "role": {"trust": POD_IDENTITY_TRUST}},
        prepare=_auto_mode_nodes,
    ),
    "migrate": Session(
        (
            "migrate --to pod-identity --dry-run",
            "migrate --to pod-identity --yes --retire-trust",
            "migrate --to pod-identity --undo --yes --apply-trust",
            "migrate --to irsa --dry-run",
        ),
        {"cluster": {"nodes": 2}},
        prepare=_can_migrate,
    ),
    "migrate-fleet": Session(("migrate --to pod-identity --all --yes",), prepare=_moving_fleet),
    "migrate-blocked": Session(("migrate --to pod-identity --yes", "migrate --to irsa --retire-trust"), {"cluster": {"nodes": 2}}),
    "migrate-json": Session(("migrate --to pod-identity -o json --dry-run",), {"cluster": {"nodes": 2}}),
    "check-hostile-text": Session(("check",), {"annotation": HOSTILE}),
    "check-positional": Session(("check demo other", "plan demo", "fix demo --dry-run", "fix demo --cluster other"), prepare=_two_clusters),
    "check-usage-error": Session(("check --clutser demo", "check -s aws-node")),
    "plan": Session(("plan",), BROKEN),
    "plan-json": Session(("plan -o json",), BROKEN),
    "plan-healthy": Session(("plan",)),
    "plan-observe-mode": Session(("plan",), {**BROKEN, "settings": {"mode": "observe"}}),
    "plan-cooling-down": Session(("plan",), COOLDOWN, prepare=_just_repaired),
    "fix-yes": Session(("fix --cluster demo --yes", "history", "check"), BROKEN),
    "fix-json": Session(("fix --yes -o json",), BROKEN),
    "fix-answered-yes": Session(("fix",), BROKEN, answer="y\n"),
    "fix-answered-no": Session(("fix",), BROKEN, answer="n\n"),
    "fix-not-a-terminal": Session(("fix",), BROKEN),
    "fix-dry-run": Session(("fix --dry-run",), BROKEN),
    "fix-healthy": Session(("fix --yes",)),
    "fix-observe-mode": Session(("fix --yes",), {**BROKEN, "settings": {"mode": "observe"}}),
    "fix-cooling-down": Session(("fix --yes",), COOLDOWN, prepare=_just_repaired),
    "fix-cooling-down-override": Session(("fix --yes --override",), COOLDOWN, prepare=_just_repaired),
    "fix-cooling-down-answered": Session(("fix",), COOLDOWN, answer="y\n", prepare=_just_repaired),
    "fix-flapping": Session(("check", "plan", "fix --yes", "fix --yes --override"), BROKEN, prepare=_flapping),
    "plan-waiting-for-approval": Session(("plan",), BROKEN, prepare=_pending_approval),
    "fix-remediator-works": Session(("fix --yes",), BROKEN, prepare=_remediator_repairs),
    "fix-waiting-for-approval": Session(("fix --yes",), BROKEN, prepare=_pending_approval),
    "fix-remediator-watches": Session(("fix --yes",), BROKEN, prepare=_remediator_watches),
    "fix-needs-person": Session(("fix --yes",), {"role": {"trust": {"Version": "2012-10-17", "Statement": []}}, "annotation": None}),
    "fix-chat-denied": Session(("fix --yes",), BROKEN, prepare=_chat_denied),
    "fix-undeployed": Session(("fix --yes", "history"), BROKEN, prepare=Fakes.remove_stack),
    "adopt": Session(("adopt --dry-run", "adopt --yes", "adopt --yes"), {"binding": None}),
    "adopt-association": Session(
        ("adopt --yes", "bindings list"),
        {"binding": None, "associations": [role_arn("demo-vpc-cni")], "role": {"trust": POD_IDENTITY_TRUST}},
    ),
    "bindings-mechanism": Session(
        (
            f"bindings set demo kube-system/aws-node {role_arn('demo-vpc-cni')} --mechanism pod-identity --target-role {role_arn('far')}",
            "bindings list",
            f"bindings set demo kube-system/aws-node {role_arn('demo-vpc-cni')} --mechanism pods",
            f"bindings set demo kube-system/aws-node {role_arn('demo-vpc-cni')} --target-role {role_arn('far')}",
            "check",
        ),
        {},
    ),
    "adopt-answered-no": Session(("adopt",), {"binding": None}, answer="n\n"),
    "adopt-refused": Session(("adopt --yes",), {"binding": None, "addon": {"role_arn": role_arn("other")}}),
    "adopt-unfit-role": Session(("adopt --yes -o json",), {"binding": None, "oidc_provider": None}),
    "adopt-nothing": Session(("adopt",), {"binding": None, "annotation": None, "addon": {"role_arn": None}}),
    "bindings": Session(
        (
            "bindings list",
            f"bindings set prod-green kube-system/aws-node {role_arn('demo-vpc-cni')}",
            f"bindings set prod-green kube-system/aws-node {role_arn('gone')}",
            "bindings set prod-green aws-node arn:aws:iam::111122223333:role/demo-vpc-cni",
            "bindings set _default kube-system/aws-node arn:{partition}:iam::{account}:role/{cluster}-vpc-cni",
            "bindings list",
            "bindings unset prod-green kube-system/aws-node",
            "bindings unset prod-green kube-system/aws-node",
        )
    ),
    "bindings-fleet": Session(("bindings list", "bindings validate", "bindings list -o json"), prepare=_fleet),
    "bindings-validate": Session(("bindings validate", "bindings validate -c demo -o json"), prepare=_invalid_parameters),
    "settings": Session(
        (
            "settings list",
            "settings set demo mode approve",
            "settings set demo mode observe",
            "settings set demo mode sometimes",
            "settings set demo modus approve",
            "settings set 'no name' mode approve",
            "settings set demp cooldown_s 60",
            "settings set elsewhere mode observe",
            "settings list -o yaml",
            "settings list",
            "settings list -c demo",
            "settings list -c demo -o json",
            "settings unset demo mode",
        )
    ),
    "settings-validate": Session(("settings validate",), prepare=_invalid_parameters),
    "settings-describe": Session(("settings describe",)),
    "settings-floor": Session(
        ("settings describe", "settings list", "settings validate", "settings set demo notify_from critical", "settings list -o yaml"),
        prepare=_below_the_floor,
    ),
    "settings-undeployed": Session(("settings describe", "settings list", "settings list -o yaml"), prepare=Fakes.remove_stack),
    "history": Session(("history", "history -o json", "history 7f3a", "history zz", "history --html x.html"), prepare=_past_incidents),
    "history-json": Session(("history 7f3a -o json",), prepare=_past_incidents),
    "history-open": Session(("history", "history c0ff", "history c0ff -o yaml"), prepare=_pending_approval),
    "history-hostile": Session(("history 7f3a",), prepare=_hostile_incident),
    "history-empty": Session(("history", "history -c demo --days 7")),
    "approve": Session(("approve c0ff", "approve c0ff"), BROKEN, answer="y\n", prepare=_pending_approval),
    "approve-answered-no": Session(("approve c0ff",), BROKEN, answer="n\n", prepare=_pending_approval),
    "approve-plan": Session(
        (f"approve c0ff --plan {'0123456789ab' * 2} -o json", "approve c0ff --plan all"), BROKEN, prepare=_pending_approval
    ),
    "approve-without-terminal": Session(("approve c0ff",), BROKEN, prepare=_pending_approval),
    "approve-healthy": Session(("approve c0ff",), answer="y\n", prepare=_pending_approval),
    "reject": Session(("reject c0ffee -o json",), prepare=_pending_approval),
    "approve-already-answered": Session(("approve c0ff",), BROKEN, answer="y\n", prepare=_already_answered),
    "approve-not-pending": Session(("approve c0ff", "approve ffff"), prepare=_remediator_repairs),
    "approve-closed": Session(("approve 7f3a",), prepare=_past_incidents),
    "approve-undeployed": Session(("approve c0ff",), prepare=Fakes.remove_stack),
    "access": Session(("access",)),
    "access-json": Session(("access -o json",)),
    "access-undeployed": Session(("access",), prepare=Fakes.remove_stack),
    "access-check": Session(("access --check", "access --check -o json", "access --apply", "access --check"), prepare=_partly_granted),
    "access-policies": Session(("access --check", "access --apply", "access --check -o json"), NEWER),
    "access-policies-stale": Session(("access --check",), NEWER, prepare=_stale_policies),
    "access-policies-foreign": Session(("access --apply", "access --apply --no-policies"), NEWER, prepare=_foreign_policy),
    "access-surplus": Session(
        ("access --check", "access --check -o json", "access --apply"), {"settings": {"restart_by": "deletion"}}, prepare=_more_than_needed
    ),
    "access-by-deletion": Session(("access",), {"settings": {"restart_by": "deletion"}}),
    "access-no-pods": Session(("access", "access --check"), prepare=_bound_without_pods),
    "access-old-cluster": Session(("access --apply",), {"cluster": {"authentication_mode": "CONFIG_MAP"}}),
    "guard": Session(
        ("guard status", "guard apply", "guard status -o json", "guard remove", "guard remove", "guard status"), NEWEST, prepare=_annotated
    ),
    "guard-left-out": Session(("guard status", "guard status -o json"), NEWEST, prepare=_role_left_out),
    "guard-stale": Session(("guard status", "guard apply", "guard status", "guard remove -s apps/unbound"), NEWEST, prepare=_stale_guard),
    "guard-and-binding": Session(
        (
            f"bindings set demo kube-system/aws-node {role_arn('other')}",
            "guard status",
            "bindings unset demo kube-system/aws-node -o json",
            "guard apply",
            f"bindings set demo kube-system/aws-node {role_arn('demo-vpc-cni')}",
        ),
        NEWEST,
        prepare=_guarded_with_another_role,
    ),
    "guard-follows-forbidden": Session(
        (f"bindings set demo kube-system/aws-node {role_arn('other')}", "bindings unset demo kube-system/aws-node", "guard status"),
        NEWEST,
        prepare=_guarded_by_another_person,
    ),
    "guard-follows-unreachable": Session(
        (f"bindings set demo kube-system/aws-node {role_arn('other')}",), NEWEST, prepare=_cluster_does_not_answer
    ),
    "guard-wanted": Session(
        (
            "settings set demo guard wanted",
            "guard status",
            "guard apply --all",
            "guard apply --all -o json",
            "guard apply --all --warn-only",
        ),
        NEWEST,
        prepare=_annotated,
    ),
    "guard-wanted-on-an-older-cluster": Session(
        ("settings set _default guard wanted", "guard status"), NEWER, prepare=_without_mutating_policies
    ),
    "guard-all": Session(("guard apply --all", "guard apply --all"), NEWEST, prepare=_stale_guard),
    "guard-all-forbidden": Session(("guard apply --all",), NEWEST, prepare=_stale_guard_of_another_person),
    "guard-all-foreign": Session(("guard apply --all",), NEWEST, prepare=_foreign_guard),
    "guard-damaged": Session(("guard status", "guard apply"), NEWEST, prepare=_damaged_guard),
    "guard-not-applied": Session(("guard status",), NEWEST, prepare=_ignored_guard),
    "guard-before-the-account": Session(("guard apply",), NEWEST),
    "guard-foreign": Session(("guard status", "guard apply", "guard remove"), NEWEST, prepare=_foreign_guard),
    "guard-not-served": Session(
        ("guard apply", "guard apply --warn-only", "guard status", "guard remove"), NEWER, prepare=_without_mutating_policies
    ),
    "guard-old-cluster": Session(("guard apply", "guard status", "guard remove"), prepare=_without_policies),
    "guard-forbidden": Session(("guard apply", "guard status"), NEWEST, prepare=_may_not_write_policies),
    "guard-interrupted": Session(("guard apply", "guard status"), NEWEST, prepare=_guard_is_interrupted),
    "guard-nothing": Session(("guard apply", "guard apply -s apps/reader", "guard status"), {"binding": None}),
    "guard-pod-identity": Session(
        ("guard status", "guard apply"), {"binding": f'{{"role": "{role_arn("a")}", "mechanism": "pod-identity"}}'}
    ),
    "verify": Session(("verify", "verify --cluster demo --notify"), NEWER, prepare=_sound_stack),
    "verify-faults": Session(("verify", "verify -o json"), NEWER, prepare=_faulty_stack),
    "verify-interrupted": Session(("verify", "verify -o json"), prepare=_interrupted),
    "verify-drill-refused": Session(
        (
            "verify --drill",
            "verify --drill -c demo -c other",
            "verify --yes",
            "verify --drill -c demo --role drill --yes",
            f"verify --drill -c demo --role {role_arn('drill')}",
        )
    ),
    "verify-drill-observe": Session((f"verify --drill -c demo --role {role_arn('drill')} --yes",), {"settings": {"mode": "observe"}}),
    "verify-drill-answered-no": Session((f"verify --drill -c demo --role {role_arn('drill')}",), answer="n\n"),
    "verify-drill-without-pods": Session((f"verify --drill -c demo --role {role_arn('drill')} --yes", "verify --drill -c demo --clean-up")),
    "verify-drill-clean-up": Session(
        ("verify --drill -c demo --clean-up", "verify --drill -c demo --clean-up -o json"), prepare=_drill_left
    ),
    "verify-drill-foreign": Session(("verify --drill -c demo --clean-up",), prepare=_foreign_namespace),
    "verify-undeployed": Session(("verify",), prepare=Fakes.remove_stack),
    "notify": Session(("notify", "notify --test", "notify --test -o json"), prepare=_sound_stack),
    "notify-unconfirmed": Session(("notify",), prepare=_unconfirmed),
    "notify-refused": Session(("notify --test",), prepare=_chat_denied),
    "notify-undeployed": Session(("notify --test",), prepare=Fakes.remove_stack),
    "bundle": Session(("bundle --file bundle.json", "bundle -c demo --file bundle.json -o json"), BROKEN, prepare=_history_denied),
    "check-wait": Session(("check --wait 15", "check --watch --wait 5"), BROKEN),
    "runbook": Session(("runbook 7f3a", "runbook addon-role-missing -o json", "runbook zz"), prepare=_past_incidents),
    "runbook-open": Session(("runbook c0ff -o yaml",), BROKEN, prepare=_pending_approval),
    "replay": Session(("replay call-update-addon-by-role", "replay call-update-addon-by-role -o json"), BROKEN, prepare=_matching_rule),
    "replay-ignored": Session(("replay call-update-addon-coredns",), prepare=_matching_rule),
    "replay-no-rule": Session(("replay fargate-pod-termination",)),
    "replay-malformed": Session(("replay addon-update-succeeded-glob",)),
    "replay-sweep": Session(("replay sweep", "replay person-all-clusters")),
    "replay-digest": Session(("replay digest", "replay digest -o json"), {"settings": {"digest": "daily"}}),
    "replay-digest-no-cluster": Session(("replay digest",)),
    "replay-no-file": Session(("replay /nowhere/event.json",)),
    "explain-log": Session(
        (
            "explain-log ipamd.log ipamd-2026-05-14T08-00-00.000.log.gz",
            "explain-log ipamd.log -o yaml",
            "explain-log ipamd-quiet.log",
            "explain-log ipamd-continues.log",
        )
    ),
    "explain-log-malformed": Session(("explain-log ipamd.tar", "explain-log damaged.log.gz", "explain-log /nowhere/ipamd.log")),
    "simulate-unknown": Session(("simulate no-such-scenario",)),
}
