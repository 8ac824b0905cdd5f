"""Helm itself against a real API server: what becomes of a role that the chart leaves out. Needs `HELM`, a path to the program.

HELM=$(which helm) .venv/bin/python -m pytest -n 0 tests/e2e/test_helm.py
"""

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lambdas.adapters.cluster import Cluster
from lambdas.contract import admission, guard
from lambdas.contract.parameters import binding_path
from lambdas.contract.policy_kinds import PolicyKind
from sandbox.control_plane.api_client import ApiClient
from sandbox.control_plane.control_plane import ControlPlane
from tests.e2e import aws_node
from tests.e2e.admin_access import TokenLogin
from tests.e2e.prevention_matrix import HELM, Change, Mode, Result
from tests.e2e.product import facts
from tests.waiting import eventually

PROGRAM = os.environ.get("HELM", "")
pytestmark = pytest.mark.skipif(not PROGRAM, reason="HELM names no program")
ACCOUNT = ("kube-system", "aws-node")
CHART = {"apiVersion": "v2", "name": "cni", "version": "1.0.0"}
TEMPLATE = """apiVersion: v1
kind: ServiceAccount
metadata:
  name: aws-node
  labels: {release: {{ .Values.release | quote }}}
  {{- with .Values.role }}
  annotations: {"eks.amazonaws.com/role-arn": {{ . | quote }}}
  {{- end }}
"""
Helm = Callable[..., str]


@pytest.fixture(scope="module")
def helm(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Runs Helm as the administrator; a release has a chart with one ServiceAccount."""
    folder = tmp_path_factory.mktemp("helm")
    (folder / "cni" / "templates").mkdir(parents=True)
    (folder / "cni" / "Chart.yaml").write_text(json.dumps(CHART))
    (folder / "cni" / "templates" / "account.yaml").write_text(TEMPLATE)
    config = control_plane.kubeconfig(folder / "config")
    environment = {**os.environ, "HOME": str(folder), "KUBECONFIG": str(config)}

    def run(*arguments: str) -> str:
        return subprocess.run(
            [PROGRAM, *arguments, "-n", "kube-system"], check=True, capture_output=True, text=True, env=environment, cwd=folder
        ).stdout

    return run


@pytest.fixture(params=[Mode.WITHOUT, Mode.CLAIM, Mode.GUARD], ids=str)
def mode(request: pytest.FixtureRequest, admin: ApiClient) -> Iterator[Mode]:
    """A kind of prevention, in force."""
    wanted = Mode(request.param)
    path = binding_path("demo", *ACCOUNT)
    installed = guard.manifests(PolicyKind.GUARD, *ACCOUNT, aws_node.ROLE, path) if wanted is Mode.GUARD else []
    for manifest in installed:
        admin.apply(admission.path_of(manifest), manifest, manager="administrator")
    eventually(lambda: _completes(admin) is (wanted is Mode.GUARD))
    yield wanted
    for manifest in reversed(installed):
        admin.delete(admission.path_of(manifest))
    eventually(lambda: not _completes(admin))


def _completes(admin: ApiClient) -> bool:
    """Whether the API server sets the role of a ServiceAccount that is created without one. It is a dry run."""
    admin.ask("DELETE", aws_node.SERVICE_ACCOUNT)
    answer = admin.ask("POST", aws_node.SERVICE_ACCOUNTS, aws_node.service_account(), query={"dryRun": "All"})
    return aws_node.ROLE_KEY in answer.body["metadata"].get("annotations", {})


def role_after(admin: ApiClient) -> Result:
    value = admin.get(aws_node.SERVICE_ACCOUNT)["metadata"].get("annotations", {}).get(aws_node.ROLE_KEY)
    return {aws_node.ROLE: Result.KEPT, None: Result.LOST}.get(value, Result.OTHER)


@pytest.mark.parametrize("change", Change, ids=lambda change: change.name.lower())
def test_helm_upgrades_a_chart_without_the_role(
    control_plane: ControlPlane, admin: ApiClient, helm: Helm, mode: Mode, change: Change
) -> None:
    port = Cluster(TokenLogin(control_plane).open(facts(control_plane)))
    with_role = f"role={aws_node.ROLE}" if change is Change.ROLE_LEAVES else "role="
    helm("install", "cni", "./cni", "--set", f"release=a,{with_role}")
    try:
        version = admin.get(aws_node.SERVICE_ACCOUNT)["metadata"]["resourceVersion"]
        if mode is Mode.CLAIM or change is Change.NEVER_HAD_IT:
            port.apply_annotation(*ACCOUNT, aws_node.ROLE, version)
        if change is Change.NEVER_HAD_IT and mode is not Mode.CLAIM:  # someone else set it, without a claim
            port.restore_annotation(*ACCOUNT, None, admin.get(aws_node.SERVICE_ACCOUNT)["metadata"]["resourceVersion"])
            admin.merge(aws_node.SERVICE_ACCOUNT, {"metadata": {"annotations": {aws_node.ROLE_KEY: aws_node.ROLE}}}, fieldManager="someone")
        assert role_after(admin) is Result.KEPT
        helm("upgrade", "cni", "./cni", "--set", "release=b,role=")
        assert role_after(admin) is HELM[_major(helm)][change][mode]
        settled = admin.get(aws_node.SERVICE_ACCOUNT)["metadata"]["resourceVersion"]
        helm("upgrade", "cni", "./cni", "--set", "release=b,role=")  # again: no perpetual difference
        assert admin.get(aws_node.SERVICE_ACCOUNT)["metadata"]["resourceVersion"] == settled
    finally:
        helm("uninstall", "cni")


def _major(helm: Helm) -> int:
    found = re.match(r"v(\d+)\.", helm("version", "--short"))
    assert found
    return int(found[1])


def test_the_folder_of_the_chart_is_not_the_one_of_the_project(helm: Helm) -> None:
    assert "aws-node" in helm("template", "cni", "./cni", "--set", "release=a,role=")
    assert not (Path.cwd() / "cni").exists()
