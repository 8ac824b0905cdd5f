"""For any event on the bus, the parser quickly returns a request or a reason, or raises MalformedEvent."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lambdas.contract.events import ADDON_CALLS, ADDON_EVENTS, CLOUDTRAIL, IDENTITY_CALLS, OwnEvent
from lambdas.contract.parameters import KUBERNETES_NAME, valid_cluster
from lambdas.contract.self_test import NONCE
from lambdas.domain.errors import MalformedEvent
from lambdas.domain.requests.parser import parse
from lambdas.domain.requests.request import CheckRequest, DeliveryTest, DigestDue, Ignored, Sweep
from tests.events import ACCOUNT, ARRIVED_AT, INDEX, REGION, event

NOW = datetime.fromisoformat(ARRIVED_AT)
KINDS = [
    *(("aws.eks", item) for item in (*ADDON_EVENTS, CLOUDTRAIL)),
    ("aws.cloudwatch", "CloudWatch Alarm State Change"),
    ("aws.ssm", "Parameter Store Change"),
    ("custom", "Kubernetes Event"),
    *(("eks-irsa-remediator", str(item)) for item in OwnEvent),
]
HOSTILE_NAMES = [
    "../etc",
    "prod/*",
    "*",
    "?",
    "",
    " ",
    "a" * 101,
    "-prod",
    "prod\n",
    "prod\x00",
    "prod%2Fblue",
    "прод",
    "prod blue",
    "{cluster}",
    "a,b",
    "ｐｒｏｄ",
    "prod\u200b",
    "prod\u202e",
    "prod\r",
    "\tprod",
    "prod;id",
    "$(id)",
    "arn:aws:eks:eu-west-1:999988887777:cluster/prod",
    "b\u0301",
]


def _answer(hostile: object) -> CheckRequest | Ignored | Sweep | DigestDue | DeliveryTest | MalformedEvent:
    """The result of the parser, after the checks that apply to every result."""
    answer: CheckRequest | Ignored | Sweep | DigestDue | DeliveryTest | MalformedEvent
    try:
        answer = parse(hostile, account=ACCOUNT, region=REGION, now=NOW)
    except MalformedEvent as refused:
        answer = refused
    if isinstance(answer, Ignored | MalformedEvent):
        said = answer.reason if isinstance(answer, Ignored) else str(answer)
        assert 0 < len(said) < 1_000
        assert said.isprintable()
    elif isinstance(answer, DeliveryTest):
        assert NONCE.match(answer.nonce)
    else:
        assert answer.occurred_at <= NOW
    if isinstance(answer, CheckRequest):
        _is_safe(answer)
    return answer


def _is_safe(request: CheckRequest) -> None:
    assert request.cluster is None or valid_cluster(request.cluster)
    for name in (*(request.service_account or ()), *([request.node] if request.node else [])):
        assert KUBERNETES_NAME.match(name)
    assert len(request.event_id) <= 128
    assert request.event_id.isprintable()
    if request.actor:
        told = (request.actor.who, request.actor.what, request.actor.agent, request.actor.address)
        assert all(item.isprintable() and len(item) <= 1_000 for item in told)
    json.dumps([request.event_id, request.cluster, request.node]).encode()


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30) | st.sampled_from(HOSTILE_NAMES)
JSON = st.recursive(
    LEAVES, lambda item: st.lists(item, max_size=4) | st.dictionaries(st.text(max_size=12), item, max_size=4), max_leaves=12
)


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    """A recorded event with some values replaced, anywhere in it."""
    recorded = event(draw(st.sampled_from(sorted(INDEX))))
    for _ in range(draw(st.integers(1, 3))):
        place: Any = recorded
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(place[key], dict | list) and place[key] and draw(st.booleans()):
                place = place[key]
                continue
            place[key] = draw(JSON)
            break
    return recorded


# What the parsers look for.
KEYS = st.sampled_from(
    [
        *(
            "clusterName",
            "cluster",
            "name",
            "addonName",
            "eventName",
            "eventSource",
            "requestParameters",
            "responseElements",
            "userIdentity",
        ),
        *("errorCode", "eventTime", "state", "value", "alarmName", "configuration", "metrics", "reason", "involvedObject", "kind", "node"),
        *("nodes", "operation", "schemaVersion", "trigger", "occurredAt", "serviceAccount", "namespace", "actor", "who", "association"),
        "eventId",
    ]
)
WORDS = st.sampled_from(
    [
        *("prod-blue", "vpc-cni", "ALARM", "eks.amazonaws.com", "NodeNotReady", "Create", "1", "sweep", *ADDON_CALLS, *IDENTITY_CALLS),
        *("eks-irsa-remediator-nodes-x", "/eks-irsa-remediator/bindings/a/b/c", "9999-12-31T23:59:59+14:00", "0001-01-01T00:00:00-14:00"),
    ]
)


@st.composite
def invented(draw: st.DrawFn) -> Any:
    """An event of a subscribed kind, with a detail of the keys that the parsers read."""
    source, kind = draw(st.sampled_from(KINDS))
    detail = draw(st.dictionaries(KEYS, st.dictionaries(KEYS, WORDS | JSON, max_size=5) | WORDS | JSON, max_size=8))
    place = {"account": draw(st.just(ACCOUNT) | JSON), "region": draw(st.just(REGION) | JSON)}
    return {
        "source": source,
        "detail-type": kind,
        "time": draw(WORDS | JSON),
        "id": draw(JSON),
        "resources": draw(JSON),
        "detail": detail,
        **place,
    }


BOUNDED = settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
LONG = settings(BOUNDED, max_examples=10_000, derandomize=False)
"""`tests.chaos.fuzzing` puts a hundred thousand cases to the same parser, less cleverly."""


@BOUNDED
@given(JSON | mutated() | invented())
def test_no_event_makes_the_parser_fail(hostile: object) -> None:
    _answer(hostile)


@pytest.mark.long
@pytest.mark.timeout(3_600)
@LONG
@given(JSON | mutated() | invented())
def test_no_event_makes_the_parser_fail_at_length(hostile: object) -> None:
    _answer(hostile)


NAMING: dict[str, Callable[[dict[str, Any], str], None]] = {
    "addon-update-succeeded": lambda item, name: item["detail"].update(clusterName=name),
    "call-update-addon-by-user": lambda item, name: item["detail"]["requestParameters"].update(name=name),
    "alarm-composite": lambda item, name: item["detail"].update(alarmName="eks-irsa-remediator-nodes-" + name),
    "kubernetes-event-exported": lambda item, name: item["detail"].update(clusterName=name),
    "node-not-ready": lambda item, name: item["detail"].update(cluster=name),
    "check-requested-by-person": lambda item, name: item["detail"].update(cluster=name),
    "parameter-binding-created": lambda item, name: item["detail"].update(
        name=f"/eks-irsa-remediator/bindings/{name}/kube-system/aws-node"
    ),
    "parameter-setting-updated": lambda item, name: item["detail"].update(name=f"/eks-irsa-remediator/settings/{name}/mode"),
    "person-one-service-account": lambda item, name: item.update(cluster=name),
}


@pytest.mark.parametrize("hostile", HOSTILE_NAMES, ids=ascii)
@pytest.mark.parametrize("name", NAMING)
def test_no_hostile_cluster_name_becomes_a_request(name: str, hostile: str) -> None:
    recorded = event(name)
    NAMING[name](recorded, hostile)
    answer = _answer(recorded)
    if isinstance(answer, CheckRequest):  # a native event falls back on its ARN where the name is empty
        assert (name, hostile, answer.cluster) == ("addon-update-succeeded", "", "prod-blue")


@pytest.mark.parametrize(
    ("cluster", "sound"), [("a", True), ("a" * 100, True), ("a" * 101, False), ("0-_", True), ("_a", False), ("a.b", False)]
)
def test_cluster_names_end_where_eks_ends_them(cluster: str, sound: bool) -> None:
    recorded = event("node-not-ready")
    recorded["detail"]["cluster"] = cluster
    assert isinstance(_answer(recorded), CheckRequest) is sound


ONE_OF_EACH_KIND = [
    *("addon-update-succeeded", "call-update-addon-by-role", "call-delete-association", "alarm-single-metric", "kubernetes-event-exported"),
    *("node-not-ready", "identity-changed", "check-requested-by-person", "parameter-binding-created", "person-one-service-account"),
]


@pytest.fixture(scope="module")
def abyss() -> object:
    """Lists and objects within each other, far deeper than Python's stack."""
    value: object = "arn:aws:eks:eu-west-1:111122223333:cluster/prod-blue"
    for level in range(20_000):
        value = {"a": value} if level % 2 else [value]
    return value


