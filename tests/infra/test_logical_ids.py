"""Stateful resources keep their logical ids: CloudFormation replaces a renamed resource."""

from tests.infra.templates import Template, of_type

PINNED = {
    "AWS::DynamoDB::Table": {"Incidents169D50D8"},
    "AWS::KMS::Key": {"TopicsKey64CE8550"},
    "AWS::SNS::Topic": {"TopicsChatF780730B", "TopicsFallback8B89272F", "TopicsPeople175FAAC2"},
    "AWS::SQS::Queue": {
        "FunctionsCheckerFailures892877FB",
        "FunctionsRemediatorFailures35FF51A8",
        "FunctionsNodeWatcherFailures56EC367D",
        "IntakeUndelivered3AD39992",
    },
    "AWS::Logs::LogGroup": {"FunctionsCheckerLogBE6AFE3A", "FunctionsRemediatorLog9CD26176", "FunctionsNodeWatcherLogF5B2893C"},
    # Access entries refer to roles by ARN, so a replaced role would lose its access.
    "AWS::IAM::Role": {"FunctionsCheckerRole878A5079", "FunctionsRemediatorRoleAFAA6748", "FunctionsNodeWatcherRole8C09D3AC"},
    "AWS::Lambda::Function": {"FunctionsChecker5BBA8990", "FunctionsRemediator52F267FF", "FunctionsNodeWatcherE08F143A"},
}


def test_stateful_resources_keep_their_logical_ids(minimal: Template) -> None:
    assert {kind: set(of_type(minimal, kind)) for kind in PINNED} == PINNED


def test_the_incidents_table_is_retained_and_restorable(minimal: Template) -> None:
    (table,) = of_type(minimal, "AWS::DynamoDB::Table").values()
    assert table["DeletionPolicy"] == table["UpdateReplacePolicy"] == "Retain"
    properties = table["Properties"]
    assert properties["BillingMode"] == "PAY_PER_REQUEST"
    assert properties["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert properties["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert [item["AttributeName"] for item in properties["KeySchema"]] == ["pk", "sk"]


def test_only_the_table_and_versions_are_retained(minimal: Template) -> None:
    kept = {name for name, item in minimal["Resources"].items() if item.get("DeletionPolicy") == "Retain"}
    assert {minimal["Resources"][item]["Type"] for item in kept} == {"AWS::DynamoDB::Table", "AWS::Lambda::Version"}
