"""Every recorded event gives the result of the index, and matches exactly the rules of the index."""

import json
import re
from datetime import datetime
from pathlib import Path

import pytest
import yaml
from moto.events.models import EventPattern

from lambdas.contract.events import ADDON_CALLS, ADDON_EVENTS, CLOUDTRAIL, IDENTITY_CALLS, INCOMING, SUBSCRIPTIONS
from lambdas.contract.names import ALARM_PREFIX
from lambdas.domain.errors import MalformedEvent
from lambdas.domain.requests.parser import parse
from lambdas.domain.requests.request import CheckRequest, DeliveryTest, DigestDue, Ignored, Sweep, Trigger
from tests.events import ACCOUNT, ARRIVED_AT, HERE, INDEX, REGION, event
from tests.unit.notifications.test_golden import assert_golden

OUR_ROLES = (f"arn:aws:iam::{ACCOUNT}:role/EksIrsaRemediator-CheckerRole", f"arn:aws:iam::{ACCOUNT}:role/EksIrsaRemediator-RemediatorRole")
NOW = datetime.fromisoformat(ARRIVED_AT)
ROOT = Path(__file__).parents[3]


def _parsed(name: str) -> CheckRequest | Ignored | Sweep | DigestDue | DeliveryTest:
    return parse(event(name), account=ACCOUNT, region=REGION, now=NOW)


def _rows(outcome: str) -> list[str]:
    return [name for name, row in INDEX.items() if outcome in row]


def test_the_index_names_every_file_and_no_other() -> None:
    assert {path.stem for path in HERE.glob("*.json")} == set(INDEX)


@pytest.mark.parametrize("name", INDEX)
def test_every_recorded_event_has_a_source_and_one_result(name: str) -> None:
    assert INDEX[name]["source"]
    assert len({"request", "ignored", "malformed", "sweep", "digest", "delivery_test"} & set(INDEX[name])) == 1


@pytest.mark.parametrize("name", _rows("request"))
def test_an_event_becomes_a_request(name: str) -> None:
    asked, expected = _parsed(name), INDEX[name]["request"]
    assert isinstance(asked, CheckRequest)
    assert asked.trigger == expected["trigger"]
    assert asked.occurred_at == datetime.fromisoformat(expected["at"])
    assert asked.cluster == expected["cluster"]
    assert asked.service_account == (tuple(expected["service_account"]) if "service_account" in expected else None)
    assert asked.node == expected.get("node")
    assert (asked.actor.who, asked.actor.what) == (expected["who"], expected["what"]) if "who" in expected else asked.actor is None


def test_each_recorded_event_is_read_as_reviewed() -> None:
    """Every field of the result, or the error. After a wanted change: `UPDATE_GOLDEN=1`."""
    assert_golden(Path(__file__).parent / "golden" / "recorded-events.txt", "".join(f"{name}: {_reading(name)}\n" for name in INDEX))


def _reading(name: str) -> str:
    try:
        return repr(_parsed(name))
    except MalformedEvent as error:
        return f"MalformedEvent: {error}"


@pytest.mark.parametrize("name", _rows("ignored"))
def test_an_irrelevant_event_is_ignored_with_a_reason(name: str) -> None:
    ignored = _parsed(name)
    assert isinstance(ignored, Ignored)
    assert INDEX[name]["ignored"] in ignored.reason


@pytest.mark.parametrize("name", _rows("malformed"))
def test_a_malformed_event_is_refused_with_a_reason(name: str) -> None:
    with pytest.raises(MalformedEvent) as refused:
        _parsed(name)
    assert INDEX[name]["malformed"] in str(refused.value)


@pytest.mark.parametrize("name", _rows("sweep"))
def test_the_schedule_requests_a_sweep(name: str) -> None:
    assert _parsed(name) == Sweep(datetime.fromisoformat(INDEX[name]["sweep"]))


@pytest.mark.parametrize("name", _rows("delivery_test"))
def test_a_delivery_test_holds_its_nonce(name: str) -> None:
    assert _parsed(name) == DeliveryTest(INDEX[name]["delivery_test"])


@pytest.mark.parametrize("name", _rows("digest"))
def test_the_daily_schedule_requests_a_digest_of_the_scheduled_time(name: str) -> None:
    assert _parsed(name) == DigestDue(datetime.fromisoformat(INDEX[name]["digest"]))