@pytest.mark.parametrize("name", ONE_OF_EACH_KIND)
def test_a_deep_event_is_rejected_quickly(name: str, abyss: object) -> None:
    recorded = event(name)
    for key in recorded:
        _answer({**recorded, key: abyss})
    detail = recorded.get("detail", {})
    for key in detail:
        _answer({**recorded, "detail": {**detail, key: abyss}})
        if isinstance(detail[key], dict):
            for inner in detail[key]:
                _answer({**recorded, "detail": {**detail, key: {**detail[key], inner: abyss}}})


@pytest.mark.parametrize("name", ONE_OF_EACH_KIND)
@pytest.mark.parametrize("filler", ["a", "%", "arn:aws:eks:eu-west-1:111122223333:cluster/a", "\x00", "😀"], ids=ascii)
def test_a_megabyte_of_text_is_read_quickly(name: str, filler: str) -> None:
    megabyte = filler * (1_000_000 // len(filler))
    recorded = event(name)
    began = time.process_time()
    for key in recorded:
        _answer({**recorded, key: megabyte})
    detail = recorded.get("detail", {})
    for key in detail:
        _answer({**recorded, "detail": {**detail, key: megabyte}})
        if isinstance(detail[key], dict):
            for inner in detail[key]:
                _answer({**recorded, "detail": {**detail, key: {**detail[key], inner: megabyte}}})
    assert time.process_time() - began < 2


ODD_VALUES: dict[str, object] = {
    "NaN": float("nan"),
    "infinity": float("-inf"),
    "4,000 digits": 10**4_000,
    "a negative integer": -(2**63) - 1,
    "true": True,
    "a list of lists": [[[]]],
    "an object with an empty key": {"": {"": None}},
    "256 KB of combining marks": "a" + "\u0301" * 131_072,
    "256 KB of right-to-left marks": "\u202e" * 87_382,
    "256 KB of underscores": "a" + "_" * 262_144 + "a",
    "256 KB of short labels": "a." * 131_072 + "a@",
}


@pytest.mark.parametrize("name", ONE_OF_EACH_KIND)
@pytest.mark.parametrize("value", ODD_VALUES.values(), ids=ODD_VALUES)
def test_an_odd_value_at_any_place_is_read_quickly(name: str, value: object) -> None:
    recorded = event(name)
    began = time.process_time()
    for key in recorded:
        _answer({**recorded, key: value})
    detail = recorded.get("detail", {})
    for key in detail:
        _answer({**recorded, "detail": {**detail, key: value}})
        if isinstance(detail[key], dict):
            for inner in detail[key]:
                _answer({**recorded, "detail": {**detail, key: {**detail[key], inner: value}}})
    assert time.process_time() - began < 2


def test_a_wide_body_is_not_read_completely() -> None:
    recorded = event("addon-update-failed-cluster-only")
    recorded["resources"] = [{"n": item} for item in range(300_000)]
    began = time.process_time()
    _answer(recorded)
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize("name", [item for item, row in INDEX.items() if "request" in row and "detail-type" in event(item)])
@pytest.mark.parametrize(("field", "value"), [("account", "999988887777"), ("region", "us-east-1"), ("account", None), ("region", 7)])
def test_an_event_of_another_account_or_region_is_ignored(name: str, field: str, value: object) -> None:
    assert isinstance(_answer({**event(name), field: value}), Ignored)


def test_an_arn_of_another_account_names_no_cluster() -> None:
    recorded = event("addon-update-failed-cluster-only")
    recorded["resources"] = ["arn:aws:eks:eu-west-1:999988887777:cluster/prod-blue"]
    answer = _answer(recorded)
    assert isinstance(answer, CheckRequest)
    assert answer.cluster is None


def test_an_arn_with_a_glob_names_no_cluster() -> None:
    recorded = event("addon-update-failed-cluster-only")
    recorded["resources"] = ["arn:aws:eks:eu-west-1:111122223333:cluster/prod*"]
    answer = _answer(recorded)
    assert isinstance(answer, CheckRequest)
    assert answer.cluster is None


@pytest.mark.parametrize("name", [item for item, row in INDEX.items() if "request" in row])
def test_an_event_time_is_at_most_the_time_of_arrival(name: str) -> None:
    early = datetime(2026, 1, 1, tzinfo=UTC)
    answer = parse(event(name), account=ACCOUNT, region=REGION, now=early)
    assert isinstance(answer, CheckRequest)
    assert answer.occurred_at == early
