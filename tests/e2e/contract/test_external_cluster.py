"""Tests against an existing API server that a kubeconfig names."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sandbox.control_plane.api_client import ApiClient
from sandbox.control_plane.binaries import REPOSITORY
from sandbox.control_plane.control_plane import ControlPlane
from tests.e2e.contract.external_cluster import UnsupportedKubeconfig, api_of
from tests.waiting import eventually

LOGINS: dict[str, Callable[[ControlPlane, Path], Path]] = {
    "a token": ControlPlane.kubeconfig,
    "a client certificate": ControlPlane.certificate_kubeconfig,
}


@pytest.mark.parametrize("login", LOGINS.values(), ids=LOGINS)
def test_the_impersonated_user_has_no_permissions_of_the_administrator(
    control_plane: ControlPlane, login: Callable[[ControlPlane, Path], Path], tmp_path: Path
) -> None:
    with api_of(login(control_plane, tmp_path / "kubeconfig")) as api:
        assert api.get("/api/v1/nodes").status == 200
        refused = api.request("GET", "/api/v1/nodes", token=api.user_token)
        assert (refused.status, 'User "nobody"' in refused.message) == (403, True)
        assert api.request("GET", "/api/v1/nodes", token="nonsense").status == 401
        assert 'User "system:anonymous"' in api.request("GET", "/api/v1/nodes", token=None).message


@pytest.mark.parametrize("login", LOGINS.values(), ids=LOGINS)
def test_a_kubeconfig_runs_the_contract_tests_and_skips_the_others_with_a_reason(
    control_plane: ControlPlane, login: Callable[[ControlPlane, Path], Path], tmp_path: Path
) -> None:
    """As `E2E_KUBECONFIG=... make e2e` runs them, against a cluster in which nothing of theirs is left when they are through."""
    admin = control_plane.client()
    before = _names(admin)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    command = [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", "-n", "0", *ASKED]
    kubeconfig = login(control_plane, tmp_path / "kubeconfig")
    ran = subprocess.run(
        command, cwd=REPOSITORY, env={**environment, "E2E_KUBECONFIG": str(kubeconfig)}, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-1000:]
    assert (found := re.search(r"(\d+) passed, (\d+) skipped", ran.stdout)), ran.stdout[-500:]
    assert int(found[1]) > 20, "the contract was tested"
    assert "its login, nodes and failures are not ours to arrange" in ran.stdout
    assert "a roll-out needs nodes that run whatever they are given" in ran.stdout
    eventually(lambda: _names(admin) - before, lambda left: not left, within_s=60)  # namespaces take their time to end


ASKED = [f"tests/e2e/{name}.py" for name in ("contract/test_access", "contract/test_lists", "contract/test_rollout", "test_login")]
LISTED = (
    "/api/v1/namespaces",
    "/api/v1/nodes",
    "/apis/apps/v1/daemonsets",
    "/api/v1/serviceaccounts",
    "/api/v1/configmaps",
    "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "/apis/rbac.authorization.k8s.io/v1/roles",
)


def _names(admin: ApiClient) -> set[str]:
    return {item["metadata"].get("namespace", "") + path + item["metadata"]["name"] for path in LISTED for item in admin.get(path)["items"]}


UNUSABLE: dict[str, tuple[dict[str, Any], str]] = {
    "no current context": ({"current-context": "gone"}, "no context 'gone'"),
    "a user with a log-in command alone": ({"users": [{"name": "u", "user": {"exec": {"command": "aws"}}}]}, "a token or a client"),
    "no certificate authority": ({"clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}]}, "certificate authority"),
}


@pytest.mark.parametrize(("wrong", "why"), UNUSABLE.values(), ids=UNUSABLE)
def test_an_unusable_kubeconfig_is_rejected_with_a_reason(wrong: dict[str, Any], why: str, tmp_path: Path) -> None:
    document = {
        "current-context": "x",
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1", "certificate-authority-data": "QQ=="}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
    }
    file = tmp_path / "kubeconfig"
    file.write_text(json.dumps(document))
    with api_of(file) as api:
        assert api.token == "t"
    file.write_text(json.dumps(document | wrong))
    with pytest.raises(UnsupportedKubeconfig, match=why), api_of(file):
        pass
