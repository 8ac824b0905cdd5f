"""The real AWS CLI, in a folder of its own, since it wants other versions of its packages than we pin."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from infra.asset import CACHE, BundlingFailed, uv_binary
from infra.build_cache import made_once

VERSION: Final = "1.46.3"
_STAND_IN: Final = Path(__file__).parent / "rivals" / "get_token.py"


def get_token(say: Callable[[str], None]) -> Sequence[str]:
    """The command that prints a token for the cluster whose name follows: `aws eks get-token`.

    Where no package index is reached, botocore signs it alone, in less than half of the time; a line says so.
    """
    try:
        folder = _installed()
    except (BundlingFailed, subprocess.CalledProcessError) as error:
        say(f"the AWS CLI could not be installed, so a quicker script takes its place: {error}")
        return (sys.executable, str(_STAND_IN))
    asked = ("eks", "get-token", "--query", "status.token", "--output", "text", "--cluster-name")
    return ("env", f"PYTHONPATH={folder}", sys.executable, "-m", "awscli", *asked)


def _installed() -> Path:
    """As pip leaves it, compiled; once, and kept."""
    return made_once(CACHE / "benchmarks" / f"awscli-{VERSION}-{sys.version_info.minor}", _install)


def _install(fresh: Path) -> None:
    command = [uv_binary(), "pip", "install", "--quiet", "--compile-bytecode", "--python", sys.executable, "--target", str(fresh)]
    subprocess.run([*command, f"awscli=={VERSION}"], check=True, capture_output=True)
