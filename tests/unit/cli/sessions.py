"""Terminal sessions: a world, what is typed there, and what an answer at a prompt would be. Each becomes one golden file."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cli.places import Placement, WayOut

from lambdas.contract.access import GROUPS, manifests
from lambdas.contract.parameters import ServiceAccountRef, binding_path
from lambdas.contract.settings import settings_path
from lambdas.domain.errors import AccessDenied, Denial, TransientError
from lambdas.domain.incidents.incident import Incident, Outcome, PastIncident
from lambdas.domain.snapshot.bindings import Parameter
from tests.unit.cli.fake_dependencies import Fakes
from tests.world import NAME, NAMESPACE, NOON, described, role_arn

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


@dataclass(frozen=True)
class Session:
    """`typed` are the commands, one after the other; `answer` is what is typed at a prompt, None where nobody sits there."""

    typed: tuple[str, ...]
    world: Mapping[str, Any] = field(default_factory=dict)
    answer: str | None = None
    columns: int = 100
    prepare: Callable[[Fakes], None] = lambda _: None


def past(name: str = "7f3a9c21e5d0", **changes: Any) -> PastIncident:
    told: dict[str, Any] = {
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
        "details": {
            "sentence": "The vpc-cni add-on has no role of its own, so its next update takes the annotation away again.",
            "severity": "critical",
            "broken": ["annotation: The ServiceAccount has no role annotation."],
            "actor": "UpdateAddon without a role by arn:aws:sts::111122223333:assumed-role/ci-deploy/build-1698",
            "versions": ["Kubernetes 1.28", "vpc-cni v1.15.1-eksbuild.1"],
            "lines": lines(),
            "trail": trail(),
        },
    }
    return PastIncident(id=name, target=TARGET, **{**told, **changes})


def lines() -> list[dict[str, Any]]:
    def line(second: int, what: str, words: str, *counts: int) -> dict[str, Any]:
        told = {"at": (NOON - timedelta(hours=3) + timedelta(seconds=second)).isoformat(), "what": what, "words": words}
        return told | ({"counts": list(counts)} if counts else {})

    return [
        line(0, "look", "addon-role-missing", 0, 12, 9, 12),
        line(2, "annotate-service-account", f"annotation set to {role_arn('demo-vpc-cni')}"),
        line(3, "replace-canary-pod", "aws-node-11 deleted"),
        line(11, "successor", "aws-node-1001 carries the role"),
        line(12, "restart-workload", "aws-node restarts, 2 at a time"),
        line(90, "proof", "12 of 12 pods carry the role, 12 ready, 12 of 12 nodes Ready, no permission error since"),
        line(90, "look", "healthy", 12, 12, 12, 12),
    ]


def trail() -> list[list[Any]]:
    start = NOON - timedelta(hours=3)
    counted = ((14, 1, 10), (24, 3, 10), (36, 5, 11), (49, 8, 12), (66, 10, 12), (82, 12, 12))
    return [[(start + timedelta(seconds=at)).isoformat(), pods, 12, nodes, 12] for at, pods, nodes in counted]


def opened(**changes: Any) -> Incident:
    told: dict[str, Any] = {"id": "c0ffee123456", "opened_at": NOON - timedelta(minutes=4), "signals": 2, "request": {"trigger": "sweep"}}
    return Incident(target=TARGET, started=True, **{**told, **changes})


def _with_past(fakes: Fakes) -> None:
    row = fakes.incidents._row(TARGET)
    row.past += [past(), past("19aa03bb77cc", outcome=Outcome.NEEDS_ACTION, verdict="trust-other-issuer", changes=(), trigger="sweep")]


def _with_hostile_past(fakes: Fakes) -> None:
    fakes.incidents._row(TARGET).past.append(
        past(
            details={"sentence": HOSTILE, "lines": [{"at": "", "what": "look", "words": HOSTILE, "counts": [1, 2, 3, 4]}], "actor": HOSTILE}
        )
    )


def _waiting(fakes: Fakes) -> None:
    fakes.incidents._row(TARGET).incident = opened(callback_id="callback-1")
    fakes.callbacks.waiting.add("callback-1")


def _answered_elsewhere(fakes: Fakes) -> None:
    _waiting(fakes)
    fakes.callbacks.waiting.clear()


def _worked_on(fakes: Fakes) -> None:
    fakes.incidents._row(TARGET).incident = opened()


def _watched(fakes: Fakes) -> None:
    _worked_on(fakes)
    fakes.incidents.mark_notified(opened(), "1 withheld")


def _two_clusters(fakes: Fakes) -> None:
    fakes.world.clusters["other"] = described({"binding": None, "cluster": {"name": "other", "nodes": 3}}).clusters["other"]


def _unreachable(fakes: Fakes) -> None:
    error = AccessDenied("log in to cluster demo: 401 Unauthorized", denial=Denial.UNAUTHENTICATED)
    for method in ("cluster.service_account", "cluster.workload", "cluster.pods", "cluster.nodes", "cluster.plugin_errors"):
        fakes.world.fail(method, error, times=None)


def _throttled(fakes: Fakes) -> None:
    fakes.world.fail("parameters.load", TransientError("read parameters: ThrottlingException Rate exceeded"), times=None)


def _no_history(fakes: Fakes) -> None:
    fakes.world.fail("incidents.get", AccessDenied("read the incident: AccessDeniedException", denial=Denial.FORBIDDEN), times=None)


def _chat_denied(fakes: Fakes) -> None:
    fakes.world.fail("notifier.send", AccessDenied("tell the chat: AuthorizationError", denial=Denial.FORBIDDEN), times=None)


def _wrong_parameters(fakes: Fakes) -> None:
    fakes.world.parameters[binding_path("other", NAMESPACE, NAME)] = Parameter(value="arn:aws:iam::111122223333:user/jane")
    fakes.world.parameters[binding_path("prod", NAMESPACE, NAME)] = Parameter(value="secret", type="SecureString")
    fakes.world.parameters[settings_path("demo", "mode")] = Parameter(value="sometimes")
    fakes.world.parameters[settings_path("_default", "cooldown_s")] = Parameter(value="60")


def _a_fleet(fakes: Fakes) -> None:
    _two_clusters(fakes)
    fakes.world.parameters[binding_path("last-year", NAMESPACE, NAME)] = Parameter(value=role_arn("demo-vpc-cni"))


def _nothing_listed(fakes: Fakes) -> None:
    fakes.world.fail("eks.clusters", AccessDenied("list clusters: AccessDeniedException", denial=Denial.FORBIDDEN), times=None)


def _granted_in_part(fakes: Fakes) -> None:
    for manifest in manifests():
        fakes.cluster_access.apply("demo", manifest)
    role = next(item for item in manifests() if item["kind"] == "Role" and item["metadata"]["name"].endswith("remediator"))
    fakes.cluster_access.apply("demo", {**role, "rules": role["rules"][:-1]})
    fakes.cluster_access.entries["arn:aws:iam::111122223333:role/checker"] = frozenset({"others"})


def _bound_before_it_runs(fakes: Fakes) -> None:
    """A ServiceAccount of our own is bound, and nothing runs under it yet."""
    fakes.world.parameters[binding_path("demo", "shop", "uploader")] = Parameter(value=role_arn("demo-uploader"))
    for manifest in manifests():
        fakes.cluster_access.apply("demo", manifest)


def _granted_and_shut_in(fakes: Fakes) -> None:
    """Everything is granted, and the functions sit in subnets that lead nowhere."""
    for manifest in manifests():
        fakes.cluster_access.apply("demo", manifest)
    for function, group in GROUPS.items():
        fakes.cluster_access.put_entry("demo", f"arn:aws:iam::111122223333:role/{function}", group)
    around = fakes.surroundings
    around.entered = replace(around.entered, public_from=())
    around.placed = Placement(vpc=around.entered.vpc, subnets=("subnet-1", "subnet-2"), security_groups=("sg-functions",))
    around.ways = WayOut(closed=("subnet-2",), services=frozenset({"eks", "ssm", "dynamodb"}), ranges=("10.0.1.0/24", "10.0.2.0/24"))


def _rule_matches(fakes: Fakes) -> None:
    fakes.patterns.matched = ("AddonCalls",)


def on_demo(name: str, folder: Path) -> Path:
    """A recorded event about the world's cluster."""
    file = folder / f"{name}.json"
    file.write_text(json.dumps(json.loads((EVENTS / f"{name}.json").read_text().replace("prod-blue", "demo"))))
    return file


