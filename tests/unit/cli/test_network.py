"""The way from the functions to a cluster's endpoint and to AWS, in each of the arrangements in which it is open, closed or not known."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from cli.network import SERVICES, points
from cli.places import Entrance, Openings, Placement, WayOut
from lambdas.domain.errors import AccessDenied, Denial, NotFound
from tests.unit.cli.fake_dependencies import FakeSurroundings

if TYPE_CHECKING:
    from cli.queries.grants import Point

ENDPOINT = "the cluster's endpoint"
VPC = "vpc-0a1b2c3d"
PRIVATE = Entrance(public_from=(), private=True, vpc=VPC, security_groups=("sg-cluster", "sg-more"))
LISTED = replace(PRIVATE, public_from=("203.0.113.0/24",), private=False)
OPEN = replace(PRIVATE, public_from=("0.0.0.0/0",), private=False)
BESIDE = Placement(vpc=VPC, subnets=("subnet-1", "subnet-2"), security_groups=("sg-ours",))
ELSEWHERE = replace(BESIDE, vpc="vpc-99999999")
NAT = WayOut(closed=(), services=frozenset(), ranges=("10.0.1.0/24", "10.0.2.0/24"))
CLOSED = replace(NAT, closed=("subnet-2",))


def looked_at(entered: Entrance, placed: Any = BESIDE, opened: Openings = Openings(), ways: Any = NAT) -> list[Point]:  # noqa: B008
    around = FakeSurroundings(entered=entered, placed=placed, opened=opened, ways=ways)
    return list(points("demo", around))


WAYS: dict[str, tuple[list[Point], str, str]] = {
    "public, no VPC": (looked_at(OPEN, None), "granted", "public"),
    "private, no VPC": (looked_at(PRIVATE, None), "missing", "is private, and the functions run in no VPC"),
    "listed addresses, no VPC": (looked_at(LISTED, None), "missing", "lets in 203.0.113.0/24 alone, and the functions run in no VPC"),
    "listed, not known where from": (looked_at(LISTED, NotFound("no function")), "unknown", "no function"),
    "one VPC, group let in": (looked_at(PRIVATE, opened=Openings(groups=frozenset({"sg-ours"}))), "granted", "private"),
    "one VPC, addresses let in": (looked_at(PRIVATE, opened=Openings(ranges=("10.0.0.0/16",))), "granted", "private"),
    "one VPC, one subnet let in": (looked_at(PRIVATE, opened=Openings(ranges=("10.0.1.0/24",))), "missing", "--group-id sg-cluster"),
    "one VPC, the other family": (looked_at(PRIVATE, opened=Openings(ranges=("::/0",))), "missing", "--source-group sg-ours"),
    "one VPC, others let in": (looked_at(PRIVATE, opened=Openings(groups=frozenset({"sg-nodes"}))), "missing", "on 443"),
    "one VPC, a prefix list": (looked_at(PRIVATE, opened=Openings(lists=("pl-1",))), "unknown", "pl-1"),
    "private, another VPC": (looked_at(PRIVATE, ELSEWHERE), "unknown", "whether the two are joined"),
    "public, another VPC with NAT": (looked_at(OPEN, ELSEWHERE), "granted", "through the default route"),
    "public, another VPC without NAT": (looked_at(OPEN, ELSEWHERE, ways=CLOSED), "missing", "subnet-2"),
    "public alone, its own VPC without NAT": (looked_at(OPEN, ways=CLOSED), "missing", "subnet-2"),
    "listed, another VPC with NAT": (looked_at(LISTED, ELSEWHERE), "unknown", "NAT gateway among them"),
}


@pytest.mark.parametrize(("found", "state", "detail"), WAYS.values(), ids=WAYS)
def test_the_way_to_the_endpoint(found: list[Point], state: str, detail: str) -> None:
    (point,) = [item for item in found if item.what == ENDPOINT]
    assert point.state == state
    assert detail in point.detail
    assert point.yours == (state == "missing")


def test_a_public_endpoint_needs_no_function_that_can_be_read() -> None:
    assert looked_at(OPEN, AccessDenied("not yours to read", denial=Denial.FORBIDDEN)) == []


def test_a_nat_gateway_leads_to_every_service() -> None:
    assert [(item.what, item.state) for item in looked_at(PRIVATE) if item.what != ENDPOINT] == [("AWS services", "granted")]


def test_without_one_each_service_needs_an_endpoint() -> None:
    some = replace(CLOSED, services=frozenset({"eks", "dynamodb", "s3"}))
    found = {item.what: item.state for item in looked_at(PRIVATE, ways=some) if item.what != ENDPOINT}
    assert found == {f"way to {service}": "granted" if service in ("eks", "dynamodb") else "missing" for service in SERVICES}


def test_what_may_not_be_read_is_not_known() -> None:
    found = looked_at(PRIVATE, ways=AccessDenied("describe route tables: UnauthorizedOperation", denial=Denial.FORBIDDEN))
    assert [(item.what, item.state) for item in found] == [("the functions' network", "unknown")]
