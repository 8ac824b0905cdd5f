"""The functions' code as CDK takes it."""

from pathlib import Path

from aws_cdk import aws_lambda as lambda_

from infra.asset import build


def bundled() -> lambda_.Code:
    """The asset for Lambda's own platform, built here: sources and pinned wheels, without Docker.

    Raises:
        BundlingFailed: a wheel for the platform is missing, or cannot be fetched.
    """
    return lambda_.Code.from_asset(str(build()))


def unbundled(root: Path) -> lambda_.Code:
    """A placeholder for templates that are read and not deployed, such as in tests; its hash never changes."""
    return lambda_.Code.from_asset(str(root / "lambdas" / "contract"), asset_hash="unbundled", exclude=["__pycache__"])
