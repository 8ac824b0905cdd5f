"""Regions and partitions, and what AWS offers there."""

import re
from functools import cache
from typing import Any, Final

from botocore.loaders import Loader

AWS: Final = "aws"
"""The partition of the commercial regions."""

DURABLE_REGIONS: Final = frozenset(
    {
        "ap-east-1", "ap-northeast-1", "ap-south-1", "ap-southeast-1", "ap-southeast-2", "ap-southeast-5", "ap-southeast-7",
        "eu-central-1", "eu-north-1", "eu-south-1", "eu-south-2", "eu-west-1",
        "us-east-1", "us-east-2", "us-west-2",
    }
)  # fmt: skip
"""The first regions with Lambda durable functions, of early 2026. There are 31 since April 2026; the list of the others was not found.

Source: https://github.com/aws/aws-lambda-roadmap/issues/80
"""


@cache
def _partitions() -> list[dict[str, Any]]:
    partitions: list[dict[str, Any]] = Loader().load_data("partitions")["partitions"]
    return partitions


def partition(region: str) -> str | None:
    """Return the partition of a region according to botocore, or None if no partition has such a region."""
    return next((str(item["id"]) for item in _partitions() if re.match(item["regionRegex"], region)), None)


def unsupported_reason(region: str) -> str | None:
    """Return why the stack cannot run in a region, or None."""
    if partition(region) == "aws-cn":
        # Source: https://docs.amazonaws.cn/en_us/aws/latest/userguide/lambda.html
        return "a region outside China: Lambda in China has no X-Ray tracing, which this stack enables"
    return None


def has_chat(region: str) -> bool:
    """Return whether CloudFormation may know chat configurations in a region. In GovCloud and China it does not.

    Source: the resource types by region in the package cfn-lint, which a test compares; it lists none of `AWS::Chatbot` there.
    """
    return partition(region) not in ("aws-cn", "aws-us-gov")


def support_warning(region: str | None) -> str | None:
    """Return a warning for a partition without known support for durable functions, or None."""
    if region is None or partition(region) == AWS:
        return None
    return f"{region} is not known to support Lambda durable functions, which the remediator requires. {_check(region)}"


def support_note(region: str | None) -> str | None:
    """Return how to check the support in a commercial region that the first announcements do not name, or None."""
    if region is None or region in DURABLE_REGIONS or partition(region) != AWS:
        return None
    return f"Most commercial regions support Lambda durable functions, which the remediator requires. {_check(region)}"


def _check(region: str) -> str:
    return (
        f"Check before you deploy: `aws lambda list-durable-executions-by-function --function-name any --region {region}` "
        "returns ResourceNotFoundException where they are supported."
    )
