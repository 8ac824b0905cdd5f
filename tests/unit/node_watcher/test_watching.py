"""From a batch to events on the bus: over fakes, and through the handler with AWS played by moto."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import boto3
import orjson
import pytest
from moto import mock_aws

from lambdas.contract.environment import VARIABLES
from lambdas.contract.parameters import binding_path
from lambdas.domain.errors import AccessDenied, Denial, MalformedEvent, TransientError
from lambdas.domain.snapshot.bindings import Parameter
from lambdas.node_watcher.audit_events import Ports, watch
from tests.unit.node_watcher.records import (
    ACCOUNT,
    OUR_ROLE,
    kubelet_patch,
    payload,
    registration,
    role_session,
    service_account_write,
)

REGION = "eu-west-1"


@dataclass
class Parameters:
    """Holds bindings, or cannot be read."""

    paths: tuple[str, ...] = ()
    error: Exception | None = None

    def load(self, cluster: str | None = None) -> Mapping[str, Parameter]:
        assert cluster, "a batch is one cluster's, and so are the bindings that matter"
        if self.error:
            raise self.error
        return {path: Parameter(value=OUR_ROLE) for path in self.paths}


@dataclass
class Bus:
    """Keeps what was sent, or refuses it."""

    sent: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    error: Exception | None = None

    def put(self, events: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        if self.error:
            raise self.error
        self.sent.extend(events)


@dataclass
class World:
    parameters: Parameters = field(default_factory=Parameters)
    bus: Bus = field(default_factory=Bus)
    warnings: list[str] = field(default_factory=list)

    def watch(self, event: object) -> dict[str, Any]:
        ports = Ports(parameters=self.parameters, bus=self.bus, loads=orjson.loads, warn=self.warnings.append)
        return watch(event, ports, account=ACCOUNT, our_roles=(OUR_ROLE,))


def test_a_batch_becomes_one_event_for_each_cause() -> None:
    world = World()
    lines = [kubelet_patch(f"node-{item}") for item in range(50)] + [
        registration("node-50"),
        service_account_write(),
        service_account_write("delete"),
    ]
    done = world.watch(payload(lines))
    assert [kind for kind, _ in world.bus.sent] == ["Node Not Ready", "Node Not Ready", "Identity Changed"]
    assert {detail["cluster"] for _, detail in world.bus.sent} == {"prod-blue"}
    assert (done["events"], done["parsed"], done["sent"]) == (53, 53, 3)


def test_a_batch_without_news_sends_nothing_and_parses_nothing() -> None:
    world = World()
    done = world.watch(payload([kubelet_patch(ready="True", message="kubelet is posting ready status")] * 10))
    assert world.bus.sent == []
    assert (done["events"], done["parsed"]) == (10, 0)


def test_damaged_lines_are_numbers_in_the_log() -> None:
    world = World()
    done = world.watch(payload([service_account_write(), '{"resource":"serviceaccounts","name":"aws-node"', "x" * 3_000_000]))
    assert (done["malformed"], done["too_long"], done["sent"]) == (1, 1, 1)


@pytest.mark.parametrize(
    "head",
    [
        {"messageType": "CONTROL_MESSAGE"},
        {"messageType": None},
        {"owner": "999988887777"},
        {"logGroup": "/aws/lambda/other"},
        {"logGroup": "/aws/eks/prod*/cluster"},
        {"logStream": "kube-apiserver-93e24148"},
        {"logStream": "authenticator-93e24148"},
    ],
    ids=str,
)
def test_what_is_no_audit_log_of_ours_is_ignored(head: dict[str, Any]) -> None:
    world = World()
    assert world.watch(payload([service_account_write()], **head))["ignored"]
    assert world.bus.sent == []


@pytest.mark.parametrize(("cluster", "seen"), [("prod-blue", True), ("_default", True), ("prod-green", False)])
def test_the_bindings_say_what_is_watched(cluster: str, seen: bool) -> None:
    world = World(Parameters((binding_path(cluster, "shop", "uploader"), "/eks-irsa-remediator/settings/_default/mode")))
    world.watch(payload([service_account_write(name="uploader", namespace="shop")]))
    assert bool(world.bus.sent) is seen


@pytest.mark.parametrize("error", [TransientError("throttled"), AccessDenied("denied", denial=Denial.FORBIDDEN)])
def test_without_bindings_the_well_known_are_still_watched(error: Exception) -> None:
    world = World(Parameters(error=error))
    world.watch(payload([service_account_write()]))
    assert len(world.bus.sent) == 1
    assert "bindings could not be read" in world.warnings[0]


def test_a_hostile_binding_path_watches_nothing() -> None:
    world = World(Parameters(("/eks-irsa-remediator/bindings/prod-blue/../x", "/eks-irsa-remediator/bindings/prod-blue/kube-system/*")))
    world.watch(payload([service_account_write(name="*")]))
    assert world.bus.sent == []


def test_a_bus_that_refuses_fails_the_batch() -> None:
    world = World(bus=Bus(error=TransientError("2 were refused")))
    with pytest.raises(TransientError):
        world.watch(payload([service_account_write()]))


def test_our_own_repair_is_no_news() -> None:
    world = World()
    world.watch(payload([service_account_write(user=role_session("EksIrsaRemediator-RemediatorRole", "run"))]))
    assert world.bus.sent == []


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The handler as Lambda loads it, with a bus that leads to a queue."""
    for name in VARIABLES:
        monkeypatch.setenv(name, "")
    settings = {
        "IRSA_ACCOUNT": ACCOUNT,
        "IRSA_REGION": REGION,
        "IRSA_EVENT_BUS": "default",
        "IRSA_OUR_ROLE_ARNS": f"{OUR_ROLE},",
        "IRSA_PARTITION": "aws",
    }
    settings |= {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": REGION}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        from lambdas.node_watcher import handler

        handler._environment.cache_clear()
        handler._ports.cache_clear()
        queue = boto3.client("sqs", REGION).create_queue(QueueName="caught")["QueueUrl"]
        events = boto3.client("events", REGION)
        events.put_rule(Name="all", EventPattern=json.dumps({"source": ["eks-irsa-remediator"]}))
        arn = boto3.client("sqs", REGION).get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        events.put_targets(Rule="all", Targets=[{"Id": "queue", "Arn": arn}])
        yield handler, queue


def test_the_handler_reads_bindings_and_puts_events_on_the_bus(deployed: tuple[Any, str]) -> None:
    handler, queue = deployed
    boto3.client("ssm", REGION).put_parameter(Name=binding_path("prod-blue", "shop", "uploader"), Value=OUR_ROLE, Type="String")
    done = handler.lambda_handler(payload([kubelet_patch(), service_account_write(name="uploader", namespace="shop")]), None)
    assert done["sent"] == 2
    caught = boto3.client("sqs", REGION).receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    assert sorted(json.loads(item["Body"])["detail-type"] for item in caught) == ["Identity Changed", "Node Not Ready"]


def test_the_handler_fails_what_is_no_batch(deployed: tuple[Any, str]) -> None:
    with pytest.raises(MalformedEvent):
        deployed[0].lambda_handler({"key1": "value1"}, None)
