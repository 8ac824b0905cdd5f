"""Whether the functions can reach a cluster's endpoint and the AWS services that they call: judged from what AWS tells of the network."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING, Final

from cli.queries.grants import Grant
from lambdas.domain.errors import RemediatorError
from lambdas.domain.plurals import many

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cli.places import Entrance, Openings, Placement, WayOut
    from cli.clients.ports import Surroundings

SERVICES: Final = ("eks", "ssm", "dynamodb", "lambda", "events", "sns")
"""What the functions call; `docs/network.md` says what fails without each. IAM has no endpoint in most regions, and they do without it."""

_ENDPOINT: Final = "the cluster's endpoint"
_SET_NETWORK: Final = "set `network` in deploy.yaml (docs/network.md)"


def points(cluster: str, around: Surroundings) -> Iterator[Grant]:
    """The way to the endpoint, and to each service where no NAT gateway leads to all of them."""
    entrance = around.entrance(cluster)
    open_to_all = any(item.endswith("/0") for item in entrance.public_from)
    try:
        placement = around.placement()
    except RemediatorError as error:
        if not open_to_all:
            yield Grant(what=_ENDPOINT, state="unknown", detail=f"where the functions run could not be read: {error}")
        return
    if placement is None:
        yield _from_anywhere(entrance, open_to_all=open_to_all)
        return
    try:
        way_out = around.way_out(placement)
        yield _from_vpc(entrance, placement, way_out, around, open_to_all=open_to_all)
        yield from _to_services(placement, way_out)
    except RemediatorError as error:
        yield Grant(what="the functions' network", state="unknown", detail=str(error))


def _from_anywhere(entrance: Entrance, *, open_to_all: bool) -> Grant:
    if open_to_all:
        return Grant(what=_ENDPOINT, state="granted", detail="public")
    why = f"lets in {_ranges(entrance.public_from)} alone" if entrance.public_from else "is private"
    return Grant(what=_ENDPOINT, state="missing", yours=True, detail=f"{why}, and the functions run in no VPC: {_SET_NETWORK}")


def _from_vpc(entrance: Entrance, placement: Placement, way_out: WayOut, around: Surroundings, *, open_to_all: bool) -> Grant:
    if entrance.private and entrance.vpc == placement.vpc:
        return _through_groups(entrance, placement, way_out, around.openings(entrance.security_groups))
    if not entrance.public_from:
        why = f"is private in {entrance.vpc}, and the functions run in {placement.vpc}: whether the two are joined is not looked at"
        return Grant(what=_ENDPOINT, state="unknown", detail=why)
    if way_out.closed:
        return Grant(what=_ENDPOINT, state="missing", yours=True, detail=f"is public, and {_closed(way_out)}")
    if open_to_all:
        return Grant(what=_ENDPOINT, state="granted", detail="public, through the default route")
    why = f"lets in {_ranges(entrance.public_from)} alone: is the address of the functions' NAT gateway among them?"
    return Grant(what=_ENDPOINT, state="unknown", detail=why)


def _through_groups(entrance: Entrance, placement: Placement, way_out: WayOut, openings: Openings) -> Grant:
    """The cluster's security groups add up, and so do the functions': one rule for one of them is enough."""
    ours = set(placement.security_groups)
    if ours & openings.groups or all(_within(item, openings.ranges) for item in way_out.ranges):
        return Grant(what=_ENDPOINT, state="granted", detail="private, in the functions' VPC")
    if openings.lists:
        why = f"is let in by prefix {many(len(openings.lists), 'list', 'lists')} {', '.join(openings.lists)}, which was not read"
        return Grant(what=_ENDPOINT, state="unknown", detail=why)
    rule = (
        f"aws ec2 authorize-security-group-ingress --group-id {next(iter(entrance.security_groups), 'SG')} --protocol tcp --port 443 "
        f"--source-group {placement.security_groups[0]}"
    )
    return Grant(what=_ENDPOINT, state="missing", yours=True, detail=f"its security groups do not let the functions' in on 443: {rule}")


def _to_services(placement: Placement, way_out: WayOut) -> Iterator[Grant]:
    if not way_out.closed:
        yield Grant(what="AWS services", state="granted", detail="through the default route")
        return
    for service in SERVICES:
        if service in way_out.services:
            yield Grant(what=f"way to {service}", state="granted", detail="by an endpoint")
        else:
            why = f"{_closed(way_out)}, and {placement.vpc} has no endpoint for it (docs/network.md)"
            yield Grant(what=f"way to {service}", state="missing", yours=True, detail=why)


def _closed(way_out: WayOut) -> str:
    return f"no NAT gateway serves {_ranges(way_out.closed)}"


def _ranges(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")  # noqa: PLR2004  # enough to recognise them


def _within(range_: str, ranges: Sequence[str]) -> bool:
    inner = ip_network(range_)
    # `subnet_of` refuses to compare the two families.
    return any(outer.version == inner.version and inner.subnet_of(outer) for item in ranges if (outer := ip_network(item)))  # type: ignore[arg-type]
