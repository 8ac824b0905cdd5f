"""Alarms on the remediator notify the people topic, and the dashboard shows the metrics of the contract."""

import json
import re
from collections.abc import Iterable
from itertools import combinations
from typing import Any

import pytest

from infra.alarms import WARM_UP_MINUTES
from infra.grafana import dashboard_text
from lambdas.contract.environment import Function
from lambdas.contract.events import SWEEP_RATE_MINUTES
from lambdas.contract.metrics import ALL, GAUGES, NOTIFICATION_FAILURES, SWEEPS, Unit
from lambdas.contract.names import ALARM_PREFIX, METRIC_NAMESPACE
from tests.infra.templates import ROOT, Template, of_type, one_of_type, resolved


def alarms(template: Template) -> dict[str, dict[str, Any]]:
    """Return alarms by their construct id."""
    found = of_type(template, "AWS::CloudWatch::Alarm")
    return {name.removeprefix("Alarms")[:-8]: item["Properties"] for name, item in found.items()}


def test_each_failure_mode_has_an_alarm(minimal: Template) -> None:
    assert set(alarms(minimal)) == {
        "CheckerThrottles",
        "Undelivered",
        "CheckerFailures",
        "RemediatorFailures",
        "NodeWatcherFailures",
        "SweepNotRunning",
        "NotificationFailures",
        "UndeliveredMessages",
    }


WATCHED: dict[str, tuple[str, str, str, int]] = {
    "CheckerThrottles": ("AWS/Lambda", "Throttles", "Sum", 10),
    "Undelivered": ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", 1),
    "CheckerFailures": ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", 1),
    "RemediatorFailures": ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", 1),
    "NodeWatcherFailures": ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", 1),
    "UndeliveredMessages": ("AWS/SNS", "NumberOfNotificationsFailed", "Sum", 1),
}
"""Construct id -> namespace, metric, statistic and threshold."""


def test_each_alarm_uses_its_metric_with_a_period_of_five_minutes(minimal: Template) -> None:
    made = alarms(minimal)
    for name, wanted in WATCHED.items():
        alarm = made[name]
        assert (alarm["Namespace"], alarm["MetricName"], alarm["Statistic"], alarm["Threshold"]) == wanted, name
        assert (alarm["ComparisonOperator"], alarm["TreatMissingData"]) == ("GreaterThanOrEqualToThreshold", "notBreaching"), name
        assert (alarm["Period"], alarm["EvaluationPeriods"]) == (300, 1), name


def test_function_alarms_use_the_metrics_of_their_function(minimal: Template) -> None:
    handlers = {name: item["Properties"]["Handler"] for name, item in of_type(minimal, "AWS::Lambda::Function").items()}

    def watched(alarm: str) -> str:
        ((dimension,),) = [alarms(minimal)[alarm]["Dimensions"]]
        return handlers[dimension["Value"]["Ref"]]

    assert watched("CheckerThrottles") == Function.CHECKER.handler


def test_every_alarm_notifies_people_and_has_a_description(minimal: Template) -> None:
    for name, item in alarms(minimal).items():
        topic = "Fallback" if name in ("NotificationFailures", "UndeliveredMessages") else "People"
        (action,), (ok_action,) = item["AlarmActions"], item["OKActions"]
        assert action == ok_action, name
        assert action["Ref"].startswith(f"Topics{topic}"), name
        assert item["AlarmDescription"], name


def test_alarms_on_the_remediator_do_not_match_the_rule_for_cluster_alarms(minimal: Template) -> None:
    # CloudFormation generates the names; they start with the stack's name.
    assert not [alarm for alarm in alarms(minimal).values() if "AlarmName" in alarm]
    assert not "EksIrsaRemediator-".startswith(ALARM_PREFIX)


def test_every_dead_letter_queue_has_an_alarm(minimal: Template) -> None:
    watched = {
        alarm["Dimensions"][0]["Value"]["Fn::GetAtt"][0] for alarm in alarms(minimal).values() if alarm.get("Namespace") == "AWS/SQS"
    }
    assert watched == set(of_type(minimal, "AWS::SQS::Queue"))


