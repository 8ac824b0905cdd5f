"""Published events fit their JSON Schema, and our own events parse to the request that they were made from."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker

from lambdas.contract.events import INCOMING, OUTGOING, OwnEvent
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.domain.requests.parser import parse
from lambdas.domain.requests.request import Actor, CheckRequest, Ignored, Trigger
from lambdas.notifications.published_events import PublishedEvent, check_requested, identity_changed, node_not_ready, remediation
from sandbox.simulation.scenario import TrustPolicyKind, World
from tests.events import ACCOUNT, INDEX, REGION, event
from tests.over_fakes.events import check_requested as check_asked
from tests.over_fakes.scenario_run import ScenarioRun
from tests.over_fakes.scenario_world import world_of

SCHEMAS = Path(__file__).parents[3] / "docs" / "events"
FILES = {
    OwnEvent.CHECK_REQUESTED: "check-requested",
    OwnEvent.NODE_NOT_READY: "node-not-ready",
    OwnEvent.IDENTITY_CHANGED: "identity-changed",
    OwnEvent.DELIVERY_TEST: "delivery-test",
    **dict.fromkeys(OUTGOING, "remediation"),
}
AT = datetime(2026, 9, 27, 21, 6, 40, 355378, tzinfo=UTC)
TARGET = ServiceAccountRef("prod-blue", "kube-system", "aws-node")
ACTOR = Actor(who="kubernetes-admin", what="patch of DaemonSet kube-system/aws-node", agent="kubectl/v1.33.1", at=AT, address="203.0.113.7")


@cache
def _validator(kind: str) -> Draft202012Validator:
    schema = json.loads((SCHEMAS / f"{FILES[OwnEvent(kind)]}.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema, format_checker=FormatChecker())


def _received(sent: PublishedEvent, at: datetime = AT) -> Any:
    kind, detail = sent
    on_the_bus = json.loads(json.dumps(detail))  # as PutEvents takes it and EventBridge gives it
    _validator(kind).validate(on_the_bus)
    envelope = {"version": "0", "id": "e1", "detail-type": kind, "source": "eks-irsa-remediator", "account": ACCOUNT, "region": REGION}
    read = parse({**envelope, "time": at.isoformat(), "resources": [], "detail": on_the_bus}, account=ACCOUNT, region=REGION, now=at)
    if isinstance(read, CheckRequest):
        assert read.may_be_forged
        return replace(read, may_be_forged=False)
    return read


def _told(kind: OwnEvent, **more: Any) -> PublishedEvent:
    told = {"incident": "7f3a", "verdict": "annotation-missing", "severity": "critical", "summary": "Repairing.", "opened_at": AT, "at": AT}
    return remediation(kind, TARGET, **(told | more))


def test_every_kind_has_a_schema() -> None:
    assert set(FILES) == {*INCOMING, *OUTGOING}


@pytest.mark.parametrize("kind", OUTGOING)
def test_a_published_event_fits_its_schema_and_starts_no_check(kind: OwnEvent) -> None:
    sent = _told(kind, changes=["the annotation was set"], next_steps=["add the role in Terraform"], runbook="https://example.com/runbook")
    assert isinstance(_received(sent), Ignored)


def test_another_kind_of_event_is_refused() -> None:
    with pytest.raises(ValueError, match="does not describe an incident"):
        _told(OwnEvent.SWEEP)


def test_a_published_event_is_within_the_size_limit_of_the_bus() -> None:
    _, detail = _told(OwnEvent.NEEDS_ACTION, summary="x" * 10_000, changes=["😀" * 5_000] * 500, next_steps=["😀" * 5_000] * 500)
    assert len(json.dumps(detail, ensure_ascii=False).encode()) < 256 * 1024
    _validator(OwnEvent.NEEDS_ACTION).validate(detail)


def test_published_times_are_utc() -> None:
    _, detail = _told(OwnEvent.STARTED, at=AT.astimezone(timezone(timedelta(hours=5, minutes=30))))
    assert detail["occurredAt"] == "2026-09-27T21:06:40.355378Z"


def test_unready_nodes_are_read_back() -> None:
    nodes = [f"ip-10-0-0-{item}.ec2.internal" for item in range(30)]
    sent = node_not_ready("prod-blue", cause="registered", nodes=nodes, count=30, since=AT - timedelta(seconds=50), occurred_at=AT)
    assert (sent[1]["count"], len(sent[1]["nodes"])) == (30, 10)
    assert _received(sent) == CheckRequest(
        trigger=Trigger.NODE_NOT_READY, occurred_at=AT, event_id="e1", cluster="prod-blue", node="ip-10-0-0-0.ec2.internal"
    )


def test_a_changed_identity_is_read_back_with_its_writer() -> None:
    assert _received(identity_changed(TARGET, actor=ACTOR, changes=2, occurred_at=AT)) == CheckRequest(
        trigger=Trigger.IDENTITY_CHANGED,
        occurred_at=AT,
        event_id="e1",
        cluster="prod-blue",
        service_account=("kube-system", "aws-node"),
        actor=ACTOR,
    )


def test_one_request_fans_out_to_a_cluster_and_keeps_its_cause() -> None:
    all_clusters = CheckRequest(
        trigger=Trigger.PARAMETER_CHANGED, occurred_at=AT, event_id="p1", service_account=("kube-system", "aws-node")
    )
    read = _received(check_requested(all_clusters, "prod-blue"), at=AT + timedelta(minutes=1))
    assert read == CheckRequest(
        trigger=Trigger.PARAMETER_CHANGED,
        occurred_at=AT,
        event_id="p1",
        cluster="prod-blue",
        service_account=("kube-system", "aws-node"),
    )


NAMES = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True)
WORDS = st.text(st.characters(categories=["L", "N", "P", "Zs"]), min_size=1, max_size=50).filter(str.isprintable)
ACTORS = st.builds(Actor, who=WORDS, what=WORDS, agent=st.just("") | WORDS, at=st.none() | st.just(AT), address=st.just("") | WORDS)
REQUESTS = st.builds(
    CheckRequest,
    trigger=st.sampled_from(Trigger),
    occurred_at=st.datetimes(datetime(2020, 1, 1), datetime(2026, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - hypothesis adds the zone
    event_id=st.from_regex(r"[0-9a-f-]{1,36}", fullmatch=True),
    cluster=st.none() | NAMES,
    service_account=st.none() | st.tuples(NAMES, NAMES),
    node=st.none() | NAMES,
    actor=st.none() | ACTORS,
)


@given(REQUESTS)
def test_a_request_is_unchanged_by_the_bus(request: CheckRequest) -> None:
    assert _received(check_requested(request)) == request


@pytest.mark.parametrize("name", [item for item, row in INDEX.items() if "docs/events" in row["source"] and "malformed" not in row])
def test_recorded_own_events_fit_their_schema(name: str) -> None:
    recorded = event(name)
    _validator(recorded["detail-type"]).validate(recorded["detail"])


@pytest.mark.parametrize(
    ("world", "kinds"),
    [
        ({"annotation": None}, [OwnEvent.STARTED, OwnEvent.VERIFIED]),
        ({"annotation": None, "trust": TrustPolicyKind.OTHER_ISSUER}, [OwnEvent.NEEDS_ACTION]),
        ({"annotation": None, "settings": {"mode": "observe"}}, [OwnEvent.BLOCKED]),
    ],
    ids=["repaired", "for a person", "blocked"],
)
def test_the_events_of_an_incident_fit_their_schema(world: dict[str, Any], kinds: list[OwnEvent]) -> None:
    play = ScenarioRun(world_of(World(nodes=3, **world)))
    play.deliver(check_asked(play.world.now))
    assert [kind for kind, _ in play.bus.sent] == kinds
    for kind, detail in play.bus.sent:
        _validator(kind).validate(json.loads(json.dumps(detail)))
    assert len({detail["incident"] for _, detail in play.bus.sent}) == 1


SHOWN = dict(
    re.findall(r"^### `([^`]+)`\n\n```json\n(.*?)```", (SCHEMAS / "README.md").read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
)


def test_the_documentation_has_an_example_of_each_event() -> None:
    assert set(SHOWN) == set(FILES)


@pytest.mark.parametrize("kind", SHOWN)
def test_the_examples_of_the_documentation_fit_their_schema(kind: str) -> None:
    shown = json.loads(SHOWN[kind])
    _validator(kind).validate(shown)
    assert set(shown) <= set(_validator(kind).schema["properties"])


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("node-not-ready", "cluster", "../prod"),
        ("node-not-ready", "nodes", ["a"] * 11),
        ("identity-changed", "serviceAccount", {"namespace": "kube-system"}),
        ("check-requested-by-sweep", "trigger", "curiosity"),
        ("remediation-verified", "severity", "fatal"),
        ("remediation-verified", "schemaVersion", "2"),
    ],
)
def test_the_schemas_refuse_invalid_events(name: str, field: str, value: object) -> None:
    recorded = event(name)
    assert not _validator(recorded["detail-type"]).is_valid({**recorded["detail"], field: value})
