"""The identity webhook over HTTPS: delayed, unavailable, or skipping pods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sandbox.cluster.embedded_cluster import EmbeddedCluster
from sandbox.cluster.resources import PODS, SERVICE_ACCOUNTS
from sandbox.webhook.identity_webhook import IdentityWebhook
from sandbox.webhook.server import WebhookServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    import trustme

ROLE_KEY = "eks.amazonaws.com/role-arn"
ROLE = "arn:aws:iam::111122223333:role/app"


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cluster(authority: trustme.CA) -> EmbeddedCluster:
    made = EmbeddedCluster("webhook", authenticate=lambda _: None, certificate=authority)
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "app", "namespace": "default"}}
    made.apply(account | {"metadata": account["metadata"] | {"annotations": {ROLE_KEY: ROLE}}}, "test")
    return made


@pytest.fixture
def webhook(cluster: EmbeddedCluster, clock: Clock, authority: trustme.CA) -> Iterator[IdentityWebhook]:
    """A webhook that the cluster asks over HTTPS."""

    def annotations_of(namespace: str, name: str) -> dict[str, str]:
        account = cluster.store.find(SERVICE_ACCOUNTS, name, namespace) or {"metadata": {}}
        return account["metadata"].get("annotations") or {}

    made = IdentityWebhook(annotations_of, monotonic=clock)
    with WebhookServer(made, authority) as server:
        cluster.apply(server.configuration(), "test")
        yield made


def _role(cluster: EmbeddedCluster, name: str) -> str | None:
    spec = {"serviceAccountName": "app", "containers": [{"name": "main", "image": "example/app:1"}]}
    pod = cluster.store.create(PODS, {"metadata": {"name": name, "namespace": "default"}, "spec": spec})
    env: list[dict[str, Any]] = pod["spec"]["containers"][0].get("env", [])
    return next((each["value"] for each in env if each["name"] == "AWS_ROLE_ARN"), None)


def _annotate(cluster: EmbeddedCluster, role: str | None) -> None:
    cluster.store.patch(SERVICE_ACCOUNTS, "app", "default", patch={"metadata": {"annotations": {ROLE_KEY: role}}})


def test_a_pod_is_given_its_role_when_it_is_created(cluster: EmbeddedCluster, webhook: IdentityWebhook) -> None:
    assert _role(cluster, "p") == ROLE


def test_a_running_pod_keeps_its_credentials(cluster: EmbeddedCluster, webhook: IdentityWebhook) -> None:
    _role(cluster, "p")
    _annotate(cluster, None)
    pod = cluster.store.get(PODS, "p", "default")
    assert {"name": "AWS_ROLE_ARN", "value": ROLE} in pod["spec"]["containers"][0]["env"]
    assert _role(cluster, "q") is None


@pytest.mark.parametrize("switch", ["outage", "drop_connections"])
def test_pods_are_admitted_unchanged_during_an_outage(cluster: EmbeddedCluster, webhook: IdentityWebhook, switch: str) -> None:
    setattr(webhook.faults, switch, True)
    assert _role(cluster, "p") is None
    setattr(webhook.faults, switch, False)
    assert _role(cluster, "q") == ROLE


def test_a_failure_policy_of_fail_refuses_the_pod(cluster: EmbeddedCluster, webhook: IdentityWebhook) -> None:
    from sandbox.cluster.errors import ApiError
    from sandbox.cluster.resources import MUTATING_WEBHOOKS

    hook = cluster.store.get(MUTATING_WEBHOOKS, "pod-identity-webhook")["webhooks"][0]
    change = {"webhooks": [hook | {"failurePolicy": "Fail"}]}
    cluster.store.patch(MUTATING_WEBHOOKS, "pod-identity-webhook", patch=change)
    webhook.faults.outage = True
    with pytest.raises(ApiError, match="failed calling webhook") as refused:
        _role(cluster, "p")
    assert refused.value.code == 500


def test_it_skips_the_configured_number_of_pods(cluster: EmbeddedCluster, webhook: IdentityWebhook) -> None:
    webhook.faults.miss_next = 2
    assert [_role(cluster, name) for name in ("a", "b", "c")] == [None, None, ROLE]


def test_a_lagging_cache_sees_the_change_later(cluster: EmbeddedCluster, webhook: IdentityWebhook, clock: Clock) -> None:
    webhook.faults.cache_lag_s = 5.0
    webhook.update_cache(cluster.store.list(SERVICE_ACCOUNTS))
    _annotate(cluster, "arn:aws:iam::111122223333:role/new")
    webhook.update_cache(cluster.store.list(SERVICE_ACCOUNTS))
    clock.now_s += 4.9
    assert _role(cluster, "early") == ROLE
    clock.now_s += 0.2
    assert _role(cluster, "late") == "arn:aws:iam::111122223333:role/new"


def test_a_lagging_cache_does_not_know_a_new_service_account(cluster: EmbeddedCluster, webhook: IdentityWebhook, clock: Clock) -> None:
    webhook.faults.cache_lag_s = 5.0
    webhook.update_cache([])
    webhook.update_cache([each for each in cluster.store.list(SERVICE_ACCOUNTS) if each["metadata"]["name"] != "app"])
    webhook.update_cache(cluster.store.list(SERVICE_ACCOUNTS))
    assert _role(cluster, "early") is None
    clock.now_s += 5.0
    assert _role(cluster, "late") == ROLE
