"""Where a body is not documented or has several spellings, each of them is read."""

from datetime import UTC, datetime
from typing import Any

import pytest

from lambdas.domain.errors import MalformedEvent
from lambdas.domain.requests.parser import parse
from lambdas.domain.requests.refused_call import refusal_in
from lambdas.domain.requests.request import CheckRequest, Ignored, Trigger
from lambdas.domain.untrusted_json import label, moment, texts_within
from tests.events import ACCOUNT, ARRIVED_AT, REGION, event

NOW = datetime.fromisoformat(ARRIVED_AT)
ARN = f"arn:aws:eks:{REGION}:{ACCOUNT}"
AWS_NODE = ("kube-system", "aws-node")


def _parsed(name: str, /, **detail: Any) -> Any:
    recorded = event(name)
    return parse({**recorded, "detail": {**recorded["detail"], **detail}}, account=ACCOUNT, region=REGION, now=NOW)


@pytest.mark.parametrize(
    ("detail", "cluster", "service_account"),
    [
        ({"clusterName": "a", "addonName": "vpc-cni"}, "a", AWS_NODE),
        ({"cluster_name": "a", "addon_name": "vpc-cni"}, "a", AWS_NODE),
        ({"cluster": "a", "addon": "aws-ebs-csi-driver"}, "a", ("kube-system", "ebs-csi-controller-sa")),
        ({"name": "a", "addonName": "vpc-cni"}, "a", AWS_NODE),
        ({"name": "vpc-cni"}, None, None),  # more likely the add-on's name than a cluster's
        ({"cluster": {"arn": f"{ARN}:cluster/a"}}, "a", None),
        ({"deep": [{"er": [f"the add-on '{ARN}:addon/a/vpc-cni/9ec5e0d1-1111'"]}]}, "a", AWS_NODE),
        ({"text": f"{ARN}:cluster/b, {ARN}:addon/a/vpc-cni/9ec5e0d1"}, "a", AWS_NODE),
        ({"text": f"{ARN}:nodegroup/a/workers/9ec5e0d1"}, None, None),
        ({"text": f"{ARN}:cluster/a/../b"}, None, None),
        ({"text": "arn:aws-cn:eks:cn-north-1:111122223333:cluster/a"}, None, None),
        ({"addonName": 7, "clusterName": ["a"]}, None, None),
    ],
    ids=str,
)
def test_a_native_event_may_use_any_likely_field_name(
    detail: dict[str, Any], cluster: str | None, service_account: tuple[str, str] | None
) -> None:
    asked = _parsed("addon-creation-succeeded-empty", **detail)
    assert isinstance(asked, CheckRequest)
    assert (asked.cluster, asked.service_account) == (cluster, service_account)


@pytest.mark.parametrize(
    ("identity", "who"),
    [
        ({"type": "IAMUser", "arn": "arn:aws:iam::1:user/dana"}, "arn:aws:iam::1:user/dana"),
        ({"type": "AssumedRole", "sessionContext": {"sessionIssuer": {"arn": "arn:aws:iam::1:role/x"}}}, "arn:aws:iam::1:role/x"),
        ({"type": "AWSService", "invokedBy": "eks.amazonaws.com"}, "eks.amazonaws.com"),
        ({"type": "IAMUser", "userName": "dana", "principalId": "1"}, "dana"),
        ({"type": "Root", "principalId": "1"}, "1"),
        ({}, "unknown"),
        (None, "unknown"),
        ({"arn": "x\nINJECTED"}, "x\N{REPLACEMENT CHARACTER}INJECTED"),
    ],
    ids=str,
)
def test_a_caller_has_the_most_specific_name(identity: object, who: str) -> None:
    assert _parsed("call-update-addon-by-user", userIdentity=identity).actor.who == who


@pytest.mark.parametrize(
    ("parameters", "what"),
    [
        ({}, "UpdateAddon vpc-cni without a role"),
        ({"resolveConflicts": "PRESERVE"}, "UpdateAddon vpc-cni without a role"),
        ({"resolveConflicts": "OVERWRITE"}, "UpdateAddon vpc-cni without a role, with OVERWRITE"),
        ({"serviceAccountRoleArn": ""}, "UpdateAddon vpc-cni without a role"),
        ({"serviceAccountRoleArn": "arn:x"}, "UpdateAddon vpc-cni with role arn:x"),
        ({"podIdentityAssociations": []}, "UpdateAddon vpc-cni without a role"),
        ({"podIdentityAssociations": [{}]}, "UpdateAddon vpc-cni with a pod identity association"),
        ({"addonVersion": "v1.15.1-eksbuild.1"}, "UpdateAddon vpc-cni v1.15.1-eksbuild.1 without a role"),
    ],
    ids=str,
)
def test_a_call_has_a_short_description(parameters: dict[str, Any], what: str) -> None:
    asked = _parsed("call-update-addon-by-user", requestParameters={"name": "prod-blue", "addonName": "vpc-cni", **parameters})
    assert asked.actor.what == what


