"""The template deployed into moto: each recorded event matches its rules, and near misses match none."""

import json
from collections.abc import Iterator

import pytest
from moto import mock_aws

from lambdas.contract.environment import Environment, Function
from lambdas.contract.events import SUBSCRIPTIONS
from tests.events import INDEX, event
from tests.infra import moto_stack, templates
from tests.infra.moto_stack import STACK, Deployed, client
from tests.infra.templates import REGION, of_type

RECORDED_ROLE = "arn:aws:iam::111122223333:role/EksIrsaRemediator-RemediatorRole"
ON_THE_BUS = [
    name for name in INDEX if "detail-type" in event(name) and name not in ("sweep", "digest")
]  # other events are sent to the function directly


@pytest.fixture(scope="module")
def template() -> templates.Template:
    return templates.synthesize(None)[STACK]


@pytest.fixture(scope="module")
def stack(template: templates.Template) -> Iterator[Deployed]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": REGION}.items():
            patch.setenv(name, value)
        with mock_aws():
            yield moto_stack.deploy(template, list(SUBSCRIPTIONS))


@pytest.fixture(scope="module")
def environments(stack: Deployed, template: templates.Template) -> dict[Function, Environment]:
    """Return the parsed environment of each deployed function."""
    found = {}
    for name, item in of_type(template, "AWS::Lambda::Function").items():
        configuration = client("lambda").get_function_configuration(FunctionName=stack.resources[name])
        (function,) = (f for f in Function if f.handler == item["Properties"]["Handler"])
        found[function] = Environment.read(configuration["Environment"]["Variables"])
    return found


@pytest.mark.parametrize("name", ON_THE_BUS)
def test_an_event_matches_exactly_its_rules(stack: Deployed, environments: dict[Function, Environment], name: str) -> None:
    our_role = environments[Function.CHECKER].our_role_arns.split(",")[1]
    recorded = json.loads(json.dumps(event(name)).replace(RECORDED_ROLE, our_role))
    assert stack.put(recorded) == set(INDEX[name]["rules"])


def test_every_rule_has_a_matching_event_and_there_are_near_misses() -> None:
    assert {rule for name in ON_THE_BUS for rule in INDEX[name]["rules"]} == set(SUBSCRIPTIONS)
    missed = {name for name in ON_THE_BUS if not INDEX[name]["rules"]}
    assert {"call-update-addon-failed", "call-update-addon-by-our-role", "alarm-back-to-ok", "alarm-of-others"} <= missed


@pytest.mark.parametrize("function", Function)
def test_the_resources_in_a_functions_environment_exist(
    stack: Deployed, environments: dict[Function, Environment], function: Function
) -> None:
    environment = environments[function]
    assert (environment.region, environment.partition, environment.event_bus) == (REGION, "aws", "default")
    described = client("dynamodb").describe_table(TableName=environment.incidents_table)["Table"]
    assert described["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    topics = {topic["TopicArn"] for topic in client("sns").list_topics()["Topics"]}
    assert {environment.chat_topic_arn, environment.people_topic_arn} < topics
    roles = {role["Arn"] for role in client("iam").list_roles()["Roles"]}
    assert set(environment.our_role_arns.split(",")) <= roles
    started = environment.remediator_arn.removesuffix(":live")
    assert client("lambda").get_function(FunctionName=started)["Configuration"]["FunctionArn"] == started
    assert environment.account == started.split(":")[4]
