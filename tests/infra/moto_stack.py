"""Deploys a synthesized template into moto, without the resources that moto does not support."""

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import boto3

from tests.infra.templates import REGION, Template, of_type

STACK = "EksIrsaRemediator"

UNKNOWN_TO_MOTO = (
    "AWS::CloudWatch::Alarm",
    "AWS::Lambda::Alias",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Lambda::Version",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::QueuePolicy",
)


@dataclass(frozen=True)
class Deployed:
    """A stack in moto. Each rule has its own queue as target: rule name in the contract -> queue URL."""

    resources: Mapping[str, str]
    queues: Mapping[str, str]

    def put(self, event: Mapping[str, Any]) -> set[str]:
        """Put an event on the default bus and return the rules that match it."""
        entry = {
            "Source": event["source"],
            "DetailType": event["detail-type"],
            "Detail": json.dumps(event["detail"]),
            "Resources": event.get("resources", []),
        }
        answer = client("events").put_events(Entries=[entry])
        assert answer["FailedEntryCount"] == 0, answer
        return {rule for rule, url in self.queues.items() if self._arrived(url, event["detail"])}

    def _arrived(self, url: str, detail: object) -> bool:
        messages = client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        for message in messages:
            client("sqs").delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            assert json.loads(message["Body"])["detail"] == detail
        return bool(messages)


def client(service: str) -> Any:
    """Return a client of moto in this process."""
    return boto3.client(service, region_name=REGION)


def deploy(template: Template, rules: Sequence[str]) -> Deployed:
    """Create the stack, then replace the checker behind each rule with a queue.

    `rules` are the names of the contract's subscriptions, which the logical ids of the rules contain.
    """
    client("cloudformation").create_stack(
        StackName=STACK, TemplateBody=json.dumps(acceptable(template)), Capabilities=["CAPABILITY_NAMED_IAM"]
    )
    described = client("cloudformation").describe_stack_resources(StackName=STACK)["StackResources"]
    resources = {item["LogicalResourceId"]: item["PhysicalResourceId"] for item in described if "PhysicalResourceId" in item}
    for schedule in ("Sweep", "Digest"):  # in moto a rule with a schedule and no pattern matches every event
        _without_targets(schedule, template, resources)
    return Deployed(resources, {rule: _queue_behind(rule, template, resources) for rule in rules})


def acceptable(template: Template) -> Template:
    """Return the template for moto: with inline code and without the bootstrap check and unsupported resources."""
    changed = copy.deepcopy(dict(template))
    del changed["Parameters"], changed["Rules"]
    for item in of_type(changed, "AWS::Lambda::Function").values():
        item["Properties"]["Code"] = {"ZipFile": "def lambda_handler(event, context): ..."}
    changed["Resources"] = {name: item for name, item in changed["Resources"].items() if item["Type"] not in UNKNOWN_TO_MOTO}
    return changed


def _queue_behind(rule: str, template: Template, resources: Mapping[str, str]) -> str:
    url: str = client("sqs").create_queue(QueueName=f"behind-{rule}")["QueueUrl"]
    arn = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    name = _without_targets(rule, template, resources)
    client("events").put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
    return url


def _without_targets(rule: str, template: Template, resources: Mapping[str, str]) -> str:
    (logical_id,) = (item for item in of_type(template, "AWS::Events::Rule") if item[:-8] == f"Intake{rule}")
    name = resources[logical_id].rpartition("/")[2]
    targets = client("events").list_targets_by_rule(Rule=name)["Targets"]
    assert targets, rule
    client("events").remove_targets(Rule=name, Ids=[target["Id"] for target in targets])
    return name