def test_a_call_without_an_addon_concerns_the_whole_cluster() -> None:
    assert _parsed("call-update-addon-by-user", requestParameters={"name": "prod-blue"}).service_account is None


@pytest.mark.parametrize("parameters", [None, {}, {"name": None}, {"name": 7}, {"name": "%2e%2e%2fprod"}, {"name": "a%00"}], ids=str)
def test_a_call_that_names_no_cluster_is_refused(parameters: object) -> None:
    with pytest.raises(MalformedEvent):
        _parsed("call-update-cluster-version", requestParameters=parameters)


@pytest.mark.parametrize(
    "detail", [{"responseElements": None}, {"requestParameters": {"clusterName": "prod-blue", "name": "prod-blue"}}], ids=str
)
def test_a_pod_identity_call_names_its_service_account_in_the_request_or_in_the_response(detail: dict[str, Any]) -> None:
    assert _parsed("call-create-association", **detail).service_account == AWS_NODE


@pytest.mark.parametrize("key", ["clusterName", "cluster_name", "cluster", "name"])
def test_an_addon_event_with_a_wrong_cluster_name_is_refused_with_the_field(key: str) -> None:
    with pytest.raises(MalformedEvent, match=rf"^detail\.{key} is '\.\./x', which is no name"):
        _parsed("addon-creation-succeeded-empty", **{key: "../x"})


def test_a_person_who_names_no_cluster_reads_which_field_is_wrong() -> None:
    with pytest.raises(MalformedEvent, match=r"^cluster should name a cluster, and is of type int"):
        parse({"cluster": 7}, account=ACCOUNT, region=REGION, now=NOW)


@pytest.mark.parametrize(
    ("name", "call"), [("refused-cni-call-of-node-role", "ec2:DescribeNetworkInterfaces"), ("call-update-addon-by-user", None)]
)
def test_a_record_of_the_event_history_is_a_refusal_or_nothing(name: str, call: str | None) -> None:
    found = refusal_in(event(name)["detail"], NOW)
    assert (found.call if found else None) == call


def test_a_failed_call_changed_nothing() -> None:
    assert isinstance(_parsed("call-update-addon-by-user", errorCode={"code": 7}), Ignored)


def test_the_metrics_of_an_alarm_name_its_cluster() -> None:
    metrics = event("alarm-single-metric")["detail"]["configuration"]["metrics"] * 3
    asked = _parsed("alarm-single-metric", alarmName="eks-irsa-remediator-nodes-several", configuration={"metrics": metrics})
    assert asked.cluster == "prod-blue"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2026-09-27T21:06:47Z", "2026-09-27T21:06:47+00:00"),
        ("2026-09-27T21:06:40.989+0000", "2026-09-27T21:06:40.989000+00:00"),
        ("2026-09-27T23:06:47+02:00", "2026-09-27T21:06:47+00:00"),
        ("2026-09-27T21:06:47", "2026-09-27T21:06:47+00:00"),
        ("0001-01-01T00:00:00+14:00", None),
        ("9999-12-31T23:59:59-14:00", None),
        ("yesterday", None),
        ("", None),
        ("2026-09-27T21:06:47Z" + " " * 40, None),
        (1790543207, None),
    ],
)
def test_times_are_read_as_utc(written: object, read: str | None) -> None:
    assert moment(written) == (datetime.fromisoformat(read) if read else None)


def test_a_label_is_one_line_of_bounded_length() -> None:
    assert label("a" * 200) == "a" * 200
    assert label("a" * 201) == "a" * 199 + "…"
    assert label("a\r\n\x1b[31m\u202eb") == "a\ufffd\ufffd\ufffd[31m\ufffdb"
    assert label("\ud800") == "\ufffd"
    assert label(None) == label(["a"]) == ""


def test_a_search_ends_after_ten_thousand_values() -> None:
    assert sum(1 for _ in texts_within([str(item) for item in range(50_000)])) == 9_999


@pytest.mark.parametrize(
    ("trigger", "node", "about"),
    [
        (Trigger.NODE_ALARM, None, True),
        (Trigger.NODE_NOT_READY, None, True),
        (Trigger.PERSON, "ip-10-0-1-7.eu-west-1.compute.internal", True),
        (Trigger.PERSON, None, False),
        (Trigger.SWEEP, None, False),
        (Trigger.IDENTITY_CHANGED, None, False),
    ],
)
def test_a_request_is_about_nodes_by_its_trigger_or_by_the_node_that_it_names(trigger: Trigger, node: str | None, about: bool) -> None:
    asked = CheckRequest(trigger=trigger, occurred_at=datetime.now(UTC), event_id="e", cluster="prod-blue", node=node)
    assert asked.is_about_nodes is about