COOLING: Final = {**BROKEN, "settings": {"cooldown_s": "86400"}}


def _just_repaired(fakes: Fakes) -> None:
    fakes.incidents._row(TARGET).past.append(past(closed_at=NOON - timedelta(minutes=1), opened_at=NOON - timedelta(minutes=2)))


SESSIONS: Final[Mapping[str, Session]] = {
    "check-sound": Session(("check",)),
    "check-broken": Session(("check --cluster demo",), BROKEN),
    "check-broken-80": Session(("check --cluster demo",), BROKEN, columns=80),
    "check-broken-120": Session(("check --cluster demo",), BROKEN, columns=120),
    "check-json": Session(("check --cluster demo --output json",), BROKEN),
    "check-yaml": Session(("check --cluster demo -o yaml",)),
    "check-not-bound": Session(("check",), {"binding": None}),
    "check-trust": Session(("check",), {"role": {"trust": {"Version": "2012-10-17", "Statement": []}}, "annotation": None}),
    "check-no-access": Session(("check",), prepare=_unreachable),
    "check-throttled": Session(("check",), prepare=_throttled),
    "check-all": Session(("check --all",), BROKEN, prepare=_two_clusters),
    "check-which-cluster": Session(("check", "check --all --cluster demo", "check --cluster 'no name'"), prepare=_two_clusters),
    "check-cluster-gone": Session(
        ("check --cluster gone", "check --cluster last-year", "plan --cluster gone", "fix --cluster gone"), prepare=_a_fleet
    ),
    "check-cluster-mistyped-unlisted": Session(("check --cluster gone",), prepare=_nothing_listed),
    "check-cluster-being-deleted": Session(("check --cluster demo",), {"cluster": {"status": "DELETING"}, "binding": None}),
    "check-open-incident": Session(("check",), BROKEN, prepare=_worked_on),
    "check-without-history": Session(("check",), BROKEN, prepare=_no_history),
    "check-pod-identity": Session(("check",), {"associations": [role_arn("demo-vpc-cni")]}),
    "check-hostile-words": Session(("check",), {"annotation": HOSTILE}),
    "check-wrong-use": Session(("check --clutser demo", "check -s aws-node")),
    "plan": Session(("plan",), BROKEN),
    "plan-json": Session(("plan -o json",), BROKEN),
    "plan-sound": Session(("plan",)),
    "plan-blocked": Session(("plan",), {**BROKEN, "settings": {"mode": "observe"}}),
    "plan-cooling-down": Session(("plan",), COOLING, prepare=_just_repaired),
    "fix-yes": Session(("fix --cluster demo --yes", "history", "check"), BROKEN),
    "fix-json": Session(("fix --yes -o json",), BROKEN),
    "fix-answered-yes": Session(("fix",), BROKEN, answer="y\n"),
    "fix-answered-no": Session(("fix",), BROKEN, answer="n\n"),
    "fix-nobody-to-ask": Session(("fix",), BROKEN),
    "fix-dry-run": Session(("fix --dry-run",), BROKEN),
    "fix-sound": Session(("fix --yes",)),
    "fix-observe-mode": Session(("fix --yes",), {**BROKEN, "settings": {"mode": "observe"}}),
    "fix-cooling-down": Session(("fix --yes",), COOLING, prepare=_just_repaired),
    "fix-cooling-down-override": Session(("fix --yes --override",), COOLING, prepare=_just_repaired),
    "fix-cooling-down-answered": Session(("fix",), COOLING, answer="y\n", prepare=_just_repaired),
    "fix-worked-on": Session(("fix --yes",), BROKEN, prepare=_worked_on),
    "fix-waiting-for-approval": Session(("fix --yes",), BROKEN, prepare=_waiting),
    "fix-watched": Session(("fix --yes",), BROKEN, prepare=_watched),
    "fix-only-a-person": Session(("fix --yes",), {"role": {"trust": {"Version": "2012-10-17", "Statement": []}}, "annotation": None}),
    "fix-chat-denied": Session(("fix --yes",), BROKEN, prepare=_chat_denied),
    "fix-undeployed": Session(("fix --yes", "history"), BROKEN, prepare=Fakes.undeployed),
    "adopt": Session(("adopt --dry-run", "adopt --yes", "adopt --yes"), {"binding": None}),
    "adopt-answered-no": Session(("adopt",), {"binding": None}, answer="n\n"),
    "adopt-refused": Session(("adopt --yes",), {"binding": None, "addon": {"role_arn": role_arn("other")}}),
    "adopt-unfit": Session(("adopt --yes -o json",), {"binding": None, "oidc_provider": None}),
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
    "bindings-of-a-fleet": Session(("bindings list", "bindings validate", "bindings list -o json"), prepare=_a_fleet),
    "bindings-validate": Session(("bindings validate", "bindings validate -c demo -o json"), prepare=_wrong_parameters),
    "settings": Session(
        (
            "settings list",
            "settings set demo mode approve",
            "settings set demo mode observe",
            "settings set demo mode sometimes",
            "settings set demo modus approve",
            "settings set 'no name' mode approve",
            "settings list -o yaml",
            "settings unset demo mode",
        )
    ),
    "settings-validate": Session(("settings validate",), prepare=_wrong_parameters),
    "settings-describe": Session(("settings describe",), columns=120),
    "history": Session(("history", "history -o json", "history 7f3a", "history zz", "history --html x.html"), prepare=_with_past),
    "history-json": Session(("history 7f3a -o json",), prepare=_with_past),
    "history-open": Session(("history", "history c0ff", "history c0ff -o yaml"), prepare=_waiting),
    "history-hostile": Session(("history 7f3a",), prepare=_with_hostile_past),
    "history-empty": Session(("history", "history -c demo --days 7")),
    "approve": Session(("approve c0ff", "approve c0ff"), prepare=_waiting),
    "reject": Session(("reject c0ffee -o json",), prepare=_waiting),
    "approve-late": Session(("approve c0ff",), prepare=_answered_elsewhere),
    "approve-nothing-waits": Session(("approve c0ff", "approve ffff"), prepare=_worked_on),
    "approve-closed": Session(("approve 7f3a",), prepare=_with_past),
    "approve-undeployed": Session(("approve c0ff",), prepare=Fakes.undeployed),
    "access": Session(("access",), columns=120),
    "access-json": Session(("access -o json",)),
    "access-undeployed": Session(("access",), prepare=Fakes.undeployed),
    "access-check": Session(("access --check", "access --check -o json", "access --apply", "access --check"), prepare=_granted_in_part),
    "access-shut-in": Session(("access --check",), columns=140, prepare=_granted_and_shut_in),
    "access-no-pods": Session(("access", "access --check"), columns=140, prepare=_bound_before_it_runs),
    "access-old-cluster": Session(("access --apply",), {"cluster": {"authentication_mode": "CONFIG_MAP"}}),
    "replay": Session(("replay call-update-addon-by-role", "replay call-update-addon-by-role -o json"), BROKEN, prepare=_rule_matches),
    "replay-ignored": Session(("replay call-update-addon-coredns",), prepare=_rule_matches),
    "replay-no-rule": Session(("replay fargate-pod-termination",)),
    "replay-malformed": Session(("replay addon-update-succeeded-glob",)),
    "replay-sweep": Session(("replay sweep", "replay person-all-clusters")),
    "replay-digest": Session(("replay digest", "replay digest -o json"), {"settings": {"digest": "daily"}}),
    "replay-digest-of-nobody": Session(("replay digest",)),
    "replay-no-file": Session(("replay /nowhere/event.json",)),
    "simulate-wrong": Session(("simulate no-such-scenario",)),
}
