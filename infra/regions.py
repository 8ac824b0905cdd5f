"""Regions in which the stack can run."""

from typing import Final

DURABLE_REGIONS: Final = frozenset(
    {
        "ap-east-1", "ap-northeast-1", "ap-south-1", "ap-southeast-1", "ap-southeast-2", "ap-southeast-5", "ap-southeast-7",
        "eu-central-1", "eu-north-1", "eu-south-1", "eu-south-2", "eu-west-1",
        "us-east-1", "us-east-2", "us-west-2",
    }
)  # fmt: skip
"""Regions for which AWS has announced Lambda durable functions, as of early 2026. Other regions cause a warning, not an error."""


def unsupported_reason(region: str) -> str | None:
    """Return why the stack cannot run in a region, or None."""
    if region.startswith("cn-"):
        # Source: https://docs.amazonaws.cn/en_us/aws/latest/userguide/lambda.html
        return "a region outside China: Lambda in China has no X-Ray tracing, which this stack enables"
    return None


def support_warning(region: str | None) -> str | None:
    """Return a warning for a region that is not known to support durable functions, or None."""
    if region is None or region in DURABLE_REGIONS:
        return None
    return (
        f"{region} is not known to support Lambda durable functions, which the remediator requires. Check before you deploy: "
        f"`aws lambda list-durable-executions-by-function --function-name any --region {region}` "
        "returns ResourceNotFoundException where they are supported."
    )
