"""The template and the contract are equal in both directions."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from infra import permissions
from lambdas.contract import environment as contract_environment
from lambdas.contract.access import CUSTOMER_KEY, IAM, NETWORK, SERVICE_IAM, SIMULATION, IamGrant, Target
from lambdas.contract.environment import ALLOCATOR, VARIABLES, Function
from lambdas.contract.events import DIGEST_INPUT, MAX_EVENT_AGE_HOURS, RETRY_ATTEMPTS, SUBSCRIPTIONS, SWEEP_INPUT, SWEEP_RATE_MINUTES
from tests.infra.templates import ACCOUNT, REGION, Template, function, functions, of_type, resolved, statements

WRITES = ("Put", "Update", "Delete", "Create", "Send", "Publish", "Tag", "Attach", "Pass", "Invoke", "Checkpoint", "Assign", "Unassign")


def rules(template: Template) -> dict[str, dict[str, Any]]:
    return {name: item["Properties"] for name, item in of_type(template, "AWS::Events::Rule").items()}


def role_of(template: Template, handler: str) -> tuple[str, dict[str, Any]]:
    name = function(template, handler)["Role"]["Fn::GetAtt"][0]
    return name, template["Resources"][name]["Properties"]


def role_names(template: Template) -> list[str]:
    return [role_of(template, item.handler)[0] for item in Function]


def test_rules_and_subscriptions_are_equal(minimal: Template) -> None:
    product_metric = [f"<{role_name}.Arn>" for role_name in role_names(minimal)]
    wanted = [subscription.pattern(product_metric) for subscription in SUBSCRIPTIONS.values()]
    made = [resolved(rule["EventPattern"]) for rule in rules(minimal).values() if "EventPattern" in rule]
    assert sorted(map(repr_of, made)) == sorted(map(repr_of, wanted))


def test_only_rules_about_refused_calls_receive_read_only_calls(minimal: Template) -> None:
    made = {repr_of(resolved(rule["EventPattern"])): rule["State"] for rule in rules(minimal).values() if "EventPattern" in rule}
    arns = [f"<{role_name}.Arn>" for role_name in role_names(minimal)]
    assert made == {repr_of(item.pattern(arns)): item.state for item in SUBSCRIPTIONS.values()}
    read_only = {name for name, item in SUBSCRIPTIONS.items() if item.state == "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"}
    assert read_only == {"RefusedCalls", "RefusedCniCalls", "RefusedTokens"}


def repr_of(pattern: object) -> str:
    return json.dumps(pattern, sort_keys=True)


def scheduled(template: Template) -> dict[str, Any]:
    """Return the target of each schedule, by its expression."""
    return {rule["ScheduleExpression"]: rule["Targets"][0] for rule in rules(template).values() if "ScheduleExpression" in rule}


def test_the_only_other_rules_are_the_schedules_with_their_inputs(minimal: Template) -> None:
    made = scheduled(minimal)
    assert set(made) == {f"rate({SWEEP_RATE_MINUTES} minutes)", "cron(0 7 * * ? *)"}
    assert json.loads(made[f"rate({SWEEP_RATE_MINUTES} minutes)"]["Input"]) == SWEEP_INPUT


def test_the_digest_event_holds_the_scheduled_time(minimal: Template) -> None:
    transformer = scheduled(minimal)["cron(0 7 * * ? *)"]["InputTransformer"]
    ((name, path),) = transformer["InputPathsMap"].items()
    sent = json.loads(transformer["InputTemplate"].replace(f"<{name}>", '"2026-11-03T07:00:00Z"'))
    assert path == "$.time"
    assert sent == {**DIGEST_INPUT, "time": "2026-11-03T07:00:00Z"}


def test_the_digest_schedule_follows_the_configuration(maximal: dict[str, Template]) -> None:
    assert "cron(30 5 * * ? *)" in scheduled(maximal["EksIrsaRemediator-prod"])


def test_every_rule_targets_the_checker_and_has_a_dead_letter_queue(minimal: Template) -> None:
    checker = next(
        n for n, item in of_type(minimal, "AWS::Lambda::Function").items() if item["Properties"]["Handler"] == Function.CHECKER.handler
    )
    for name, rule in rules(minimal).items():
        (target,) = rule["Targets"]
        assert resolved(target["Arn"]) == f"<{checker}.Arn>", name
        assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": MAX_EVENT_AGE_HOURS * 3600, "MaximumRetryAttempts": RETRY_ATTEMPTS}
        queue = target["DeadLetterConfig"]["Arn"]["Fn::GetAtt"][0]
        assert may_send(minimal, queue, "events.amazonaws.com", f"<{name}.Arn>"), name


def may_send(template: Template, queue: str, service: str, source: str) -> bool:
    for policy in of_type(template, "AWS::SQS::QueuePolicy").values():
        if {"Ref": queue} in policy["Properties"]["Queues"]:
            for item in resolved(policy["Properties"]["PolicyDocument"])["Statement"]:
                if item["Effect"] == "Allow" and item["Principal"] == {"Service": service} and source in json.dumps(item["Condition"]):
                    return True
    return False


def test_every_function_has_exactly_the_variables_of_the_contract(minimal: Template, maximal: dict[str, Template]) -> None:
    for template in (minimal, *(item for name, item in maximal.items() if "-cluster-" not in name)):
        for item in functions(template):
            assert set(item["Environment"]["Variables"]) == {*VARIABLES, *ALLOCATOR}


def test_the_variables_of_a_function_parse_and_refer_to_the_stack(prod: Template) -> None:
    variables = resolved(function(prod, Function.CHECKER.handler)["Environment"]["Variables"])
    read = contract_environment.Environment.read(variables)
    remediator = function(prod, Function.REMEDIATOR.handler)
    assert (read.account, read.region, read.partition) == (ACCOUNT, REGION, "aws")
    assert read.remediator_arn == f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{remediator['FunctionName']}:live"
    assert read.our_role_arns.split(",") == [f"<{role_name}.Arn>" for role_name in role_names(prod)]
    assert read.bound_roles.split(",") == [f"arn:aws:iam::{ACCOUNT}:role/eks/*", f"arn:aws:iam::{ACCOUNT}:role/blue-vpc-cni"]
    assert (read.may_simulate, read.event_bus) == ("true", "default")
    assert template_type(prod, read.incidents_table) == "AWS::DynamoDB::Table"
    assert template_type(prod, read.chat_topic_arn) == template_type(prod, read.people_topic_arn) == "AWS::SNS::Topic"


def template_type(template: Template, reference: str) -> str:
    kind: str = template["Resources"][reference.strip("<>")]["Type"]
    return kind


def test_stacks_that_share_an_account_and_region_list_their_clusters(minimal: Template, maximal: dict[str, Template]) -> None:
    def clusters(template: Template) -> str:
        value: str = function(template, Function.CHECKER.handler)["Environment"]["Variables"]["IRSA_CLUSTERS"]
        return value

    assert clusters(maximal["EksIrsaRemediator-prod"]) == "blue,green_2,old,by-terraform"
    assert clusters(maximal["EksIrsaRemediator-prod-inner"]) == "inner"
    assert clusters(maximal["EksIrsaRemediator-prod-us"]) == clusters(minimal) == ""


def regional(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


def arns(template: Template, target: Target, function_: Function, configured: list[str], clusters: Sequence[str]) -> list[str]:
    """Return the expected ARNs of a target, written independently of `infra.arns`."""
    named = function(template, function_.handler)
    checker = function(template, Function.CHECKER.handler)["FunctionName"]
    remediator = function(template, Function.REMEDIATOR.handler)["FunctionName"]
    topics = {name[len("Topics") : -8]: f"<{name}>" for name in of_type(template, "AWS::SNS::Topic")}
    (table,) = of_type(template, "AWS::DynamoDB::Table")
    key = [f"<{item}.Arn>" for item in of_type(template, "AWS::KMS::Key")] or [topic_key(template)]
    return {
        Target.PARAMETERS: [regional("ssm", "parameter/eks-irsa-remediator"), regional("ssm", "parameter/eks-irsa-remediator/*")],
        Target.CLUSTERS: [regional("eks", "cluster/*")],
        Target.ADDONS: [regional("eks", "addon/*/*/*")],
        Target.KNOWN_ADDONS: [regional("eks", f"addon/{name}/{addon}/*") for name in clusters for addon in SERVED_ADDONS],
        Target.NAMED_CLUSTERS: [regional("eks", f"cluster/{name}") for name in clusters],
        Target.NAMED_ASSOCIATIONS: [regional("eks", f"podidentityassociation/{name}/*") for name in clusters],
        Target.NODEGROUPS: [regional("eks", "nodegroup/*/*/*")],
        Target.ASSOCIATIONS: [regional("eks", "podidentityassociation/*/*")],
        Target.BOUND_ROLES: configured or [f"arn:aws:iam::{ACCOUNT}:role/*"],
        Target.PASSABLE_ROLES: configured,
        Target.OIDC_PROVIDERS: [f"arn:aws:iam::{ACCOUNT}:oidc-provider/*"],
        Target.INCIDENTS: [f"<{table}.Arn>"],
        Target.CHECKER: [regional("lambda", f"function:{checker}")],
        Target.REMEDIATOR: [regional("lambda", f"function:{remediator}:*")],
        Target.CHAT_TOPIC: [topics["Chat"]],
        Target.PEOPLE_TOPIC: [topics["People"]],
        Target.EVENT_BUS: [regional("events", "event-bus/default")],
        Target.CHANGE_CALENDARS: [regional("ssm", "document/*")],
        Target.LOGS: [f"<{named['LoggingConfig']['LogGroup']['Ref']}.Arn>"],
        Target.DEAD_LETTERS: [f"<{named['DeadLetterConfig']['TargetArn']['Fn::GetAtt'][0]}.Arn>"],
        Target.KEY: key,
        Target.EVERYTHING: ["*"],
    }[target]


def topic_key(template: Template) -> str:
    key: str = next(iter(of_type(template, "AWS::SNS::Topic").values()))["Properties"]["KmsMasterKeyId"]
    return key


def condition(grant: IamGrant) -> str:
    return json.dumps(grant.condition or {}, sort_keys=True).replace("{region}", REGION)


def test_permissions_are_simulated_unless_the_configuration_says_no(minimal: Template, maximal: dict[str, Template]) -> None:
    for template, simulated in ((minimal, True), (maximal["EksIrsaRemediator-prod-us"], False)):
        variables = function(template, Function.CHECKER.handler)["Environment"]["Variables"]
        assert variables[contract_environment.variable("may_simulate")] == str(simulated).lower()
        assert ("iam:SimulatePrincipalPolicy" in json.dumps(template)) is simulated


def test_the_event_history_is_read_only_where_the_configuration_says_so(minimal: Template, maximal: dict[str, Template]) -> None:
    for template, is_read in ((minimal, False), (maximal["EksIrsaRemediator-prod-us"], True)):
        variables = function(template, Function.REMEDIATOR.handler)["Environment"]["Variables"]
        assert variables[contract_environment.variable("may_look_up_events")] == str(is_read).lower()
        assert ("cloudtrail:LookupEvents" in json.dumps(template)) is is_read


SERVED_ADDONS = ("vpc-cni", "aws-ebs-csi-driver", "aws-efs-csi-driver", "aws-fsx-csi-driver")


@pytest.mark.parametrize("function_", Function)
@pytest.mark.parametrize("everything", [False, True], ids=["minimal", "maximal"])
def test_each_role_has_exactly_the_grants_of_the_contract(minimal: Template, prod: Template, function_: Function, everything: bool) -> None:
    template = prod if everything else minimal
    optional = {SIMULATION, NETWORK, CUSTOMER_KEY} if everything else {SIMULATION}
    configured = [f"arn:aws:iam::{ACCOUNT}:role/eks/*", f"arn:aws:iam::{ACCOUNT}:role/blue-vpc-cni"] if everything else []
    clusters = ("blue", "green_2", "old", "by-terraform") if everything else ("*",)
    wanted = {
        ("Allow", item.action, arn, condition(item))
        for item in (*IAM, *SERVICE_IAM)
        if function_ in item.by and (item.optional is None or item.optional in optional)
        for arn in arns(template, item.on, function_, configured, clusters)
    }
    name, role = role_of(template, function_.handler)
    made = {statement for policy in role["Policies"] for statement in statements(policy["PolicyDocument"]) if statement[0] == "Allow"}
    assert made == wanted
    assert "ManagedPolicyArns" not in role
    assert not [item for item in of_type(template, "AWS::IAM::Policy").values() if {"Ref": name} in item["Properties"]["Roles"]]


def policies(template: Template) -> list[dict[str, Any]]:
    roles = (item["Properties"].get("Policies", []) for item in of_type(template, "AWS::IAM::Role").values())
    inline = [policy["PolicyDocument"] for of_role in roles for policy in of_role]
    kinds = ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy")
    return inline + [item["Properties"]["PolicyDocument"] for kind in kinds for item in of_type(template, kind).values()]


@pytest.mark.parametrize(
    ("region", "services"),
    [
        ("us-gov-west-1", "sns.us-gov-west-1.amazonaws.com"),
        ("eusc-de-east-1", ["sns.eusc-de-east-1.amazonaws.com", "sns.eusc-de-east-1.amazonaws.eu"]),
    ],
)
def test_a_key_is_used_through_the_services_of_the_partition(region: str, services: str | list[str]) -> None:
    made = permissions.statements(Function.REMEDIATOR, {target: ["*"] for target in Target}, (), region)
    conditions = [item.to_statement_json().get("Condition", {}).get("StringEquals", {}) for item in made]
    assert [item["kms:ViaService"] for item in conditions if "kms:ViaService" in item] == [services]


def test_in_a_vpc_the_code_of_a_function_may_not_change_network_interfaces(minimal: Template, prod: Template) -> None:
    for item in Function:
        _, role = role_of(prod, item.handler)
        denied = [s for policy in role["Policies"] for s in statements(policy["PolicyDocument"]) if s[0] == "Deny"]
        assert {action for _, action, _, _ in denied} == {grant.action for grant in SERVICE_IAM if grant.optional == NETWORK}
        assert {json.loads(when)["Null"]["lambda:SourceFunctionArn"] for *_, when in denied} == {"false"}
        _, outside = role_of(minimal, item.handler)
        assert not [s for policy in outside["Policies"] for s in statements(policy["PolicyDocument"]) if s[1].startswith("ec2:")]


def test_the_stack_creates_no_parameter(maximal: dict[str, Template]) -> None:
    for template in maximal.values():
        assert not of_type(template, "AWS::SSM::Parameter")
