"""AWS commands for people: each names its region, so that it does not depend on the shell of the reader."""

import re
from typing import Final

_REGIONAL: Final = re.compile(r"\baws (?:eks|ssm|ec2|cloudtrail|logs) [a-z-]+")
"""IAM is global, so its commands have no region."""


def in_region(command: str, region: str) -> str:
    """Return the command with `--region` behind each operation of a regional service; unchanged where the region is not known."""
    if not region or "--region" in command:
        return command
    return _REGIONAL.sub(lambda found: f"{found[0]} --region {region}", command)
