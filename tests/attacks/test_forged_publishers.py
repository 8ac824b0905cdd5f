"""Send forged events, messages or approvals from outside the deployment.

The attacker controls a principal of another account that a policy was widened for, or a role of this account with events:PutEvents.
"""

import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.attacks.threat import Threat
from tests.infra.templates import ACCOUNT, Template, app_of, of_type, one_of_type, resolved

THREAT = Threat(
    name="forged publishers",
    actor="principal of another account or role",
    controls="`sns:Publish`, `events:PutEvents` or the chat service",
    attempt="publish messages or events in the name of the remediator, or use the channel's role for another account",
    prevention="topics deny foreign accounts, an optional bus policy keeps the source to named roles, the channel's trust "
    "names the account",
    proof=(
        "test_a_principal_of_another_account_cannot_publish_to_any_topic",
        "test_with_a_bus_policy_only_the_functions_and_named_roles_send_our_events",
    ),
    residual="principals of the account with `sns:Publish` on the topics",
)


def assert_closed_to_others(template: Template) -> None:
    """Each topic denies other accounts, and lets no principal publish but an AWS service for this account."""
    topics = {f"<{name}>" for name in of_type(template, "AWS::SNS::Topic")}
    closed = set()
    for policy in of_type(template, "AWS::SNS::TopicPolicy").values():
        for statement in resolved(policy["Properties"]["PolicyDocument"])["Statement"]:
            if statement["Effect"] == "Deny" and statement["Condition"].get("StringNotEquals") == {"aws:PrincipalAccount": ACCOUNT}:
                assert (statement["Principal"], statement["Action"]) == ({"AWS": "*"}, "sns:Publish")
                closed.add(statement["Resource"])
            elif statement["Effect"] == "Allow":
                assert list(statement["Principal"]) == ["Service"]
                assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": ACCOUNT}
    assert topics
    assert closed == topics


def test_a_principal_of_another_account_cannot_publish_to_any_topic(minimal: Template, maximal: dict[str, Template]) -> None:
    for template in (*maximal.values(), minimal):
        if of_type(template, "AWS::SNS::Topic"):
            assert_closed_to_others(template)


def test_the_chat_service_cannot_assume_the_channel_role_for_another_account(prod: Template) -> None:
    (role,) = [item for name, item in of_type(prod, "AWS::IAM::Role").items() if "ChannelRole" in name]
    (statement,) = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Condition"] == {"StringEqualsIfExists": {"aws:SourceAccount": ACCOUNT}}


def test_with_a_bus_policy_only_the_functions_and_named_roles_send_our_events(prod: Template) -> None:
    statement = resolved(one_of_type(prod, "AWS::Events::EventBusPolicy")["Statement"])
    assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "events:PutEvents")
    assert statement["Resource"].endswith(":event-bus/default")
    assert statement["Condition"]["StringEquals"] == {"events:source": "eks-irsa-remediator"}
    allowed = statement["Condition"]["ArnNotEquals"]["aws:PrincipalArn"]
    assert f"arn:aws:iam::{ACCOUNT}:role/pipeline" in allowed
    assert len(allowed) == 4


def test_without_the_key_there_is_no_bus_policy(minimal: Template) -> None:
    assert not of_type(minimal, "AWS::Events::EventBusPolicy")


NOTIFY: dict[str, tuple[dict[str, Any], str]] = {
    "none": ({}, "No one receives notifications or alarms"),
    "chat only": ({"slack": {"workspace": "T07EA123LEP", "channel": "C07EZ1ABC23"}}, "No one receives alarms"),
    "mail": ({"mail": ["team@example.com"]}, ""),
}


@pytest.mark.synthesis
@pytest.mark.parametrize(("notify", "warning"), NOTIFY.values(), ids=NOTIFY)
def test_a_stack_without_subscribers_warns_at_synthesis(notify: dict[str, Any], warning: str) -> None:
    from aws_cdk.assertions import Annotations, Match  # starts Node.js

    with tempfile.TemporaryDirectory() as folder:
        app = app_of({"environments": [{"account": ACCOUNT, "region": "eu-west-1", "notify": notify}]}, Path(folder))
        stack: Any = app.node.find_child("EksIrsaRemediator")
        found = Annotations.from_stack(stack).find_warning("*", Match.string_like_regexp("No one receives"))
    assert len(found) == bool(warning)
    assert all(warning in str(entry.entry.data) for entry in found)
