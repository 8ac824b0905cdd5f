"""EC2's list of regions. moto lists the regions of all partitions, and those that an account has not enabled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

from sandbox.aws.http_messages import Request, Response

if TYPE_CHECKING:
    from sandbox.aws.gateway import Backend

DEFAULT_REGIONS: Final = (
    *("ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-southeast-1", "ap-southeast-2", "ca-central-1"),
    *("eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2", "eu-west-3", "sa-east-1", "us-east-1", "us-east-2", "us-west-1", "us-west-2"),
)
"""The regions of a new account: those from before 20 March 2019, which cannot be disabled. All others must be enabled first.

Source: https://docs.aws.amazon.com/accounts/latest/reference/manage-acct-regions.html
"""
_NAMESPACE: Final = "http://ec2.amazonaws.com/doc/2016-11-15/"


def ec2_backend(moto: Backend) -> Backend:
    """moto's EC2, which answers DescribeRegions as for a new account.

    Source: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeRegions.html
    """

    def answer(request: Request) -> Response:
        form = parse_qs(request.body.decode(errors="replace")) if request.body else {}
        return _REGIONS if form.get("Action") == ["DescribeRegions"] else moto(request)

    return answer


def _regions() -> Response:
    items = "".join(
        f"<item><regionName>{name}</regionName><regionEndpoint>ec2.{name}.amazonaws.com</regionEndpoint>"
        "<optInStatus>opt-in-not-required</optInStatus></item>"
        for name in DEFAULT_REGIONS
    )
    body = f'<DescribeRegionsResponse xmlns="{_NAMESPACE}"><regionInfo>{items}</regionInfo></DescribeRegionsResponse>'
    return Response(200, body.encode(), {"Content-Type": "text/xml"})


_REGIONS: Final = _regions()
