"""What an incident's stored request says: its actor, and the refused calls."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from lambdas.domain.requests.request import Actor, Refusal, RoleEffect, actor_of, refusal_to_json, refusals_of

AT: Final = datetime(2026, 11, 2, 2, 14, 21, tzinfo=UTC)
WHOLE: Final = {
    "who": "ci",
    "what": "UpdateAddon",
    "agent": "terraform",
    "at": AT.isoformat(),
    "addonVersion": "v1.20.1",
    "effect": str(RoleEffect.CHANGED),
}
ACTOR: Final = Actor(who="ci", what="UpdateAddon", agent="terraform", at=AT, addon_version="v1.20.1", effect=RoleEffect.CHANGED)


@pytest.mark.parametrize(
    ("request_", "actor"),
    [
        pytest.param({"actor": WHOLE}, ACTOR, id="whole"),
        pytest.param({"actor": WHOLE, "trigger": "api-call"}, ACTOR, id="of a call"),
        pytest.param({"actor": WHOLE, "trigger": "person"}, None, id="a person only asked for a check"),
        pytest.param({"actor": {"who": "ci"}}, Actor(who="ci", what=""), id="the name alone"),
        pytest.param({"actor": {"what": "UpdateAddon"}}, None, id="no name"),
        pytest.param({"actor": {"who": ""}}, None, id="an empty name"),
        pytest.param({"actor": "ci"}, None, id="another type"),
        pytest.param({}, None, id="none"),
    ],
)
def test_the_actor_of_a_stored_request(request_: dict[str, Any], actor: Actor | None) -> None:
    assert actor_of(request_) == actor


def _refusal(call: str, minutes: int) -> Refusal:
    return Refusal(
        call=call,
        code="AccessDenied",
        principal="p",
        at=AT + timedelta(minutes=minutes),
        role_arn="arn:aws:iam::111122223333:role/a",
        provider_arn="arn:aws:iam::111122223333:oidc-provider/o",
        is_by_cni=True,
    )


def test_the_refused_calls_of_a_stored_request_are_the_newest_first_and_each_once() -> None:
    early, late, later_name = _refusal("ec2:A", 0), _refusal("ec2:A", 1), _refusal("ec2:B", 1)
    stored = {call: refusal_to_json(call) for call in (early, late, later_name)}
    assert refusals_of({"refusal": stored[early]}, stored[late]) == (late, early)
    assert refusals_of({"refusal": stored[late]}, stored[early]) == (late, early)
    assert refusals_of({"refusal": stored[late]}, stored[later_name]) == (later_name, late)
    assert refusals_of({"refusal": stored[late]}, stored[late]) == (late,)
    assert refusals_of({}) == refusals_of({"refusal": "x"}, {"at": AT.isoformat()}) == ()


def test_a_refused_call_with_its_call_and_time_alone() -> None:
    assert refusals_of({}, {"call": "ec2:A", "at": AT.isoformat()}) == (Refusal(call="ec2:A", code="", principal="", at=AT),)
