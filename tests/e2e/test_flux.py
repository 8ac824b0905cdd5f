"""Flux's library for server-side apply against a real API server. Needs `FLUX_APPLY`, the path of the program in `tools/flux`.

    (cd tests/e2e/tools/flux && go build -o /tmp/flux-apply .)
    FLUX_APPLY=/tmp/flux-apply .venv/bin/python -m pytest -n 0 tests/e2e/test_flux.py

Source: https://github.com/fluxcd/pkg/tree/main/ssa, which kustomize-controller applies with
"""

import json
import os
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from lambdas.adapters.cluster import Cluster
from sandbox.control_plane.api_client import ApiClient
from sandbox.control_plane.control_plane import ControlPlane
from tests.e2e import aws_node
from tests.e2e.admin_access import TokenLogin
from tests.e2e.prevention_matrix import FLUX, Change, Mode, Result
from tests.e2e.product import facts
from tests.e2e.test_helm import ACCOUNT, mode, role_after

__all__ = ["mode"]

PROGRAM = os.environ.get("FLUX_APPLY", "")
pytestmark = pytest.mark.skipif(not PROGRAM, reason="FLUX_APPLY names no program")


@pytest.fixture(scope="module")
def flux(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Callable[[dict[str, Any]], str]:
    """Applies one manifest as kustomize-controller, and returns what it did: created, configured or unchanged."""
    config = control_plane.kubeconfig(tmp_path_factory.mktemp("flux") / "config")

    def apply(manifest: dict[str, Any]) -> str:
        environment = {**os.environ, "KUBECONFIG": str(config)}
        text = json.dumps({"apiVersion": "v1", "kind": "ServiceAccount"} | manifest)
        return subprocess.run([PROGRAM], check=True, capture_output=True, text=True, env=environment, input=text).stdout.strip()

    return apply


@pytest.mark.parametrize("change", Change, ids=lambda change: change.name.lower())
def test_flux_applies_a_manifest_without_the_role(
    control_plane: ControlPlane, admin: ApiClient, flux: Callable[[dict[str, Any]], str], mode: Mode, change: Change
) -> None:
    port = Cluster(TokenLogin(control_plane).open(facts(control_plane)))
    flux(aws_node.service_account(role_arn=aws_node.ROLE if change is Change.ROLE_LEAVES else None))
    try:
        version = admin.get(aws_node.SERVICE_ACCOUNT)["metadata"]["resourceVersion"]
        if mode is Mode.CLAIM:
            port.apply_annotation(*ACCOUNT, aws_node.ROLE, version)
        elif change is Change.NEVER_HAD_IT:
            admin.merge(aws_node.SERVICE_ACCOUNT, {"metadata": {"annotations": {aws_node.ROLE_KEY: aws_node.ROLE}}}, fieldManager="someone")
        assert role_after(admin) is Result.KEPT
        flux(aws_node.service_account())
        assert role_after(admin) is FLUX[change][mode]
        assert flux(aws_node.service_account()) == "unchanged"  # no perpetual drift
    finally:
        admin.ask("DELETE", aws_node.SERVICE_ACCOUNT)
