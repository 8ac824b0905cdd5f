"""Properties of the functions: runtime, logs, timeouts, versions and network."""

from typing import Any

from lambdas.contract.environment import Function
from lambdas.contract.settings import InvalidValue, parse_setting
from lambdas.contract.timeouts import CHECKER_TIMEOUT_S
from tests.infra.templates import ACCOUNT, Template, function, functions, of_type, resolved

A_WEEK_S = 7 * 24 * 3600


def test_each_function_of_the_contract_exists_once_with_one_asset(minimal: Template) -> None:
    made = functions(minimal)
    assert sorted(item["Handler"] for item in made) == sorted(item.handler for item in Function)
    assert len({str(item["Code"]) for item in made}) == 1
    for item in made:
        assert (item["Runtime"], item["Architectures"]) == ("python3.13", ["arm64"])
        assert item["TracingConfig"] == {"Mode": "Active"}


def test_each_function_has_its_own_role_log_and_dead_letter_queue(minimal: Template) -> None:
    made = functions(minimal)
    for own in ("Role", "LoggingConfig", "DeadLetterConfig"):
        assert len({str(item[own]) for item in made}) == len(Function)
    for item in made:
        log = minimal["Resources"][item["LoggingConfig"]["LogGroup"]["Ref"]]
        assert log["Properties"]["RetentionInDays"] == 90
        queue = minimal["Resources"][item["DeadLetterConfig"]["TargetArn"]["Fn::GetAtt"][0]]["Properties"]
        assert (queue["SqsManagedSseEnabled"], queue["MessageRetentionPeriod"]) == (True, 14 * 24 * 3600)


def test_logs_are_json_without_platform_start_lines(minimal: Template) -> None:
    for item in functions(minimal):
        log = {name: value for name, value in item["LoggingConfig"].items() if name != "LogGroup"}
        assert log == {"LogFormat": "JSON", "ApplicationLogLevel": "INFO", "SystemLogLevel": "WARN"}


def test_timeouts_fit_the_work_of_each_function(minimal: Template) -> None:
    timeouts = {item["Handler"]: item["Timeout"] for item in functions(minimal)}
    assert timeouts[Function.CHECKER.handler] == CHECKER_TIMEOUT_S
    assert timeouts[Function.REMEDIATOR.handler] >= 60  # of one invocation
    assert timeouts[Function.NODE_WATCHER.handler] >= 60  # the largest batch takes five seconds of a fourteenth of a processor


def longest(setting: str) -> int:
    """Return the largest number of seconds that a setting accepts."""
    taken, refused = 60, 10**9
    while refused - taken > 1:
        middle = (taken + refused) // 2
        try:
            parse_setting(setting, str(middle))
            taken = middle
        except InvalidValue:
            refused = middle
    return taken


def test_the_execution_timeout_exceeds_the_sum_of_all_waits(minimal: Template) -> None:
    durable = function(minimal, Function.REMEDIATOR.handler)["DurableConfig"]
    waits = longest("approval_timeout_s") + A_WEEK_S + 2 * longest("update_timeout_s") + 2 * longest("verification_timeout_s")
    assert waits < durable["ExecutionTimeout"] <= 31_622_400
    assert durable["RetentionPeriodInDays"] * 24 * 3600 > durable["ExecutionTimeout"]


def test_only_the_remediator_is_durable(minimal: Template) -> None:
    assert [item["Handler"] for item in functions(minimal) if "DurableConfig" in item] == [Function.REMEDIATOR.handler]


def test_old_versions_are_retained_for_waiting_executions(minimal: Template) -> None:
    ((name, version),) = of_type(minimal, "AWS::Lambda::Version").items()
    assert version["DeletionPolicy"] == version["UpdateReplacePolicy"] == "Retain"
    (alias,) = of_type(minimal, "AWS::Lambda::Alias").values()
    assert alias["Properties"]["FunctionVersion"] == {"Fn::GetAtt": [name, "Version"]}
    assert alias["Properties"]["Name"] == "live"


def test_a_failed_check_is_retried_twice_then_kept(minimal: Template) -> None:
    (invoke,) = of_type(minimal, "AWS::Lambda::EventInvokeConfig").values()
    checker = minimal["Resources"][invoke["Properties"]["FunctionName"]["Ref"]]["Properties"]
    assert checker["Handler"] == Function.CHECKER.handler
    assert (invoke["Properties"]["MaximumRetryAttempts"], invoke["Properties"]["MaximumEventAgeInSeconds"]) == (2, 6 * 3600)


def test_concurrency_is_reserved_only_if_configured(minimal: Template, prod: Template) -> None:
    assert not [item for item in functions(minimal) if "ReservedConcurrentExecutions" in item]
    reserved = {item["Handler"]: item["ReservedConcurrentExecutions"] for item in functions(prod) if "ReservedConcurrentExecutions" in item}
    assert reserved == {Function.CHECKER.handler: 20}