@pytest.mark.parametrize("name", INDEX)
def test_an_event_matches_exactly_the_named_rules(name: str) -> None:
    recorded = event(name)
    patterns = {rule: item.pattern(OUR_ROLES) for rule, item in SUBSCRIPTIONS.items()}
    matching = [rule for rule, item in patterns.items() if EventPattern(json.dumps(item), dict(item)).matches_event(recorded)]  # type: ignore[arg-type]
    assert matching == INDEX[name]["rules"]


@pytest.mark.parametrize("rule", SUBSCRIPTIONS)
def test_every_rule_has_two_matching_events(rule: str) -> None:
    assert sum(rule in row["rules"] for row in INDEX.values()) >= 2


@pytest.mark.parametrize("trigger", [item for item in Trigger if item is not Trigger.SWEEP])  # the sweep's has its own input besides
def test_every_trigger_has_two_events(trigger: Trigger) -> None:
    assert sum(INDEX[name]["request"]["trigger"] == trigger for name in _rows("request")) >= 2


@pytest.mark.parametrize("rule", SUBSCRIPTIONS)
def test_every_rule_has_an_event_of_its_source_that_does_not_match(rule: str) -> None:
    sources = {event(name)["source"] for name, row in INDEX.items() if rule in row["rules"]}
    assert any(event(name).get("source") in sources for name, row in INDEX.items() if not row["rules"])


@pytest.mark.parametrize("call", [*ADDON_CALLS, *IDENTITY_CALLS])
def test_every_subscribed_call_has_an_event(call: str) -> None:
    assert any(
        event(name)["detail"]["eventName"] == call for name, row in INDEX.items() if {"AddonCalls", "IdentityCalls"} & set(row["rules"])
    )


def test_the_documented_exporter_configuration_matches_the_rule() -> None:
    (block,) = re.findall(r"```yaml\n(clusterName:.*?)```", (ROOT / "docs" / "events" / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    shown = yaml.safe_load(block)
    (match,), (receiver,) = shown["route"]["routes"][0]["match"], shown["receivers"]
    sent = event("kubernetes-event-exported")
    sent |= {"detail-type": receiver["eventbridge"]["detailType"], "source": receiver["eventbridge"]["source"]}
    sent["detail"] |= {"reason": match["reason"], "clusterName": shown["clusterName"]}
    pattern = SUBSCRIPTIONS["KubernetesEvents"].pattern(OUR_ROLES)
    assert match["receiver"] == receiver["name"]
    assert EventPattern(json.dumps(pattern), dict(pattern)).matches_event(sent)  # type: ignore[arg-type]
    asked = parse(sent, account=ACCOUNT, region=REGION, now=NOW)
    assert isinstance(asked, CheckRequest)
    assert (asked.cluster, asked.is_about_nodes) == (shown["clusterName"], True)


@pytest.mark.parametrize("metrics", ["single-metric", "composite", "math"])
def test_the_documented_alarm_name_matches_the_rule(metrics: str) -> None:
    assert f"`{ALARM_PREFIX}<cluster>`" in (ROOT / "docs" / "events" / "README.md").read_text(encoding="utf-8")
    assert event(f"alarm-{metrics}")["detail"]["alarmName"] == f"{ALARM_PREFIX}prod-blue"


def test_a_matching_event_has_a_parser() -> None:
    for name in (item for item, row in INDEX.items() if row["rules"]):
        recorded = event(name)
        recorded["account"] = ACCOUNT
        try:
            outcome = parse(recorded, account=ACCOUNT, region=REGION, now=NOW)
        except MalformedEvent:
            continue
        assert not (isinstance(outcome, Ignored) and "not a supported event" in outcome.reason), name


def test_every_subscribed_detail_type_has_a_parser() -> None:
    for source, kind in [("aws.eks", item) for item in (*ADDON_EVENTS, CLOUDTRAIL)] + [
        ("eks-irsa-remediator", str(item)) for item in INCOMING
    ]:
        recorded = event("addon-update-succeeded") | {
            "source": source,
            "detail-type": kind,
            "detail": {"cluster": "prod-blue", "nonce": "0" * 32},
        }
        outcome = parse(recorded, account=ACCOUNT, region=REGION, now=NOW)
        assert not (isinstance(outcome, Ignored) and "not a supported event" in outcome.reason), kind
