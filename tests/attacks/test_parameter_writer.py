"""A writer of parameters names a role of another account, outside `bound_roles` or without a precondition that holds."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cli.main import app
from lambdas.contract.names import ANY_CLUSTER
from lambdas.contract.settings import settings_path
from lambdas.domain.errors import AccessDenied, Denial
from lambdas.domain.snapshot.bindings import Parameter
from lambdas.domain.snapshot.snapshot import RoleFacts
from tests.attacks.threat import Threat
from tests.attacks.writes import bind, bounded, unauthorized
from tests.cli_runner import CliRunner
from tests.over_fakes.scenario_world import BOUND_ROLE
from tests.unit.cli.fake_dependencies import fake_dependencies
from tests.unit.workflow.workflow_run import REPAIR, WorkflowRun, run_workflow
from tests.world import ACCOUNT, described, role_arn

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.over_fakes.scenario_run import ScenarioRun

THREAT = Threat(
    name="foreign role in a binding",
    actor="writer of parameters",
    controls="`/eks-irsa-remediator/bindings/`",
    attempt="install a role of another account, outside `bound_roles`, or without a trust policy for this ServiceAccount",
    prevention="`bound_roles` limits annotation, pods and record alike; roles of foreign accounts are refused unless "
    "configured; preconditions must hold",
    proof=(
        "test_a_role_of_another_account_is_never_written",
        "test_a_role_outside_bound_roles_is_never_written",
        "test_no_hostile_parameter_leads_to_a_write_outside_the_bounds",
        "test_fix_with_a_person_s_rights_stays_within_the_bounds",
    ),
    residual="without `bound_roles`: any role of the own account whose trust policy names this ServiceAccount",
)

FOREIGN = "arn:aws:iam::666666666666:role/evil"
ADMIN = role_arn("OrgAdmin")
WITHIN = f"arn:aws:iam::{ACCOUNT}:role/demo-*"
HOSTILE_SETTINGS = {
    "when_unverified": "restore",
    "cooldown_s": "0",
    "max_repairs_per_hour": "60",
    "circuit_breaker_clusters": "1000",
    "mode": "enforce",
}


def attack(
    role: str,
    world: dict[str, Any],
    *,
    bound_roles: tuple[str, ...],
    before: str = "",
    prepare: Callable[[ScenarioRun], None] = lambda _: None,
    trusted: bool = False,
) -> WorkflowRun:
    """Bind the role from the start, or right before one step of a repair with the bound role."""

    def first(run: ScenarioRun) -> None:
        bounded(run, *bound_roles)
        for name, text in HOSTILE_SETTINGS.items():
            run.world.parameters[settings_path(ANY_CLUSTER, name)] = Parameter(value=text, changed_at=run.world.now)
        prepare(run)
        if not before:
            bind(role, trusted=trusted)(run)

    return run_workflow(world, first=first, before={before: bind(role, trusted=trusted)} if before else {})


def deny_get_role(run: ScenarioRun) -> None:
    run.world.fail("iam.role", AccessDenied("read role: iam:GetRole", denial=Denial.FORBIDDEN), times=None)


def admit(subject: str) -> Callable[[ScenarioRun], None]:
    """Create the admin role with a trust policy for this subject."""

    def create(run: ScenarioRun) -> None:
        policy = json.loads(json.dumps(run.world.roles[BOUND_ROLE].trust))
        for statement in policy["Statement"]:
            keys = [key for key in statement["Condition"]["StringEquals"] if key.endswith(":sub")]
            statement["Condition"] = {"StringLike": dict.fromkeys(keys, subject)}
        run.world.roles[ADMIN] = RoleFacts(arn=ADMIN, trust=policy)

    return create


ANNOTATION_MISSING: dict[str, Any] = {"addon": False}
ANNOTATION_PRESENT: dict[str, Any] = {"addon": False, "annotation": BOUND_ROLE}
RECORD_LOST: dict[str, Any] = {"addon_role": None}
BALANCER: dict[str, Any] = {"service_account": "aws-load-balancer-controller"}
WORLDS = {"missing": ANNOTATION_MISSING, "present": ANNOTATION_PRESENT, "record": RECORD_LOST, "balancer": BALANCER}


@pytest.mark.parametrize("world", WORLDS.values(), ids=WORLDS)
@pytest.mark.parametrize("bound_roles", [("*",), ("",), (WITHIN,)], ids=["unknown", "not configured", "configured"])
def test_a_role_of_another_account_is_never_written(world: dict[str, Any], bound_roles: tuple[str, ...]) -> None:
    done = attack(FOREIGN, world, bound_roles=bound_roles)
    assert done.run.world.writes == []
    assert done.outcome != "verified"


@pytest.mark.parametrize("world", WORLDS.values(), ids=WORLDS)
def test_a_role_outside_bound_roles_is_never_written(world: dict[str, Any]) -> None:
    assert attack(ADMIN, world, bound_roles=(WITHIN,), prepare=deny_get_role).run.world.writes == []
    assert attack(ADMIN, world, bound_roles=(WITHIN,), trusted=True).run.world.writes == []


@pytest.mark.parametrize("world", WORLDS.values(), ids=WORLDS)
@pytest.mark.parametrize(
    "subject", ["system:serviceaccount:*:*", "system:serviceaccount:kube-system:*", "*", "system:serviceaccount:kube-system:other-sa"]
)
def test_a_role_that_trusts_everyone_or_another_service_account_is_never_written(world: dict[str, Any], subject: str) -> None:
    assert attack(ADMIN, world, bound_roles=("",), prepare=admit(subject)).run.world.writes == []


def test_a_configured_role_of_another_account_is_refused_until_a_setting_allows_unread_roles() -> None:
    def refuse_by_default(run: ScenarioRun) -> None:
        run.world.parameters.pop(settings_path(ANY_CLUSTER, "when_unverified"))

    assert attack(FOREIGN, ANNOTATION_MISSING, bound_roles=(FOREIGN,), prepare=refuse_by_default).run.world.writes == []
    assert attack(FOREIGN, ANNOTATION_MISSING, bound_roles=(FOREIGN,)).writes[0] == "annotate"


def test_the_repair_within_the_bounds_still_runs() -> None:
    done = attack(BOUND_ROLE, {}, bound_roles=(WITHIN,))
    assert (done.outcome, done.writes) == ("verified", REPAIR)


STEPS = (
    "1.1 apply annotate-service-account",
    "1.2 apply replace-canary-pod",
    "1.2 check-canary",
    "1.3 apply restart-workload",
    "1.4 apply update-addon-role",
    "1 verify",
    "1 claim",
    "1 notify repairing",
)


@st.composite
def hostile_roles(draw: st.DrawFn) -> str:
    """Role ARNs of any account, partition and path, with wildcards, placeholders, line ends and near misses of the bound role."""
    partition = draw(st.sampled_from(["aws", "aws-cn", "aws-us-gov", "{partition}", "*"]))
    account = draw(st.sampled_from(["666666666666", ACCOUNT, "{account}", "*", "", f"{ACCOUNT[:-1]}9", "000000000000"]))
    path = draw(st.sampled_from(["", "eks/", "demo-vpc-cni/", "demo-/", "service-role/", "a/b/c/"]))
    name = draw(st.sampled_from(["evil", "demo-vpc-cni", "DEMO-vpc-cni", "demo-vpc-cnii", "*", "demo-*", "{cluster}-vpc-cni", "OrgAdmin"]))
    end = draw(st.sampled_from(["", "", "", "\n", "\x00", " ", ",arn:aws:iam::666666666666:role/x"]))
    return f"arn:{partition}:iam::{account}:role/{path}{name}{end}"


BOUNDS = {(WITHIN,), (BOUND_ROLE,), (f"arn:aws:iam::{ACCOUNT}:role/eks/*", BOUND_ROLE)}


@given(
    role=hostile_roles(),
    world=st.sampled_from(list(WORLDS.values())),
    bound_roles=st.sampled_from(sorted(BOUNDS)),
    before=st.sampled_from(["", *STEPS]),
    trusted=st.booleans(),
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_hostile_parameter_leads_to_a_write_outside_the_bounds(
    role: str, world: dict[str, Any], bound_roles: tuple[str, ...], before: str, trusted: bool
) -> None:
    done = attack(role, world, bound_roles=bound_roles, before=before, trusted=trusted)
    for write in unauthorized(done.run, (BOUND_ROLE,)):
        written = write.split()[-1]
        assert written.startswith(tuple(pattern.rstrip("*") for pattern in bound_roles)), write
        assert written.split(":")[4] == ACCOUNT, write


@given(role=hostile_roles(), world=st.sampled_from(list(WORLDS.values())), before=st.sampled_from(["", *STEPS]), trusted=st.booleans())
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_without_bounds_no_hostile_parameter_leads_to_a_write_of_a_foreign_role(
    role: str, world: dict[str, Any], before: str, trusted: bool
) -> None:
    done = attack(role, world, bound_roles=("",), before=before, trusted=trusted)
    assert [write for write in unauthorized(done.run, ()) if write.split()[-1].split(":")[4] != ACCOUNT] == []


# --- the command line, with the rights of a person ---------------------------------------------------------------------------------------

CLI_ROLES: dict[str, str] = {
    "another account": FOREIGN,
    "another partition": f"arn:aws-cn:iam::{ACCOUNT}:role/demo-vpc-cni",
    "outside the path": ADMIN,
    "a longer path": f"arn:aws:iam::{ACCOUNT}:role/x/demo-vpc-cni",
}


def command(world: dict[str, Any], role: str, arguments: str, monkeypatch: pytest.MonkeyPatch) -> tuple[list[str], dict[str, str]]:
    """Writes to the cluster and the bindings after a command whose binding, if there is one, names the role. Its trust policy fits."""
    fakes = fake_dependencies(described(world))
    fakes.dependencies = replace(fakes.dependencies, readers=replace(fakes.dependencies.readers, bound_roles=(WITHIN,)))
    trust = fakes.world.roles[BOUND_ROLE].trust
    fakes.world.roles[role] = RoleFacts(arn=role, trust=trust)
    for path in [path for path in fakes.world.parameters if "/bindings/" in path]:
        fakes.world.parameters[path] = Parameter(value=role, version=2)
    monkeypatch.setattr("cli.clients.connection.connect", lambda _: fakes.dependencies)
    CliRunner().invoke(app, arguments.split())
    bindings = {path: parameter.value for path, parameter in fakes.world.parameters.items() if "/bindings/" in path}
    return fakes.world.writes, bindings


@pytest.mark.parametrize("role", CLI_ROLES.values(), ids=CLI_ROLES)
@pytest.mark.parametrize("world", [{"annotation": None}, {"addon": {"role_arn": None}}, {}], ids=["missing", "record", "present"])
def test_fix_with_a_person_s_rights_stays_within_the_bounds(world: dict[str, Any], role: str, monkeypatch: pytest.MonkeyPatch) -> None:
    writes, _ = command(world, role, "fix --yes --override", monkeypatch)
    assert writes == []


def test_fix_within_the_bounds_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    writes, _ = command({"annotation": None}, BOUND_ROLE, "fix --yes --override", monkeypatch)
    assert writes[0].startswith("annotate")


@pytest.mark.parametrize("role", CLI_ROLES.values(), ids=CLI_ROLES)
def test_adopt_binds_no_role_outside_the_bounds(role: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A role that a user of the cluster has put into the annotation does not become the binding."""
    _, bindings = command({"binding": None, "annotation": role, "addon": None}, role, "adopt --yes", monkeypatch)
    assert bindings == {}
