"""The guard and the warning against their binding: what counts as following it, and what is said of the rest."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from lambdas.contract.guard import manifests as guard_manifests
from lambdas.contract.names import PROJECT
from lambdas.contract.parameters import Mechanism
from lambdas.contract.policy_kinds import PolicyKind, policy_name
from lambdas.contract.settings import GuardSetting, Settings
from lambdas.domain.diagnosis.finding import Finding, Link
from lambdas.domain.diagnosis.identity_chain import Diagnosis, diagnose
from lambdas.domain.diagnosis.links.guard import UNREAD, is_served_by, wanted_policies, without_effect
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.requests.request import Actor, RoleEffect
from lambdas.domain.snapshot.guard import GuardState, compare
from lambdas.domain.snapshot.guard import installed_policy as read_policy
from lambdas.domain.snapshot.snapshot import Binding, ClusterFacts, InstalledPolicy, InvalidBinding, Missing, Snapshot, Unknown
from tests.unit.domain.test_links import GOLDEN, finding_lines
from tests.unit.notifications.snapshots import CNI, NOW, ROLE, healthy_snapshot, installed_policy, pods, service_account
from tests.unit.notifications.test_golden import assert_golden

GUARD, WARNING = (installed_policy(kind, ROLE) for kind in PolicyKind)
STALE = installed_policy(PolicyKind.GUARD, f"{ROLE}-former")
ACCOUNT = (CNI.namespace, CNI.name)
BINDING = healthy_snapshot().binding
ARGO = "system:serviceaccount:argocd:argocd-application-controller"
KEPT = Actor(who=ARGO, what="patch", at=NOW, effect=RoleEffect.KEPT)


def _bound(**changes: Any) -> Binding:
    assert isinstance(BINDING, Binding)
    return replace(BINDING, **changes)


@pytest.mark.parametrize(
    ("binding", "policy", "state", "detail"),
    [
        (BINDING, None, GuardState.ABSENT, ""),
        (BINDING, GUARD, GuardState.INSTALLED, ""),
        (BINDING, STALE, GuardState.STALE, f"it keeps {ROLE}-former, and the binding names {ROLE}"),
        (
            BINDING,
            replace(GUARD, is_ours=False),
            GuardState.FOREIGN,
            f"named {policy_name(PolicyKind.GUARD, *ACCOUNT)} belongs to another owner",
        ),
        (BINDING, replace(GUARD, spec=None), GuardState.DIFFERS, "its policy does not exist"),
        (BINDING, replace(GUARD, binding_spec=None), GuardState.DIFFERS, "its policy binding does not exist, so it has no effect"),
        (BINDING, replace(GUARD, spec={}), GuardState.DIFFERS, "its spec is not that of this binding and version"),
        (BINDING, replace(STALE, role_arn=ROLE), GuardState.DIFFERS, "its spec is not that"),  # the declared role alone is no proof
        (BINDING, replace(GUARD, role_arn=""), GuardState.INSTALLED, ""),  # the spec is what the API server evaluates
        (Missing("a parameter"), GUARD, GuardState.UNBOUND, "it has no binding"),
        (_bound(mechanism=Mechanism.POD_IDENTITY), GUARD, GuardState.UNBOUND, "its binding names Pod Identity"),
        (InvalidBinding(path="p", reason="is no ARN"), GUARD, GuardState.UNKNOWN, "its binding is no ARN"),
    ],
)
def test_a_policy_is_compared_with_its_binding(binding: object, policy: InstalledPolicy | None, state: GuardState, detail: str) -> None:
    found = compare(PolicyKind.GUARD, ACCOUNT, binding, policy)
    assert found.state is state
    assert detail in found.detail if detail else found.detail == ""


def test_a_warning_that_names_another_parameter_differs() -> None:
    moved = _bound(path=f"/{PROJECT}/bindings/_default/kube-system/aws-node")
    assert compare(PolicyKind.WARNING, ACCOUNT, moved, WARNING).state is GuardState.DIFFERS
    assert compare(PolicyKind.GUARD, ACCOUNT, moved, GUARD).state is GuardState.INSTALLED


def _diagnosed(setting: GuardSetting = GuardSetting.OPTIONAL, version: str = "1.36", **changes: Any) -> Diagnosis:
    snapshot = healthy_snapshot()
    assert isinstance(snapshot.cluster, ClusterFacts)
    described = replace(snapshot, settings=Settings(guard=setting), cluster=replace(snapshot.cluster, version=version))
    return diagnose(replace(described, **changes))


def _findings() -> Iterator[tuple[str, Finding]]:
    """What is found about each policy in each of its states, and about a role that the guard kept."""
    states = {"ours": GUARD, "foreign": replace(GUARD, is_ours=False), "stale": STALE, "no policy": replace(GUARD, spec=None)}
    for name, policy in states.items():
        yield f"{name}, bound", _diagnosed(guards=(policy, WARNING))[Link.ANNOTATION]
        yield f"{name}, not bound", _diagnosed(guards=(policy,), binding=Missing("a parameter"))[Link.ANNOTATION]
    for setting in GuardSetting:
        yield f"{setting}, no warning", _diagnosed(setting, guards=(GUARD,))[Link.ANNOTATION]
        yield f"{setting}, no guard", _diagnosed(setting, guards=(WARNING,))[Link.ANNOTATION]
        yield f"{setting}, neither", _diagnosed(setting, guards=())[Link.ANNOTATION]
        yield f"{setting}, neither and not bound", _diagnosed(setting, guards=(), binding=Missing("a parameter"))[Link.ANNOTATION]
        yield f"{setting}, another warning", _diagnosed(setting, guards=(replace(WARNING, spec={}),))[Link.ANNOTATION]
        yield f"{setting}, neither, in an older cluster", _diagnosed(setting, "1.33", guards=())[Link.ANNOTATION]
    yield "kept", diagnose(_kept())[Link.ANNOTATION]
    long = replace(service_account(), left_out_by=ARGO + "x" * 400)
    yield "kept, by a long name", diagnose(_kept(service_account=long))[Link.ANNOTATION]


def test_each_finding_about_the_policies_is_as_reviewed() -> None:
    """After a wanted change: `UPDATE_GOLDEN=1`."""
    text = "\n".join(f"######## {name}\n{finding_lines(finding)}\n" for name, finding in _findings())
    assert_golden(GOLDEN / "guard.txt", text)


def _said(diagnosis: Diagnosis) -> tuple[str, str]:
    finding = diagnosis[Link.ANNOTATION]
    return finding.sentence, finding.remedies[0].command


APPLY = "irsa-remediator guard apply --cluster prod-blue --service-account kube-system/aws-node"
REMOVE = "irsa-remediator guard remove --cluster prod-blue --service-account kube-system/aws-node"


@pytest.mark.parametrize(
    ("setting", "guards", "binding", "said", "command"),
    [
        (GuardSetting.OPTIONAL, (STALE,), BINDING, f"it keeps {ROLE}-former", APPLY),
        (GuardSetting.OPTIONAL, (replace(WARNING, spec={}),), BINDING, "The warning of", f"{APPLY} --warn-only"),
        (GuardSetting.WANTED, (), BINDING, "it is not installed, and the setting guard is wanted", APPLY),
        (GuardSetting.WANTED, (GUARD,), BINDING, "The warning of kube-system/aws-node", APPLY),
        (GuardSetting.WARN_ONLY, (), BINDING, "it is not installed, and the setting guard is warn-only", f"{APPLY} --warn-only"),
        (GuardSetting.OPTIONAL, (GUARD,), Missing("a parameter"), "it has no binding", REMOVE),
        (GuardSetting.OPTIONAL, (GUARD,), _bound(mechanism=Mechanism.POD_IDENTITY), "names Pod Identity", REMOVE),
        (GuardSetting.OPTIONAL, (replace(GUARD, is_ours=False),), BINDING, "belongs to another owner", ""),
    ],
)
def test_a_policy_that_does_not_follow_is_reported_with_the_command(
    setting: GuardSetting, guards: tuple[InstalledPolicy, ...], binding: Binding | Missing, said: str, command: str
) -> None:
    found = _diagnosed(setting, guards=guards, binding=binding)
    assert not found.is_healthy
    if not (isinstance(binding, Binding) and binding.mechanism):  # there the missing association comes first
        assert found.verdict is Verdict.GUARD_DIFFERS
        sentence, shown = _said(found)
        assert said in sentence
        assert shown == command


@pytest.mark.parametrize(
    ("setting", "version", "guards"),
    [
        (GuardSetting.OPTIONAL, "1.36", ()),
        (GuardSetting.OPTIONAL, "1.36", (GUARD, WARNING)),
        (GuardSetting.WANTED, "1.36", (GUARD, WARNING)),
        (GuardSetting.WARN_ONLY, "1.36", (WARNING,)),
        (GuardSetting.WARN_ONLY, "1.36", (GUARD, WARNING)),
        (GuardSetting.WANTED, "1.33", (WARNING,)),
        (GuardSetting.WANTED, "1.29", ()),
    ],
)
def test_policies_that_follow_or_are_not_wanted_are_healthy(
    setting: GuardSetting, version: str, guards: tuple[InstalledPolicy, ...]
) -> None:
    assert _diagnosed(setting, version, guards=guards).verdict is _diagnosed().verdict
    assert _diagnosed(setting, version, guards=guards).is_healthy


def test_a_stale_guard_is_healthy_in_no_snapshot() -> None:
    for changes in ({}, {"binding": Missing("p")}, {"pods": pods(15, None)}, {"service_account": service_account(None)}):
        assert not _diagnosed(guards=(STALE, WARNING), **changes).is_healthy


def test_a_guard_that_was_not_read_is_neither_right_nor_wrong() -> None:
    read, unread = _diagnosed(guards=()), _diagnosed(guards=Unknown("forbidden"))
    assert unread.is_healthy
    assert unread.verdict is Verdict.NO_FAULT_FOUND
    assert set(unread.unproven) - set(read.unproven) == {UNREAD}


def test_another_fault_comes_before_the_guard() -> None:
    assert _diagnosed(guards=(STALE,), pods=pods(15, None)).verdict is Verdict.WEBHOOK_MISSED


@pytest.mark.parametrize(("version", "is_served"), [("1.36", True), ("1.35", False), ("2.0", True), ("", False), ("1.x", False)])
def test_the_version_decides_which_policies_are_served(version: str, is_served: bool) -> None:
    assert is_served_by(PolicyKind.GUARD, version) is is_served


def test_an_old_cluster_is_asked_for_the_warning_alone() -> None:
    assert wanted_policies(GuardSetting.WANTED, "1.33") == (PolicyKind.WARNING,)


def _kept(**changes: Any) -> Snapshot:
    return replace(
        healthy_snapshot(), **{"service_account": replace(service_account(), left_out_by=ARGO), "actor": KEPT, "guards": ()} | changes
    )


def test_a_kept_role_names_who_left_it_out() -> None:
    found = diagnose(_kept())
    assert found.verdict is Verdict.ROLE_KEPT
    assert found[Link.ANNOTATION].sentence.startswith(f"The guard kept the role; {ARGO} left it out.")


@pytest.mark.parametrize(
    "changes",
    [
        {"actor": None},
        {"actor": replace(KEPT, effect=RoleEffect.CHANGED)},
        {"actor": replace(KEPT, effect=RoleEffect.NOT_KNOWN)},
        {"service_account": service_account()},  # the audit record alone shows nothing: anyone may send the event
    ],
)
def test_no_other_write_is_a_kept_role(changes: dict[str, Any]) -> None:
    assert diagnose(_kept(**changes)).is_healthy


def test_a_role_that_is_lost_is_not_kept() -> None:
    assert diagnose(_kept(service_account=replace(service_account(None), left_out_by=ARGO))).verdict is Verdict.ANNOTATION_MISSING


def test_without_the_effect_the_same_snapshot_is_healthy() -> None:
    assert diagnose(without_effect(_kept())).is_healthy
    assert without_effect(_kept(actor=None)).actor is None


def test_the_installed_policy_is_read_from_what_the_api_server_returned() -> None:
    """Of a policy or a binding that does not exist, nothing is known; both have to be ours."""
    policy, policy_binding = guard_manifests(PolicyKind.GUARD, *ACCOUNT, ROLE, "/path")
    both = InstalledPolicy(kind=PolicyKind.GUARD, is_ours=True, role_arn=ROLE, spec=policy["spec"], binding_spec=policy_binding["spec"])
    assert read_policy(PolicyKind.GUARD, None, None) is None
    assert read_policy(PolicyKind.GUARD, policy, policy_binding) == both
    assert read_policy(PolicyKind.GUARD, policy, None) == replace(both, binding_spec=None)
    assert read_policy(PolicyKind.GUARD, None, policy_binding) == replace(both, spec=None, role_arn="")
    assert read_policy(PolicyKind.GUARD, {**policy, "spec": None}, {"metadata": {}}) == replace(
        both, is_ours=False, spec={}, binding_spec={}
    )
