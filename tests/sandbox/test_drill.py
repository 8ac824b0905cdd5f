"""`irsa-remediator verify --drill` in the sandbox: the deployed functions repair the throw-away ServiceAccount, and nothing is left."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from cli.interactive.drill import LABEL, LEGS, NAME, NAMESPACE
from lambdas.contract.names import PARAMETER_ROOT
from lambdas.contract.parameters import binding_path
from sandbox.aws.local_aws import ACCOUNT
from sandbox.cluster.resources import DEPLOYMENTS, NAMESPACES, ROLES, SERVICE_ACCOUNTS
from sandbox.simulation.aws_account import CLUSTER, role_arn
from sandbox.simulation.environment import SandboxEnvironment
from sandbox.simulation.scenario import BOUND, World
from tests.sandbox.test_cli import ADMINS, ONCALL, ROOT, Terminal, let_in
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.sandbox

ROLE = role_arn("drill")


@pytest.fixture(scope="module")
def env() -> Iterator[SandboxEnvironment]:
    world = World(nodes=1, addon_role=BOUND, settings={"cooldown_s": "0", "max_repairs_per_hour": "60"})
    with SandboxEnvironment(world, preloaded=True) as standing:
        let_in(standing, ONCALL, ADMINS)
        create_role(standing, "drill", f"system:serviceaccount:{NAMESPACE}:{NAME}")
        create_role(standing, "other", "system:serviceaccount:default:other")
        yield standing


def create_role(env: SandboxEnvironment, name: str, subject: str) -> None:
    host = env.issuer.removeprefix("https://")
    condition = {"StringEquals": {f"{host}:aud": "sts.amazonaws.com", f"{host}:sub": subject}}
    principal = {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{host}"}
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRoleWithWebIdentity", "Condition": condition}
    env.aws.client("iam").create_role(
        RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    )


def state(env: SandboxEnvironment) -> dict[str, Any]:
    """Everything that a drill may touch: parameters, namespaces, and the objects of every namespace."""
    parameters = env.aws.client("ssm").get_parameters_by_path(Path=PARAMETER_ROOT, Recursive=True)["Parameters"]
    kinds = (NAMESPACES, SERVICE_ACCOUNTS, DEPLOYMENTS, ROLES)
    return {
        "parameters": {item["Name"]: item["Value"] for item in parameters},
        **{kind.plural: {_key(item): item["metadata"]["resourceVersion"] for item in env.backend.all_of(kind)} for kind in kinds},
    }


def _key(item: Any) -> tuple[str, str]:
    return item["metadata"].get("namespace", ""), item["metadata"]["name"]


def test_a_drill_is_repaired_and_proven_and_leaves_nothing(env: SandboxEnvironment) -> None:
    before = state(env)
    document = Terminal(env, ONCALL).document("verify", "--drill", "--cluster", CLUSTER, "--role", ROLE, "--yes")
    assert document["failure"] is None
    times = {leg["name"]: leg["seconds"] for leg in document["legs"]}
    assert list(times) == list(LEGS)
    assert times["event"] <= times["message"] <= times["proof"]
    assert {leg["note"] for leg in document["legs"]} == {None}
    assert times["fault"] <= times["event"] <= times["decision"] <= times["annotation"] <= times["pod"] <= times["proof"]
    assert state(env) == before


def test_a_drill_without_consent_begins_nothing(env: SandboxEnvironment) -> None:
    before = state(env)
    refused = Terminal(env, ONCALL)("verify", "--drill", "--cluster", CLUSTER, "--role", ROLE, code=2)
    assert "--yes" in refused.stderr
    assert state(env) == before


def test_a_role_that_does_not_trust_the_service_account_ends_the_drill_before_the_fault(env: SandboxEnvironment) -> None:
    before = state(env)
    document = Terminal(env, ONCALL).document("verify", "--drill", "--cluster", CLUSTER, "--role", role_arn("other"), "--yes", code=1)
    assert "not sound before the drill" in document["failure"]
    assert {leg["seconds"] for leg in document["legs"]} == {None}
    assert state(env) == before


def test_clean_up_deletes_what_an_interrupted_drill_has_left_and_nothing_else(env: SandboxEnvironment) -> None:
    before, terminal = state(env), Terminal(env, ONCALL)
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": {LABEL: "true"}}}
    env.backend.apply(namespace, "test")
    env.aws.client("ssm").put_parameter(Name=binding_path(CLUSTER, NAMESPACE, NAME), Value=ROLE, Type="String")
    refused = terminal("verify", "--drill", "--cluster", CLUSTER, "--role", ROLE, "--yes", code=2)
    assert "--clean-up" in refused.stderr
    removed = terminal.document("verify", "--drill", "--clean-up", "--cluster", CLUSTER)["removed"]
    assert len(removed) == 2
    assert state(env) == before
    assert terminal.document("verify", "--drill", "--clean-up", "--cluster", CLUSTER)["removed"] == []


def test_a_namespace_of_someone_else_is_left_alone(env: SandboxEnvironment) -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    env.backend.apply(namespace, "test")
    before = state(env)
    Terminal(env, ONCALL)("verify", "--drill", "--clean-up", "--cluster", CLUSTER, code=2)
    assert state(env) == before
    env.backend.delete(NAMESPACES, NAMESPACE)


def test_ctrl_c_cleans_up(env: SandboxEnvironment) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # where a shell runs the tests in the background, a child would ignore it
    before = state(env)
    terminal = Terminal(env, ONCALL)
    command = [sys.executable, "-m", "cli", "verify", "--drill", "--cluster", CLUSTER, "--role", ROLE, "--yes"]
    with subprocess.Popen(command, env=terminal._environment, cwd=ROOT, stderr=subprocess.PIPE, text=True) as running:
        eventually(lambda: env.backend.find(SERVICE_ACCOUNTS, NAME, NAMESPACE))
        running.send_signal(signal.SIGINT)
        _, stderr = running.communicate(timeout=60)
    assert running.returncode == 130, stderr
    assert state(env) == before
