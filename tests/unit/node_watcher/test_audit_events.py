"""From a batch to published events: over fakes, and through the handler with moto."""

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
from lambdas.node_watcher.audit_events import BatchIgnored, BatchRead, WatcherDependencies, publish_findings
from tests.unit.node_watcher.audit_records import (
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
    """Bindings, or an error."""

    paths: tuple[str, ...] = ()
    error: Exception | None = None

    def load(self, cluster: str | None = None) -> Mapping[str, Parameter]:
        assert cluster, "a batch comes from one cluster, so only its bindings are read"
        if self.error:
            raise self.error
        return {path: Parameter(value=OUR_ROLE) for path in self.paths}


@dataclass
class Bus:
    """Stores the published events, or raises."""

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

    def publish(self, event: object) -> BatchIgnored | BatchRead:
        dependencies = WatcherDependencies(parameters=self.parameters, bus=self.bus, parse_json=orjson.loads, warn=self.warnings.append)
        return publish_findings(event, dependencies, account=ACCOUNT, our_roles=(OUR_ROLE,))


def test_a_batch_becomes_one_event_for_each_cause() -> None:
    world = World()
    lines = [kubelet_patch(f"node-{item}") for item in range(50)] + [
        registration("node-50"),
        service_account_write(),
        service_account_write("delete"),
    ]
    result = world.publish(payload(lines))
    assert [kind for kind, _ in world.bus.sent] == ["Node Not Ready", "Node Not Ready", "Identity Changed"]
    assert {detail["cluster"] for _, detail in world.bus.sent} == {"prod-blue"}
    assert isinstance(result, BatchRead)
    assert (result.events, result.parsed, result.sent) == (53, 53, 3)


def test_a_batch_without_findings_publishes_and_parses_nothing() -> None:
    world = World()
    result = world.publish(payload([kubelet_patch(ready="True", message="kubelet is posting ready status")] * 10))
    assert world.bus.sent == []
    assert isinstance(result, BatchRead)
    assert (result.events, result.parsed) == (10, 0)


def test_damaged_lines_are_counted() -> None:
    world = World()
    result = world.publish(payload([service_account_write(), '{"resource":"serviceaccounts","name":"aws-node"', "x" * 3_000_000]))
    assert isinstance(result, BatchRead)
    assert (result.malformed, result.too_long, result.sent) == (1, 1, 1)


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
def test_a_batch_from_another_source_is_ignored(head: dict[str, Any]) -> None:
    world = World()
    assert world.publish(payload([service_account_write()], **head)) == BatchIgnored(str(head.get("messageType", "DATA_MESSAGE") or ""))
    assert world.bus.sent == []


@pytest.mark.parametrize(("cluster", "seen"), [("prod-blue", True), ("_default", True), ("prod-green", False)])
def test_bindings_determine_the_watched_service_accounts(cluster: str, seen: bool) -> None:
    world = World(Parameters((binding_path(cluster, "shop", "uploader"), "/eks-irsa-remediator/settings/_default/mode")))
    world.publish(payload([service_account_write(name="uploader", namespace="shop")]))
    assert bool(world.bus.sent) is seen


@pytest.mark.parametrize("error", [TransientError("throttled"), AccessDenied("denied", denial=Denial.FORBIDDEN)])
def test_without_bindings_the_well_known_service_accounts_are_watched(error: Exception) -> None:
    world = World(Parameters(error=error))
    world.publish(payload([service_account_write()]))
    assert len(world.bus.sent) == 1
    assert "bindings could not be read" in world.warnings[0]


def test_an_invalid_binding_path_is_ignored() -> None:
    world = World(Parameters(("/eks-irsa-remediator/bindings/prod-blue/../x", "/eks-irsa-remediator/bindings/prod-blue/kube-system/*")))
    world.publish(payload([service_account_write(name="*")]))
    assert world.bus.sent == []


def test_a_rejected_event_fails_the_batch() -> None:
    world = World(bus=Bus(error=TransientError("2 were rejected")))
    with pytest.raises(TransientError):
        world.publish(payload([service_account_write()]))


def test_a_repair_by_the_remediator_publishes_nothing() -> None:
    world = World()
    world.publish(payload([service_account_write(user=role_session("EksIrsaRemediator-RemediatorRole", "run"))]))
    assert world.bus.sent == []


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The handler as Lambda loads it, with a queue as target of the bus."""
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
        handler._dependencies.cache_clear()
        queue = boto3.client("sqs", REGION).create_queue(QueueName="caught")["QueueUrl"]
        events = boto3.client("events", REGION)
        events.put_rule(Name="all", EventPattern=json.dumps({"source": ["eks-irsa-remediator"]}))
        arn = boto3.client("sqs", REGION).get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        events.put_targets(Rule="all", Targets=[{"Id": "queue", "Arn": arn}])
        yield handler, queue


def test_the_handler_reads_bindings_and_puts_events_on_the_bus(deployed: tuple[Any, str]) -> None:
    handler, queue = deployed
    boto3.client("ssm", REGION).put_parameter(Name=binding_path("prod-blue", "shop", "uploader"), Value=OUR_ROLE, Type="String")
    counts = handler.lambda_handler(payload([kubelet_patch(), service_account_write(name="uploader", namespace="shop")]), None)
    assert (counts["ignored"], counts["sent"]) == (False, 2)
    caught = boto3.client("sqs", REGION).receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    assert sorted(json.loads(item["Body"])["detail-type"] for item in caught) == ["Identity Changed", "Node Not Ready"]


def test_the_handler_raises_for_an_event_that_is_not_a_batch(deployed: tuple[Any, str]) -> None:
    with pytest.raises(MalformedEvent):
        deployed[0].lambda_handler({"key1": "value1"}, None)
