"""The functions' network and a cluster's endpoint as the command line reads them, against the local AWS."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from cli.places import Openings, Placement
from cli.surroundings import AwsSurroundings
from lambdas.domain.errors import NotFound
from sandbox.aws.eks_clusters import ClusterSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lambdas.adapters.aws_session import AwsSession
    from sandbox.aws.local_aws import LocalAws

EVERYWHERE = "0.0.0.0/0"


@dataclass(frozen=True)
class Vpc:
    """Two private subnets with a route table of their own, and a third that uses the VPC's main one."""

    id: str
    subnets: tuple[str, ...]
    third: str
    table: str
    group: str

    @property
    def placement(self) -> Placement:
        return Placement(vpc=self.id, subnets=self.subnets, security_groups=(self.group,))


@pytest.fixture(scope="module")
def ec2(local_aws: LocalAws) -> Any:
    return local_aws.client("ec2")


@pytest.fixture
def vpc(ec2: Any) -> Vpc:
    made = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [ec2.create_subnet(VpcId=made, CidrBlock=f"10.0.{number}.0/24")["Subnet"]["SubnetId"] for number in range(3)]
    table = ec2.create_route_table(VpcId=made)["RouteTable"]["RouteTableId"]
    for subnet in subnets[:2]:
        ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    group = ec2.create_security_group(GroupName="functions", Description="x", VpcId=made)["GroupId"]
    return Vpc(made, tuple(subnets[:2]), subnets[2], table, group)


@pytest.fixture
def around(session: AwsSession) -> AwsSurroundings:
    return AwsSurroundings(session, "eks-irsa-remediator")


def nat(ec2: Any, vpc: Vpc) -> str:
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    found: str = ec2.create_nat_gateway(SubnetId=vpc.third, AllocationId=address)["NatGateway"]["NatGatewayId"]
    return found


def internet_gateway(ec2: Any, vpc: Vpc) -> str:
    made: str = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=made, VpcId=vpc.id)
    return made


def test_subnets_without_a_default_route_are_closed(around: AwsSurroundings, vpc: Vpc) -> None:
    found = around.way_out(vpc.placement)
    assert (found.closed, found.services) == (vpc.subnets, frozenset())
    assert sorted(found.ranges) == ["10.0.0.0/24", "10.0.1.0/24"]


def test_a_nat_gateway_opens_the_subnets_of_its_route_table_alone(around: AwsSurroundings, ec2: Any, vpc: Vpc) -> None:
    ec2.create_route(RouteTableId=vpc.table, DestinationCidrBlock=EVERYWHERE, NatGatewayId=nat(ec2, vpc))
    assert around.way_out(vpc.placement).closed == ()
    assert around.way_out(replace(vpc.placement, subnets=(*vpc.subnets, vpc.third))).closed == (vpc.third,)


def test_an_internet_gateway_serves_no_function(around: AwsSurroundings, ec2: Any, vpc: Vpc) -> None:
    ec2.create_route(RouteTableId=vpc.table, DestinationCidrBlock=EVERYWHERE, GatewayId=internet_gateway(ec2, vpc))
    assert around.way_out(vpc.placement).closed == vpc.subnets


def test_endpoints_count_where_every_subnet_can_use_them(around: AwsSurroundings, ec2: Any, vpc: Vpc) -> None:
    def interface(service: str, *, private_dns: bool) -> None:
        ec2.create_vpc_endpoint(
            VpcId=vpc.id,
            ServiceName=f"com.amazonaws.eu-west-1.{service}",
            VpcEndpointType="Interface",
            SubnetIds=list(vpc.subnets),
            PrivateDnsEnabled=private_dns,
        )

    interface("eks", private_dns=True)
    interface("ssm", private_dns=False)
    ec2.create_vpc_endpoint(
        VpcId=vpc.id, ServiceName="com.amazonaws.eu-west-1.dynamodb", VpcEndpointType="Gateway", RouteTableIds=[vpc.table]
    )
    assert around.way_out(vpc.placement).services == {"eks", "dynamodb"}
    assert around.way_out(replace(vpc.placement, subnets=(*vpc.subnets, vpc.third))).services == {"eks"}


def test_rules_that_let_https_in_are_openings(around: AwsSurroundings, ec2: Any, vpc: Vpc) -> None:
    cluster = ec2.create_security_group(GroupName="cluster", Description="x", VpcId=vpc.id)["GroupId"]

    def let_in(protocol: str, first: int, last: int, **who: Any) -> None:
        rule = {"IpProtocol": protocol, "FromPort": first, "ToPort": last, **who}
        ec2.authorize_security_group_ingress(GroupId=cluster, IpPermissions=[rule])

    let_in("tcp", 443, 443, UserIdGroupPairs=[{"GroupId": vpc.group}])
    let_in("tcp", 0, 65_535, IpRanges=[{"CidrIp": "10.0.0.0/24"}])
    let_in("tcp", 10_250, 10_250, IpRanges=[{"CidrIp": "10.9.0.0/16"}])
    let_in("udp", 443, 443, IpRanges=[{"CidrIp": "10.8.0.0/16"}])
    assert around.openings([cluster]) == Openings(groups=frozenset({vpc.group}), ranges=("10.0.0.0/24",))
    assert around.openings([]) == Openings()


@pytest.fixture
def cluster(local_aws: LocalAws) -> Iterator[str]:
    spec = ClusterSpec(name="inner", endpoint="https://127.0.0.1:1", ca_data="Q0E=", public_from=("203.0.113.0/24",))
    local_aws.eks.add_cluster(spec)
    yield "inner"
    del local_aws.eks.state.clusters["inner"]


def test_an_endpoint_tells_who_may_come(around: AwsSurroundings, cluster: str) -> None:
    found = around.entrance(cluster)
    assert (found.public_from, found.private, found.vpc) == (("203.0.113.0/24",), True, "vpc-0a1b2c3d4e5f60718")


def test_where_no_function_is_there_is_no_placement(session: AwsSession, around: AwsSurroundings) -> None:
    with pytest.raises(NotFound):
        around.placement()
    with pytest.raises(NotFound, match="no stack"):
        AwsSurroundings(session, "").placement()
