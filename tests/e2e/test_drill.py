"""`verify` and `verify --drill` on a real control plane, whose admission policies limit the remediator."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from cli.interactive.drill import NAME, NAMESPACE
from lambdas.contract.admission import BINDINGS_PATH, POLICIES_PATH
from lambdas.contract.stack_checks import CLUSTER_LADDER, CheckId
from sandbox.simulation.aws_account import CLUSTER, role_arn
from sandbox.simulation.environment import SandboxEnvironment
from sandbox.simulation.scenario import BOUND, World
from tests.sandbox.test_cli import ADMINS, ONCALL, ROOT, Terminal, let_in
from tests.sandbox.test_drill import create_role
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.control_plane.control_plane import ControlPlane

WORLD = World(nodes=2, addon_role=BOUND, settings={"cooldown_s": "0", "max_repairs_per_hour": "60"})


@pytest.fixture(scope="module")
def env(control_plane: ControlPlane) -> Iterator[SandboxEnvironment]:
    sts, plugin = control_plane.sts, control_plane.plugin
    with SandboxEnvironment(WORLD, cluster="real", control_plane=control_plane, preloaded=True) as standing:
        let_in(standing, ONCALL, ADMINS)
        create_role(standing, "drill", f"system:serviceaccount:{NAMESPACE}:{NAME}")
        yield standing
    admin = control_plane.client()
    for path in (BINDINGS_PATH, POLICIES_PATH):  # other tests write what these policies refuse
        for item in admin.get(path)["items"]:
            admin.delete(f"{path}/{item['metadata']['name']}")
    control_plane.sts = sts
    control_plane.set_plugin_credentials(plugin)


def policies(plane: ControlPlane) -> dict[str, Any]:
    """The spec of each policy and binding, with the roles that the policies declare."""
    admin = plane.client()
    items = [item for path in (POLICIES_PATH, BINDINGS_PATH) for item in admin.get(path)["items"]]
    return {
        item["metadata"]["name"] + item["spec"].get("policyName", ""): (item["spec"], item["metadata"].get("annotations")) for item in items
    }


def wait_until_namespace_is_gone(plane: ControlPlane) -> None:
    """A real API server deletes the content of a namespace before the namespace, in the background."""
    eventually(lambda: plane.client().ask("GET", f"/api/v1/namespaces/{NAMESPACE}").status, lambda status: status == 404)


def test_the_stack_is_shown_to_work_and_a_drill_restores_the_policies(env: SandboxEnvironment, control_plane: ControlPlane) -> None:
    terminal = Terminal(env, ONCALL)
    terminal("access", "--apply", "--cluster", CLUSTER)
    before = policies(control_plane)
    assert before
    checks = terminal.document("verify", code=1)["checks"]  # the sandbox has no alarms
    shown = {check["check"] for check in checks if check["answer"] == "shown"}
    assert {*CLUSTER_LADDER, CheckId.ADMISSION_POLICIES, CheckId.DURABLE_EXECUTION, CheckId.EVENT_ROUND_TRIP} <= shown
    arguments = ("verify", "--drill", "--cluster", CLUSTER, "--role", role_arn("drill"), "--yes")
    document = terminal.document(*arguments)
    assert document["failure"] is None
    assert all(leg["seconds"] is not None for leg in document["legs"])
    assert policies(control_plane) == before
    wait_until_namespace_is_gone(control_plane)


def test_a_clean_up_after_a_crash_restores_the_policies(env: SandboxEnvironment, control_plane: ControlPlane) -> None:
    terminal = Terminal(env, ONCALL)
    terminal("access", "--apply", "--cluster", CLUSTER)
    before = policies(control_plane)
    command = [sys.executable, "-m", "cli", "verify", "--drill", "--cluster", CLUSTER, "--role", role_arn("drill"), "--yes"]
    with subprocess.Popen(command, env=terminal._environment, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as running:
        eventually(lambda: set(policies(control_plane)) > set(before))
        running.kill()
    removed = terminal.document("verify", "--drill", "--clean-up", "--cluster", CLUSTER)["removed"]
    assert any("admission policies" in line for line in removed)
    assert policies(control_plane) == before
    wait_until_namespace_is_gone(control_plane)
    assert terminal.document("verify", "--drill", "--clean-up", "--cluster", CLUSTER)["removed"] == []
