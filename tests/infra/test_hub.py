"""The central view: who may send events, what it keeps, and how the stacks of other accounts reach it."""

import json
import re
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from cdk_nag import AwsSolutionsChecks
from cfnlint.api import lint

from cfnlint.core import ManualArgs  # isort: skip

from infra.configuration_file import parse
from infra.configuration_schema import InvalidConfiguration
from infra.hub import BUS, QUERIES, STACK
from lambdas.contract.events import OUTGOING
from lambdas.contract.names import EVENT_SOURCE
from tests.infra import templates
from tests.infra.templates import ACCOUNT, REGION, Template, app_of, of_type, one_of_type, resolved
from tests.infra.test_template_lint import ignored

HUB: dict[str, Any] = {"account": "444455556666", "region": REGION, "mail": ["ops@example.com"]}
BUS_ARN = f"arn:aws:events:{REGION}:444455556666:event-bus/{BUS}"
SCHEMA = Path(__file__).parents[2] / "docs" / "events" / "remediation.schema.json"
PATTERN = {"source": [EVENT_SOURCE], "detail-type": [str(kind) for kind in OUTGOING]}


@pytest.fixture(scope="module")
def stacks() -> dict[str, Template]:
    """Return the templates of an environment and of the central view in another account, with a bucket for the packages."""
    environment = {"account": ACCOUNT, "region": REGION, "clusters": [{"name": "blue"}], "notify": {"mail": ["a@example.com"]}}
    return templates.synthesize({"environments": [environment], "hub": HUB, "assets_bucket": "assets-${AWS::Region}"})


def test_every_stack_sends_the_events_about_incidents_and_no_others(stacks: dict[str, Template]) -> None:
    rules = [rule["Properties"] for name, rule in of_type(stacks["EksIrsaRemediator"], "AWS::Events::Rule").items() if "ToHub" in name]
    (rule,) = rules
    assert rule["EventPattern"] == PATTERN
    assert [target["Arn"] for target in rule["Targets"]] == [BUS_ARN]
    assert rule["Targets"][0]["DeadLetterConfig"]
    policies = [json.dumps(policy) for name, policy in of_type(stacks["EksIrsaRemediator"], "AWS::IAM::Policy").items() if "ToHub" in name]
    assert [policy.count("events:PutEvents") for policy in policies] == [1]
    assert "*" not in policies[0]


def test_only_the_accounts_of_the_configuration_may_send_their_own_events(stacks: dict[str, Template]) -> None:
    statement = one_of_type(stacks[STACK], "AWS::Events::EventBusPolicy")["Statement"]
    assert statement["Principal"] == {"AWS": [f"arn:aws:iam::{account}:root" for account in (ACCOUNT, "444455556666")]}
    assert statement["Action"] == "events:PutEvents"
    assert statement["Condition"] == {"StringEquals": {"events:source": EVENT_SOURCE}}


def test_an_organization_admits_its_accounts_and_no_one_else() -> None:
    made = templates.synthesize({"environments": [{"bound_roles": ["/eks/"]}], "hub": {**HUB, "organization": "o-a1b2c3d4e5"}})
    statement = one_of_type(made[STACK], "AWS::Events::EventBusPolicy")["Statement"]
    assert statement["Principal"] == "*"
    assert statement["Condition"]["StringEquals"] == {"events:source": EVENT_SOURCE, "aws:PrincipalOrgID": "o-a1b2c3d4e5"}


def test_the_central_view_keeps_the_events_and_reports_them_on_one_topic(stacks: dict[str, Template]) -> None:
    hub = stacks[STACK]
    rule = one_of_type(hub, "AWS::Events::Rule")
    assert rule["EventPattern"] == PATTERN
    topic, log = rule["Targets"]
    assert "<account> <region> <detail-cluster>" in topic["InputTransformer"]["InputTemplate"]
    assert log["Arn"].endswith(f":log-group:/aws/events/{BUS}")
    assert len(of_type(hub, "AWS::SNS::Topic")) == 1
    (group,) = of_type(hub, "AWS::Logs::LogGroup").values()
    assert (group["DeletionPolicy"], group["Properties"]["RetentionInDays"]) == ("Retain", 365)
    policy = json.dumps(resolved(one_of_type(hub, "AWS::Logs::ResourcePolicy")["PolicyDocument"]))
    assert "logs:PutLogEvents" in policy
    assert "events.amazonaws.com" in policy
    assert of_type(hub, "AWS::Lambda::Function") == {}


def test_the_dashboard_of_the_central_view_queries_its_log(stacks: dict[str, Template]) -> None:
    body = json.loads(resolved(one_of_type(stacks[STACK], "AWS::CloudWatch::Dashboard")["DashboardBody"]))
    assert [widget["properties"]["title"] for widget in body["widgets"][: len(OUTGOING)]] == [str(kind) for kind in OUTGOING]
    assert all(widget["type"] == "log" for widget in body["widgets"])
    queries = " ".join(widget["properties"]["query"] for widget in body["widgets"])
    for field in ("account", "region", "detail.cluster", "detail.incident", "detail.verdict", "detail.summary"):
        assert field in queries


def test_the_queries_of_the_central_view_are_saved_for_its_log_and_read_only_fields_of_the_events(stacks: dict[str, Template]) -> None:
    saved = [query["Properties"] for query in of_type(stacks[STACK], "AWS::Logs::QueryDefinition").values()]
    assert {query["Name"] for query in saved} == {f"eks-irsa-remediator/{name}" for name in QUERIES}
    (log,) = of_type(stacks[STACK], "AWS::Logs::LogGroup")
    assert [query["LogGroupNames"] for query in saved] == [[{"Ref": log}]] * len(QUERIES)
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    published = {f"detail.{name}" for name in schema["properties"]}
    for query in saved:
        assert set(re.findall(r"detail\.\w+", query["QueryString"])) <= published, query["Name"]
        assert query["QueryString"].count("\n| ") == query["QueryString"].count("\n"), "each line is a command of its own"


def test_packages_come_from_the_bucket_of_the_region_without_a_bootstrap(stacks: dict[str, Template]) -> None:
    for name in ("EksIrsaRemediator", "EksIrsaRemediator-cluster-blue", STACK):
        assert "BootstrapVersion" not in stacks[name].get("Parameters", {}), name
    functions = of_type(stacks["EksIrsaRemediator"], "AWS::Lambda::Function").values()
    assert {function["Properties"]["Code"]["S3Bucket"] for function in functions} == {f"assets-{REGION}"}


def test_the_templates_pass_cfn_lint_and_cdk_nag(stacks: dict[str, Template], tmp_path: Path) -> None:
    for name, template in stacks.items():
        found = lint(json.dumps(template), config=ManualArgs(regions=[REGION], ignore_checks=ignored(template)))
        assert not found, (name, [str(item) for item in found])
    app = app_of({"environments": [{"account": ACCOUNT, "region": REGION}], "hub": HUB}, tmp_path)
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    app.synth()  # raises on a finding


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ({"environments": [{}], "hub": HUB}, "hub.organization"),
        ({"hub": {"region": REGION}}, "hub.account"),
        ({"hub": {**HUB, "region": "moon"}}, "hub.region"),
        ({"hub": {**HUB, "organization": "mine"}}, "hub.organization"),
        ({"assets_bucket": "two words"}, "assets_bucket"),
    ],
    ids=["no account and no organization", "no account", "no such region", "no organization id", "no bucket"],
)
def test_a_wrong_key_is_named_with_what_is_allowed(written: dict[str, Any], key: str) -> None:
    with pytest.raises(InvalidConfiguration, match=key):
        parse(written)