def test_functions_are_in_a_vpc_only_if_configured(minimal: Template, prod: Template) -> None:
    assert not [item for item in functions(minimal) if "VpcConfig" in item]
    for item in functions(prod):
        assert item["VpcConfig"] == {"SecurityGroupIds": ["sg-0a1b2c3d"], "SubnetIds": ["subnet-0a1b2c3d", "subnet-0a1b2c3e"]}


def test_stacks_in_one_account_and_region_have_different_physical_names(maximal: dict[str, Template]) -> None:
    def names(stack: str) -> set[str]:
        template = maximal[stack]
        topics = {item["Properties"].get("TopicName", "") for item in of_type(template, "AWS::SNS::Topic").values()} - {""}
        return topics | {item["FunctionName"] for item in functions(template) if "FunctionName" in item}

    assert names("EksIrsaRemediator-prod") == {
        "eks-irsa-remediator-prod",
        "eks-irsa-remediator_checker-prod",
        "eks-irsa-remediator-chat-prod",
    }
    assert not names("EksIrsaRemediator-prod") & names("EksIrsaRemediator-prod-inner")


def test_every_role_has_the_boundary_and_tags(maximal: dict[str, Template]) -> None:
    for role in of_type(maximal["EksIrsaRemediator-prod"], "AWS::IAM::Role").values():
        assert role["Properties"]["PermissionsBoundary"] == f"arn:aws:iam::{ACCOUNT}:policy/boundary"
        assert {"Key": "team", "Value": "platform"} in role["Properties"]["Tags"]


def test_a_customer_key_encrypts_all_stored_data(prod: Template, minimal: Template) -> None:
    key = "arn:aws:kms:eu-west-1:111122223333:key/0a1b2c3d-1111-2222-3333-444455556666"
    fields = {
        "AWS::SNS::Topic": "KmsMasterKeyId",
        "AWS::SQS::Queue": "KmsMasterKeyId",
        "AWS::Logs::LogGroup": "KmsKeyId",
    }
    for kind, field in fields.items():
        assert {item["Properties"][field] for name, item in of_type(prod, kind).items() if "Fallback" not in name} == {key}, kind
    (table,) = of_type(prod, "AWS::DynamoDB::Table").values()
    assert table["Properties"]["SSESpecification"]["KMSMasterKeyId"] == key
    assert {item["KmsKeyArn"] for item in functions(prod)} == {key}
    assert function(prod, Function.REMEDIATOR.handler)["DurableConfig"]["KMSKeyArn"] == key
    assert not [item for item in functions(minimal) if "KmsKeyArn" in item or "KMSKeyArn" in item.get("DurableConfig", {})]
    assert not of_type(prod, "AWS::KMS::Key")
    assert len(of_type(minimal, "AWS::KMS::Key")) == 1


def test_only_alarms_of_the_account_may_publish_to_people_and_fallback(minimal: Template) -> None:
    ((name, key),) = of_type(minimal, "AWS::KMS::Key").items()
    topics = {topic[len("Topics") : -8]: (f"<{topic}>", item) for topic, item in of_type(minimal, "AWS::SNS::Topic").items()}
    keys = {topic: resolved(item["Properties"].get("KmsMasterKeyId")) for topic, (_, item) in topics.items()}
    assert keys == {"Chat": f"<{name}.Arn>", "People": f"<{name}.Arn>", "Fallback": None}
    of_key = [item for item in resolved(key["Properties"]["KeyPolicy"])["Statement"] if "Service" in item["Principal"]]
    assert [(item["Principal"]["Service"], sorted(item["Action"])) for item in of_key] == [
        ("cloudwatch.amazonaws.com", ["kms:Decrypt", "kms:GenerateDataKey"])
    ]
    publishers: dict[str, list[str]] = {}
    denied: list[dict[str, Any]] = []
    for policy in of_type(minimal, "AWS::SNS::TopicPolicy").values():
        for item in resolved(policy["Properties"]["PolicyDocument"])["Statement"]:
            if item["Effect"] == "Allow":
                publishers.setdefault(item["Resource"], []).append(item["Principal"]["Service"])
                assert item["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
            else:
                denied.append(item["Condition"])
    assert publishers == {topics[topic][0]: ["cloudwatch.amazonaws.com"] for topic in ("People", "Fallback")}
    foreign = {"StringNotEquals": {"aws:PrincipalAccount": ACCOUNT}, "BoolIfExists": {"aws:PrincipalIsAWSService": "false"}}
    assert [denied.count(condition) for condition in ({"Bool": {"aws:SecureTransport": "false"}}, foreign)] == [3, 3]


def test_mail_and_https_subscribe_to_people_and_fallback(minimal: Template, prod: Template) -> None:
    topics = [name for name in of_type(prod, "AWS::SNS::Topic") if "Chat" not in name]
    assert len(topics) == 2
    made = [item["Properties"] for item in of_type(prod, "AWS::SNS::Subscription").values()]
    assert {(item["Protocol"], item["Endpoint"], item["TopicArn"]["Ref"]) for item in made} == {
        (protocol, endpoint, topic)
        for topic in topics
        for protocol, endpoint in (("email", "team@example.com"), ("https", "https://pager.example.com/v1"))
    }
    assert not of_type(minimal, "AWS::SNS::Subscription")
