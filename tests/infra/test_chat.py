"""Chat can only approve and reject; a channel has one configuration in an account."""

from pathlib import Path
from typing import Any

from lambdas.contract.approval import ANSWERS, APPROVE, ID, LONGEST_COMMAND, PLAN, REGION
from tests.infra.templates import ACCOUNT, MAXIMAL, TEAM, TENANT, Template, app_of, of_type, one_of_type, resolved

SLACK, TEAMS = "AWS::Chatbot::SlackChannelConfiguration", "AWS::Chatbot::MicrosoftTeamsChannelConfiguration"


def test_slack_gets_the_topics_of_its_home_and_its_followers(prod: Template) -> None:
    slack = one_of_type(prod, SLACK)
    assert (slack["SlackWorkspaceId"], slack["SlackChannelId"]) == ("T07EA123LEP", "C07EZ1ABC23")
    own, follower = slack["SnsTopicArns"]
    assert prod["Resources"][own["Ref"]]["Properties"]["TopicName"] == "eks-irsa-remediator-chat-prod"
    assert resolved(follower) == f"arn:aws:sns:eu-west-1:{ACCOUNT}:eks-irsa-remediator-chat-prod-inner"


def test_topic_names_match_the_list_of_their_home(maximal: dict[str, Template]) -> None:
    for stack in ("EksIrsaRemediator-prod", "EksIrsaRemediator-prod-inner"):
        names = [item["Properties"].get("TopicName") for item in of_type(maximal[stack], "AWS::SNS::Topic").values()]
        assert stack.replace("EksIrsaRemediator", "eks-irsa-remediator-chat") in names


def test_teams_is_configured_like_slack(maximal: dict[str, Template]) -> None:
    teams = one_of_type(maximal["EksIrsaRemediator-prod-us"], TEAMS)
    assert (teams["TeamId"], teams["TeamsTenantId"], teams["TeamsChannelId"]) == (TEAM, TENANT, "19%3aabc%40thread.tacv2")
    assert len(teams["CustomizationResourceArns"]) == len(ANSWERS)


def test_each_answer_has_a_button_on_messages_with_a_callback_id(prod: Template) -> None:
    actions = [item["Properties"] for item in of_type(prod, "AWS::Chatbot::CustomAction").values()]
    assert {action["Definition"]["CommandText"] for action in actions} == {answer.command for answer in ANSWERS}
    for action in actions:
        assert len(action["Definition"]["CommandText"]) <= LONGEST_COMMAND
        (attachment,) = action["Attachments"]
        assert attachment["Criteria"] == [{"Operator": "HAS_VALUE", "VariableName": ID}]
        assert set(attachment["Variables"]) - {PLAN} == {ID, REGION}
        assert (PLAN in attachment["Variables"]) is (attachment["ButtonText"] == APPROVE.button)
        assert all(f"${name}" in action["Definition"]["CommandText"] for name in attachment["Variables"])


def test_the_channel_may_decrypt_the_state_of_a_repair_with_the_key_of_its_environment(maximal: dict[str, Template]) -> None:
    def decrypting(stack: str) -> list[dict[str, Any]]:
        policy = one_of_type(maximal[stack], "AWS::IAM::ManagedPolicy")["PolicyDocument"]
        return [item for item in resolved(policy)["Statement"] if "kms:Decrypt" in item["Action"]]

    (statement,) = decrypting("EksIrsaRemediator-prod")
    assert statement["Resource"] == MAXIMAL["environments"][0]["key"]
    assert statement["Condition"] == {"StringEquals": {"kms:ViaService": ["lambda.eu-west-1.amazonaws.com"]}}
    assert not decrypting("EksIrsaRemediator-prod-us")


def test_an_environment_without_chat_has_no_chat_resources(minimal: Template, maximal: dict[str, Template]) -> None:
    for template in (minimal, maximal["EksIrsaRemediator-prod-inner"]):
        assert not [resource for resource in template["Resources"].values() if resource["Type"].startswith("AWS::Chatbot")]


def test_the_chat_topic_is_an_output_for_an_existing_chat_configuration(minimal: Template) -> None:
    topic = minimal["Outputs"]["ChatTopicArn"]["Value"]["Ref"]
    assert minimal["Resources"][topic]["Properties"]["TopicName"] == "eks-irsa-remediator-chat"


def test_the_home_of_a_channel_is_deployed_after_its_followers(tmp_path: Path) -> None:
    from aws_cdk import Stack  # starts Node.js

    app = app_of(MAXIMAL, tmp_path)
    home, follower = (app.node.find_child(f"EksIrsaRemediator-{item}") for item in ("prod", "prod-inner"))
    assert isinstance(home, Stack)
    assert [dependency.node.id for dependency in home.dependencies] == [follower.node.id]
