"""Contract: the official Kubernetes client and the adapter find the same objects, and each finds what the other has written."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, Any, cast

import pytest
from kubernetes.client import (
    ApiClient,
    ApiException,
    AppsV1Api,
    Configuration,
    CoreV1Api,
    V1Container,
    V1DaemonSet,
    V1DaemonSetSpec,
    V1LabelSelector,
    V1ObjectMeta,
    V1Pod,
    V1PodSpec,
    V1PodTemplateSpec,
    V1ServiceAccount,
)

from lambdas.adapters.cluster import Cluster
from lambdas.adapters.kubernetes_api import FIELD_MANAGER, KubernetesApi
from lambdas.contract.names import ROLE_ANNOTATION
from lambdas.contract.workloads import WorkloadKind
from lambdas.domain.errors import Conflict
from lambdas.domain.snapshot.snapshot import Missing, ServiceAccountFacts, WorkloadFacts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.cluster.conftest import Api

ROLE = "arn:aws:iam::111122223333:role/demo-vpc-cni"
OTHER_ROLE = "arn:aws:iam::111122223333:role/other"


class _OneToken:
    def __init__(self, token: str) -> None:
        self._token = token

    def get(self, _cluster: str) -> str:
        return self._token

    def forget(self, _cluster: str, _rejected: str) -> bool:
        return False


@pytest.fixture
def official(api: Api) -> Iterator[ApiClient]:
    configuration = Configuration()
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as authority:
        authority.write(api.ca)
        authority.flush()
        configuration.host, configuration.ssl_ca_cert = api.url, authority.name
        with ApiClient(configuration, header_name="Authorization", header_value=f"Bearer {api.token}") as client:
            yield client


@pytest.fixture
def adapter(api: Api) -> Cluster:
    return Cluster(KubernetesApi("contract", api.url, api.ca, cast("Any", _OneToken(api.token))))


@pytest.fixture(autouse=True)
def _with_a_token(api: Api) -> None:
    if not api.token:
        pytest.skip("the kubeconfig logs in with a client certificate")


def test_an_annotation_of_the_official_client_is_read_with_its_manager(api: Api, official: ApiClient, adapter: Cluster) -> None:
    body = V1ServiceAccount(metadata=V1ObjectMeta(name="app", annotations={ROLE_ANNOTATION: ROLE}))
    made = CoreV1Api(official).create_namespaced_service_account(api.namespace, body, field_manager="official")
    read = adapter.service_account(api.namespace, "app")
    assert isinstance(read, ServiceAccountFacts)
    assert (read.role_annotations, read.resource_version) == ({ROLE_ANNOTATION: ROLE}, made.metadata.resource_version)
    assert [writer.manager for writer in read.writers] == [entry.manager for entry in made.metadata.managed_fields] == ["official"]


def test_an_annotation_of_the_adapter_is_read_with_its_manager(api: Api, official: ApiClient, adapter: Cluster) -> None:
    core = CoreV1Api(official)
    made = core.create_namespaced_service_account(api.namespace, V1ServiceAccount(metadata=V1ObjectMeta(name="app")))
    adapter.apply_annotation(api.namespace, "app", ROLE, made.metadata.resource_version)
    read = core.read_namespaced_service_account("app", api.namespace)
    assert read.metadata.annotations == {ROLE_ANNOTATION: ROLE}
    owner = next(entry for entry in read.metadata.managed_fields if entry.manager == FIELD_MANAGER)
    assert owner.operation == "Apply"
    assert owner.fields_v1["f:metadata"]["f:annotations"] == {f"f:{ROLE_ANNOTATION}": {}}


def test_a_version_that_the_official_client_has_replaced_is_a_conflict(api: Api, official: ApiClient, adapter: Cluster) -> None:
    core = CoreV1Api(official)
    made = core.create_namespaced_service_account(api.namespace, V1ServiceAccount(metadata=V1ObjectMeta(name="app")))
    core.patch_namespaced_service_account("app", api.namespace, {"metadata": {"annotations": {ROLE_ANNOTATION: OTHER_ROLE}}})
    with pytest.raises(Conflict):
        adapter.apply_annotation(api.namespace, "app", ROLE, made.metadata.resource_version)
    assert core.read_namespaced_service_account("app", api.namespace).metadata.annotations == {ROLE_ANNOTATION: OTHER_ROLE}


def test_a_workload_and_its_restart_are_read_alike(api: Api, official: ApiClient, adapter: Cluster) -> None:
    apps, labels = AppsV1Api(official), {"app": "node"}
    template = V1PodTemplateSpec(
        metadata=V1ObjectMeta(labels=labels),
        spec=V1PodSpec(service_account_name="default", containers=[V1Container(name="node", image="node:1")], node_selector={"no": "node"}),
    )
    spec = V1DaemonSetSpec(selector=V1LabelSelector(match_labels=labels), template=template)
    apps.create_namespaced_daemon_set(api.namespace, V1DaemonSet(metadata=V1ObjectMeta(name="node"), spec=spec))
    read = adapter.workload(api.namespace, WorkloadKind.DAEMON_SET, "node")
    assert isinstance(read, WorkloadFacts)
    assert (read.kind, read.service_account) == (WorkloadKind.DAEMON_SET, "default")
    adapter.restart(api.namespace, WorkloadKind.DAEMON_SET, "node", "2026-01-02T03:04:05+00:00")
    changed = apps.read_namespaced_daemon_set("node", api.namespace)
    assert "2026-01-02T03:04:05+00:00" in changed.spec.template.metadata.annotations.values()
    assert changed.metadata.generation == 2


def test_pages_of_pods_and_a_deletion_are_seen_alike(api: Api, official: ApiClient, adapter: Cluster) -> None:
    core = CoreV1Api(official)
    spec = V1PodSpec(service_account_name="default", containers=[V1Container(name="c", image="c:1")], node_selector={"no": "node"})
    for number in range(5):
        core.create_namespaced_pod(api.namespace, V1Pod(metadata=V1ObjectMeta(name=f"pod-{number}"), spec=spec))
    listed, token = {}, None
    while token != "":
        page = core.list_namespaced_pod(api.namespace, limit=2, _continue=token)
        listed |= {pod.metadata.name: pod.metadata.uid for pod in page.items}
        token = page.metadata._continue or ""
    assert {pod.name: pod.uid for pod in adapter.pods(api.namespace, "default")} == listed
    assert adapter.delete_pod(api.namespace, "pod-0", listed["pod-0"])
    with pytest.raises(ApiException) as gone:
        core.read_namespaced_pod("pod-0", api.namespace)
    assert (gone.value.status, gone.value.reason) == (404, "Not Found")
    assert isinstance(adapter.service_account(api.namespace, "nobody"), Missing)
