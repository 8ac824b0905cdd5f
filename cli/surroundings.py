"""What AWS tells of the functions' network and of a cluster's endpoint, read with the caller's own rights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from cli.places import Entrance, Openings, Placement, WayOut
from lambdas.adapters.aws_errors import translated
from lambdas.domain.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lambdas.adapters.aws_session import AwsSession

_HTTPS: Final = 443
_EVERY_PROTOCOL: Final = "-1"


class AwsSurroundings:
    """Implements `Surroundings`. `function` is the remediator's name or ARN: all functions of a stack run in one place."""

    def __init__(self, session: AwsSession, function: str) -> None:
        self._session = session
        self._function = function

    def placement(self) -> Placement | None:
        """Where the functions run; None outside any VPC of yours."""
        if not self._function:
            raise NotFound("no stack is deployed here")
        with translated(f"read the configuration of function {self._function}"):
            answer = self._session.client("lambda").get_function_configuration(FunctionName=self._function)
        it = answer.get("VpcConfig") or {}
        if not it.get("VpcId"):
            return None
        return Placement(vpc=it["VpcId"], subnets=tuple(it["SubnetIds"]), security_groups=tuple(it["SecurityGroupIds"]))

    def entrance(self, cluster: str) -> Entrance:
        """The cluster's endpoint.

        Source: https://docs.aws.amazon.com/eks/latest/APIReference/API_VpcConfigResponse.html
        """
        with translated(f"describe cluster {cluster}"):
            it = self._session.client("eks").describe_cluster(name=cluster)["cluster"]["resourcesVpcConfig"]
        groups = (it.get("clusterSecurityGroupId"), *it.get("securityGroupIds", ()))
        return Entrance(
            public_from=tuple(it.get("publicAccessCidrs", ())) if it.get("endpointPublicAccess") else (),
            private=bool(it.get("endpointPrivateAccess")),
            vpc=it.get("vpcId", ""),
            security_groups=tuple(dict.fromkeys(group for group in groups if group)),
        )

    def openings(self, security_groups: Sequence[str]) -> Openings:
        """Who the rules of these security groups let in on TCP 443."""
        rules = [
            rule for item in self._each("security_groups", "SecurityGroups", GroupIds=[*security_groups]) for rule in item["IpPermissions"]
        ]
        https = [item for item in rules if _lets_https_in(item)] if security_groups else []
        ranges = [(http["IpRanges"], "CidrIp") for http in https] + [(http.get("Ipv6Ranges", []), "CidrIpv6") for http in https]
        return Openings(
            groups=frozenset(pair["GroupId"] for http in https for pair in http["UserIdGroupPairs"]),
            ranges=tuple(one[key] for several, key in ranges for one in several),
            lists=tuple(one["PrefixListId"] for http in https for one in http.get("PrefixListIds", ())),
        )

    def way_out(self, placement: Placement) -> WayOut:
        """Default routes and endpoints of the functions' subnets."""
        tables = list(self._each("route_tables", "RouteTables", Filters=[_in_vpc(placement)]))
        used = {subnet: _table_of(subnet, tables) for subnet in placement.subnets}
        endpoints = self._each("vpc_endpoints", "VpcEndpoints", Filters=[_in_vpc(placement)])
        names = {item["RouteTableId"] for item in used.values() if item}
        return WayOut(
            closed=tuple(subnet for subnet, table in used.items() if not _leads_out(table)),
            services=frozenset(endpoint["ServiceName"].rpartition(".")[2] for endpoint in endpoints if _serves(endpoint, names)),
            ranges=tuple(item["CidrBlock"] for item in self._each("subnets", "Subnets", SubnetIds=[*placement.subnets])),
        )

    def _each(self, what: str, key: str, **asked: Any) -> Iterator[Mapping[str, Any]]:
        with translated(f"describe {what.replace('_', ' ')}"):
            for page in self._session.client("ec2").get_paginator(f"describe_{what}").paginate(**asked):
                yield from page[key]


def _in_vpc(placement: Placement) -> dict[str, Any]:
    return {"Name": "vpc-id", "Values": [placement.vpc]}


def _lets_https_in(rule: Mapping[str, Any]) -> bool:
    if rule["IpProtocol"] == _EVERY_PROTOCOL:
        return True
    return rule["IpProtocol"] in ("tcp", "6") and rule["FromPort"] <= _HTTPS <= rule["ToPort"]


def _table_of(subnet: str, tables: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The subnet's own route table, else the VPC's main one.

    Source: https://docs.aws.amazon.com/vpc/latest/userguide/subnet-route-tables.html
    """
    own = (table for table in tables if any(one.get("SubnetId") == subnet for one in table["Associations"]))
    main = (table for table in tables if any(one.get("Main") for one in table["Associations"]))
    return next(own, None) or next(main, None)


def _leads_out(table: Mapping[str, Any] | None) -> bool:
    """Whether a default route serves a function, which has no public address: an internet gateway alone does not.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc-internet.html
    """
    routes = [route for route in (table or {}).get("Routes", ()) if route.get("DestinationCidrBlock") == "0.0.0.0/0"]
    return any(route.get("State") != "blackhole" and not route.get("GatewayId", "").startswith("igw-") for route in routes)


def _serves(endpoint: Mapping[str, Any], tables: set[str]) -> bool:
    """Whether names of the service lead to the endpoint from everywhere: by private DNS, or by routes in each of the tables."""
    if endpoint["State"].lower() != "available":
        return False
    if endpoint["VpcEndpointType"] == "Gateway":
        return tables <= set(endpoint.get("RouteTableIds", ()))
    return bool(endpoint.get("PrivateDnsEnabled"))
