"""The stack of each cluster holds its access entries, alarm and audit log subscription."""

from typing import Any

from lambdas.contract.access import GROUPS
from lambdas.contract.audit import FILTER_PATTERN, cluster_of, log_group
from lambdas.contract.environment import Function
from lambdas.contract.names import ALARM_PREFIX
from tests.infra.templates import ACCOUNT, REGION, Template, function, of_type, one_of_type, resolved


def of_cluster(maximal: dict[str, Template], name: str) -> Template:
    return maximal[f"EksIrsaRemediator-prod-cluster-{name}"]


def exported(maximal: dict[str, Template], reference: dict[str, Any]) -> str:
    """Return the value of an import in the exporting stack."""
    outputs = maximal["EksIrsaRemediator-prod"]["Outputs"].values()
    (value,) = (output["Value"] for output in outputs if output.get("Export", {}).get("Name") == reference["Fn::ImportValue"])
    found: str = resolved(value)
    return found


def test_each_cluster_with_resources_has_a_stack(maximal: dict[str, Template]) -> None:
    assert sorted(item for item in maximal if "-cluster-" in item) == [
        "EksIrsaRemediator-prod-cluster-blue",
        "EksIrsaRemediator-prod-cluster-green-2",
        "EksIrsaRemediator-prod-inner-cluster-inner",
    ]


def test_checker_and_remediator_get_entries_with_the_contracts_groups(maximal: dict[str, Template]) -> None:
    prod = maximal["EksIrsaRemediator-prod"]
    role_of = {item: f"<{function(prod, item.handler)['Role']['Fn::GetAtt'][0]}.Arn>" for item in Function}
    for cluster, spelt in (("blue", "blue"), ("green-2", "green_2")):
        entries = [item["Properties"] for item in of_type(of_cluster(maximal, cluster), "AWS::EKS::AccessEntry").values()]
        assert {entry["ClusterName"] for entry in entries} == {spelt}
        assert {entry["Type"] for entry in entries} == {"STANDARD"}
        assert {exported(maximal, entry["PrincipalArn"]): entry["KubernetesGroups"] for entry in entries} == {
            role_of[function_]: [group] for function_, group in GROUPS.items()
        }
        assert not [entry for entry in entries if "AccessPolicies" in entry]


def test_a_config_map_cluster_has_an_output_for_aws_auth_and_no_stack(maximal: dict[str, Template]) -> None:
    output = maximal["EksIrsaRemediator-prod"]["Outputs"]["AwsAuthLines"]
    assert output["Description"] == "For mapRoles of aws-auth in old"
    for function_, group in GROUPS.items():
        role = function(maximal["EksIrsaRemediator-prod"], function_.handler)["Role"]["Fn::GetAtt"][0]
        assert f"- rolearn: <{role}.Arn>\n" in resolved(output["Value"])
        assert f"groups: ['{group}']" in resolved(output["Value"])
    assert "AwsAuthLines" not in maximal["EksIrsaRemediator-prod-us"]["Outputs"]


def test_the_name_of_the_node_alarm_matches_the_rule(maximal: dict[str, Template]) -> None:
    alarm = one_of_type(of_cluster(maximal, "blue"), "AWS::CloudWatch::Alarm")
    assert alarm["AlarmName"] == f"{ALARM_PREFIX}blue"
    assert alarm["Dimensions"] == [{"Name": "ClusterName", "Value": "blue"}]
    assert (alarm["Namespace"], alarm["MetricName"]) == ("ContainerInsights", "cluster_failed_node_count")
    assert (alarm["ComparisonOperator"], alarm["Threshold"], alarm["Statistic"]) == ("GreaterThanOrEqualToThreshold", 1, "Maximum")
    # Missing data says nothing about the nodes.
    assert (alarm["Period"], alarm["EvaluationPeriods"], alarm["TreatMissingData"]) == (60, 1, "missing")
    assert "AlarmActions" not in alarm
    assert not of_type(of_cluster(maximal, "green-2"), "AWS::CloudWatch::Alarm")


def test_the_audit_log_subscription_uses_the_pattern_of_the_contract(maximal: dict[str, Template]) -> None:
    blue = of_cluster(maximal, "blue")
    subscription, permission = one_of_type(blue, "AWS::Logs::SubscriptionFilter"), one_of_type(blue, "AWS::Lambda::Permission")
    functions = of_type(maximal["EksIrsaRemediator-prod"], "AWS::Lambda::Function")
    (watcher,) = (f"<{name}.Arn>" for name, item in functions.items() if item["Properties"]["Handler"] == Function.NODE_WATCHER.handler)
    assert exported(maximal, subscription["DestinationArn"]) == exported(maximal, permission["FunctionName"]) == watcher
    assert subscription["LogGroupName"] == "/aws/eks/blue/cluster"
    assert subscription["FilterPattern"] == FILTER_PATTERN
    assert permission["Principal"] == "logs.amazonaws.com"
    assert resolved(permission["SourceArn"]) == f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/eks/blue/cluster:*"
    assert permission["SourceAccount"] == ACCOUNT
    (subscribed,), (allowed,) = (of_type(blue, kind) for kind in ("AWS::Logs::SubscriptionFilter", "AWS::Lambda::Permission"))
    # CloudWatch Logs invokes the function when it creates the filter.
    assert allowed in blue["Resources"][subscribed]["DependsOn"]


def test_the_audit_pattern_is_within_the_limit_and_balanced() -> None:
    assert len(FILTER_PATTERN) <= 1024
    for opened, closed in ("()", "{}", "[]"):
        assert FILTER_PATTERN.count(opened) == FILTER_PATTERN.count(closed)
    assert FILTER_PATTERN.count('"') % 2 == 0


def test_the_cluster_is_parsed_from_the_log_group() -> None:
    assert cluster_of(log_group("prod_1")) == "prod_1"
    assert cluster_of("/aws/eks/a/b/cluster") is cluster_of("/aws/lambda/x") is cluster_of("/aws/eks//cluster") is None
