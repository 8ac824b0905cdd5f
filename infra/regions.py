"""Where the stack can live: what is known of regions and durable functions."""

from typing import Final

DURABLE_REGIONS: Final = frozenset(
    {
        "ap-east-1", "ap-northeast-1", "ap-south-1", "ap-southeast-1", "ap-southeast-2", "ap-southeast-5", "ap-southeast-7",
        "eu-central-1", "eu-north-1", "eu-south-1", "eu-south-2", "eu-west-1",
        "us-east-1", "us-east-2", "us-west-2",
    }
)  # fmt: skip
"""Regions in which AWS announced Lambda durable functions, as of early 2026.

Others may have followed, so they are warned of, not refused.
"""


def unsupported_reason(region: str) -> str | None:
    """Why the stack cannot run in a region at all, or None."""
    if region.startswith("cn-"):
        # Source: https://docs.amazonaws.cn/en_us/aws/latest/userguide/lambda.html
        return "a region outside China: Lambda there has no X-Ray tracing, which every function of this stack turns on"
    return None


def support_warning(region: str | None) -> str | None:
    """What to find out before deploying to a region that is not known to have durable functions, or None."""
    if region is None or region in DURABLE_REGIONS:
        return None
    return (
        f"{region} is not among the regions known to have Lambda durable functions, which the remediator is. Ask before deploying: "
        f"`aws lambda list-durable-executions-by-function --function-name any --region {region}` "
        "answers ResourceNotFoundException where they exist."
    )
