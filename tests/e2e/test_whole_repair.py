"""The workflow from the first assessment to verification, with faults during the repair: it converges and restarts nothing twice."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from lambdas.adapters.cluster import Cluster
from sandbox.control_plane.api_client import ApiClient
from sandbox.control_plane.connection_proxy import ConnectionProxy
from sandbox.control_plane.control_plane import ControlPlane
from sandbox.webhook.identity_webhook import IdentityWebhook
from tests.e2e import aws_node
from tests.e2e.identities import REMEDIATOR
from tests.e2e.product import log_in
from tests.e2e.whole_repair import Repaired, repair
from tests.waiting import eventually

NODES = aws_node.names(10)
CHANGES = ["annotate-service-account", "replace-canary-pod", "restart-workload", "update-addon-role"]
ROLLED = {"restart-workload", "replace-stale-pods"}  # after an interruption the rest is replaced in waves: some pods are well already


@pytest.fixture(scope="module")
def node_names() -> tuple[str, ...]:
    return NODES


@pytest.fixture
def proxy(control_plane: ControlPlane) -> Iterator[ConnectionProxy]:
    with control_plane.connection_proxy() as standing_between:
        yield standing_between


def _proven(admin: ApiClient, repaired: Repaired) -> None:
    """Assert the end of every test: the incident is verified, every pod has the role, and at most one restart was made."""
    assert repaired.result.outcome == "verified", repaired.log.lines
    changes = list(repaired.result.changes)
    assert {"annotate-service-account", "update-addon-role"} <= set(changes)
    assert set(changes) & ROLLED
    assert changes.count("restart-workload") <= 1
    daemon = aws_node.wait_for_roll_out(admin, len(NODES))
    assert daemon["metadata"]["generation"] <= 2
    assert set(aws_node.roles(admin)) == {aws_node.ROLE}
    eventually(lambda: aws_node.ready_nodes(admin), lambda ready: ready == set(NODES))


def test_an_incident_is_repaired_and_verified(broken: ApiClient, remediator: Cluster) -> None:
    repaired = repair(remediator)
    _proven(broken, repaired)
    assert list(repaired.result.changes) == CHANGES
    (update,) = repaired.eks.updates
    assert update[2] == aws_node.ROLE


def test_a_canary_that_the_webhook_misses_is_replaced_again(broken: ApiClient, remediator: Cluster, webhook: IdentityWebhook) -> None:
    def miss() -> None:
        webhook.faults.miss_next = 1

    _proven(broken, repair(remediator, {"replace-canary-pod": miss}))


def test_a_write_between_assessment_and_annotation_is_a_conflict(broken: ApiClient, granted: ControlPlane, proxy: ConnectionProxy) -> None:
    """The patch gets a conflict, and a new assessment succeeds. The other write is kept."""

    def write() -> None:
        broken.merge(aws_node.SERVICE_ACCOUNT, {"metadata": {"labels": {"changed": "meanwhile"}}}, fieldManager="somebody")

    _proven(broken, repair(log_in(granted, REMEDIATOR, url=proxy.url), {"annotate-service-account": write}))
    asked = [
        exchange.status
        for exchange in proxy.exchanges
        if exchange.method == "PATCH" and exchange.target.startswith(aws_node.SERVICE_ACCOUNT)
    ]
    assert asked == [409, 200]
    assert broken.get(aws_node.SERVICE_ACCOUNT)["metadata"]["labels"]["changed"] == "meanwhile"


def test_a_node_joins_and_another_leaves_during_a_repair(broken: ApiClient, remediator: Cluster) -> None:
    def swap() -> None:
        broken.delete(f"/api/v1/nodes/{NODES[0]}")
        aws_node.add_nodes(broken, ["newcomer"])

    repaired = repair(remediator, {"verify": swap})
    assert repaired.result.outcome == "verified"
    eventually(lambda: aws_node.ready_nodes(broken), lambda ready: ready == {*NODES[1:], "newcomer"})
    broken.delete("/api/v1/nodes/newcomer")
    aws_node.add_nodes(broken, NODES[:1])


@pytest.mark.parametrize("moment", ["annotate-service-account", "check-canary", "restart-workload", "verify"])
def test_a_repair_survives_a_kill_of_the_api_server(
    broken: ApiClient, remediator: Cluster, control_plane: ControlPlane, moment: str
) -> None:
    def restart() -> None:
        control_plane.stop_api_server()
        coming_back.start()

    coming_back = threading.Timer(2, control_plane.start_api_server)
    repaired = repair(remediator, {moment: restart})
    coming_back.join()
    _proven(control_plane.client(), repaired)


def test_a_repair_survives_ten_seconds_without_etcd(broken: ApiClient, remediator: Cluster, control_plane: ControlPlane) -> None:
    waking: list[threading.Timer] = []
    repaired = repair(remediator, {"restart-workload": lambda: waking.append(control_plane.freeze_etcd(10))})
    waking[0].join()
    _proven(broken, repaired)


def test_a_repair_survives_an_outage_of_the_authenticator(broken: ApiClient, control_plane: ControlPlane, remediator: Cluster) -> None:
    def go() -> None:
        control_plane.stop_authenticator()
        time.sleep(11)  # the API server remembers a good login for ten seconds
        coming_back.start()

    coming_back = threading.Timer(5, control_plane.start_authenticator)
    repaired = repair(remediator, {"restart-workload": go})
    coming_back.join()
    _proven(broken, repaired)


CHANGES_ON_THE_WIRE = {
    "annotation": ("PATCH", "/serviceaccounts/aws-node$"),
    "restart": ("PATCH", "/daemonsets/aws-node$"),
    "deleted pod": ("DELETE", "/pods/"),
}


@pytest.mark.parametrize("change", CHANGES_ON_THE_WIRE.values(), ids=CHANGES_ON_THE_WIRE)
def test_a_repair_survives_a_lost_response_to_a_write(
    broken: ApiClient, granted: ControlPlane, proxy: ConnectionProxy, change: tuple[str, str]
) -> None:
    proxy.drop_response(*change)
    repaired = repair(log_in(granted, REMEDIATOR, url=proxy.url))
    assert any(not exchange.answered for exchange in proxy.exchanges)
    _proven(broken, repaired)


def test_every_fault_was_injected(broken: ApiClient, remediator: Cluster) -> None:
    """A fault whose step never came would prove nothing."""
    never: dict[str, Callable[[], object]] = {"no such step": lambda: None}
    with pytest.raises(AssertionError, match="no step was named"):
        repair(remediator, never)