def test_missing_sweeps_raise_an_alarm_without_data_points(minimal: Template) -> None:
    sweep = alarms(minimal)["SweepNotRunning"]
    assert (sweep["Namespace"], sweep["MetricName"], sweep.get("Dimensions", [])) == (METRIC_NAMESPACE, SWEEPS.name, [])
    assert (sweep["ComparisonOperator"], sweep["Threshold"], sweep["TreatMissingData"]) == ("LessThanThreshold", 1, "breaching")
    assert sweep["EvaluationPeriods"] * sweep["Period"] == 900


def state(alarm: dict[str, Any], sweeps: Iterable[int], minute: int) -> str:
    """Return the state of the alarm on sweeps at a minute after its creation. `sweeps` are the minutes at which a sweep ended.

    An alarm looks at its last evaluation periods. During warm-up it does nothing until they all have data. Missing data are breaching.
    Sources: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-warm-up.html
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
    """
    period, periods = alarm["Period"] // 60, alarm["EvaluationPeriods"]
    ends = [minute // period * period - back * period for back in range(periods)]
    counts = [sum(end - period <= at < end for at in sweeps) for end in ends]
    if minute < alarm.get("WarmUpConfiguration", {}).get("WarmUpPeriodDurationInMinutes", 0) and not all(counts):
        return "INSUFFICIENT_DATA"
    assert (alarm["ComparisonOperator"], alarm["TreatMissingData"]) == ("LessThanThreshold", "breaching")
    return "ALARM" if all(count < alarm["Threshold"] for count in counts) else "OK"


@pytest.mark.parametrize("first", range(21))
def test_the_first_sweep_after_a_deployment_comes_before_the_alarm(minimal: Template, first: int) -> None:
    """The rule of the sweep is created some minutes after the alarm."""
    alarm = alarms(minimal)["SweepNotRunning"]
    states = {state(alarm, range(first, 24 * 60, SWEEP_RATE_MINUTES), minute) for minute in range(24 * 60)}
    assert "ALARM" not in states
    without = {name: value for name, value in alarm.items() if name != "WarmUpConfiguration"}
    assert state(without, range(first, 24 * 60, SWEEP_RATE_MINUTES), 0) == "ALARM"


def test_sweeps_that_never_start_and_sweeps_that_stop_raise_the_alarm(minimal: Template) -> None:
    alarm = alarms(minimal)["SweepNotRunning"]
    assert [state(alarm, (), minute) for minute in (15, WARM_UP_MINUTES - 1, WARM_UP_MINUTES)] == ["INSUFFICIENT_DATA"] * 2 + ["ALARM"]
    until_an_hour = range(0, 60, SWEEP_RATE_MINUTES)
    assert [state(alarm, until_an_hour, minute) for minute in (60, 74, 75)] == ["OK", "OK", "ALARM"]


def test_one_alarm_covers_all_values_of_a_dimension(minimal: Template) -> None:
    (metric,) = alarms(minimal)["NotificationFailures"]["Metrics"]
    assert metric["Expression"] == f'SELECT SUM({NOTIFICATION_FAILURES.name}) FROM SCHEMA("{METRIC_NAMESPACE}", "channel")'  # noqa: S608
    assert metric["Period"] == 300


def test_metrics_of_alarms_are_emitted_with_these_dimensions(minimal: Template) -> None:
    plain = {(alarm["MetricName"], ()) for alarm in alarms(minimal).values() if alarm.get("Namespace") == METRIC_NAMESPACE}
    assert plain | {(NOTIFICATION_FAILURES.name, ("channel",))} <= {(item.name, item.dimensions) for item in ALL}


def widgets(template: Template) -> list[dict[str, Any]]:
    body = resolved(one_of_type(template, "AWS::CloudWatch::Dashboard")["DashboardBody"])
    found: list[dict[str, Any]] = json.loads(body)["widgets"]
    return found


def drawn(template: Template) -> list[tuple[str, tuple[str, ...], str]]:
    """Return the metrics of the contract on the dashboard: name, dimensions and statistic."""
    found = []
    for widget in widgets(template):
        for line in widget["properties"].get("metrics", []):
            if line[0] == METRIC_NAMESPACE:
                found.append((line[1], (), line[-1].get("stat", "Average")))
            elif isinstance(line[0], dict) and METRIC_NAMESPACE in line[0].get("expression", ""):
                search = re.fullmatch(r"SEARCH\('\{(\w+),([\w,]+)\} MetricName=\"(\w+)\"', '(\w+)', 300\)", line[0]["expression"])
                assert search, line[0]["expression"]
                found.append((search[3], tuple(search[2].split(",")), search[4]))
    return found


def test_the_dashboard_shows_exactly_the_metrics_of_the_contract(minimal: Template) -> None:
    assert {item[:2] for item in drawn(minimal)} == {(item.name, item.dimensions) for item in ALL}
    added_up = {item.name for item in ALL if item.unit is Unit.COUNT}
    for name, _, statistic in drawn(minimal):
        assert (statistic == "Sum") == (name in added_up), name


def test_the_first_row_of_the_dashboard_has_the_states_at_the_latest_sweep_and_over_time(minimal: Template) -> None:
    latest, over_time = (widget["properties"] for widget in widgets(minimal) if widget["y"] == 0)
    assert latest["title"] == "Latest sweep: clusters broken, clusters unknown, clusters sound, incidents open"
    assert [line.strip() for line in latest["query"].split("|")[1:]] == [
        "filter ispresent(clustersBroken)",
        "fields clustersBroken, clustersUnknown, clustersSound, incidentsOpen",
        "sort @timestamp desc",
        "limit 1",
    ]
    assert over_time["view"] == "timeSeries"
    assert over_time["query"].endswith(" by bin(5m)")
    assert all(f"max({gauge.field}) as {gauge.field}" in over_time["query"] for gauge in GAUGES)


def test_the_dashboard_of_grafana_shows_the_same_panels_with_the_same_metrics(minimal: Template) -> None:
    """`python -m infra.grafana > docs/grafana.json` writes the file."""
    text = (ROOT / "docs" / "grafana.json").read_text(encoding="utf-8")
    assert text == dashboard_text()
    panels = json.loads(text)["panels"]
    states, graphs = panels[: len(GAUGES)], panels[len(GAUGES) :]
    assert [panel["title"] for panel in states] == ["Clusters broken", "Clusters unknown", "Clusters sound", "Incidents open"]
    assert [panel["targets"][0]["expression"].split(" | ")[1] for panel in states] == [f"fields {gauge.field}" for gauge in GAUGES]
    titles = [widget["properties"].get("title") for widget in widgets(minimal)]
    assert [panel["title"] for panel in graphs] == [title for title in titles if title in {panel["title"] for panel in graphs}]
    queries = [query for panel in graphs for query in panel["targets"]]
    assert all({"metricQueryType", "metricEditorMode", "region"} <= set(query) for query in queries)
    shown = {query.get("metricName") or query["expression"].split('"')[1] for query in queries}
    assert shown == {item.name for item in ALL}
    boxes = [tuple(panel["gridPos"][side] for side in "xywh") for panel in panels]
    assert not [(one, other) for one, other in combinations(boxes, 2) if overlaps(one, other)]


AWS_METRICS = {
    "AWS/Lambda": {
        "Errors",
        "Throttles",
        "Duration",
        *(f"DurableExecution{item}" for item in ("Started", "Succeeded", "Failed", "TimedOut", "Stopped")),
    },
    "AWS/SQS": {"ApproximateNumberOfMessagesVisible"},
}
"""Documented metrics of AWS, which the sandbox does not emit.

Sources: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
https://docs.aws.amazon.com/lambda/latest/dg/durable-monitoring.html
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
"""


def test_other_metrics_are_documented_by_aws(minimal: Template) -> None:
    lines = [line for widget in widgets(minimal) for line in widget["properties"].get("metrics", [])]
    others = {(line[0], line[1]) for line in lines if isinstance(line[0], str) and line[0] != METRIC_NAMESPACE}
    assert others == {(namespace, name) for namespace, names in AWS_METRICS.items() for name in names}


def test_the_dashboard_has_the_documented_structure(minimal: Template) -> None:
    # Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
    seen: list[tuple[int, int, int, int]] = []
    for widget in widgets(minimal):
        assert widget["type"] in {"text", "metric", "log"}
        box = (widget["x"], widget["y"], widget["width"], widget["height"])
        assert box[0] >= 0
        assert box[0] + box[2] <= 24
        assert not [other for other in seen if overlaps(box, other)]
        seen.append(box)
        if widget["type"] == "metric":
            assert widget["properties"]["region"]
            assert 0 < len(widget["properties"]["metrics"]) <= 500


def overlaps(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> bool:
    return one[0] < other[0] + other[2] and other[0] < one[0] + one[2] and one[1] < other[1] + other[3] and other[1] < one[1] + one[3]
