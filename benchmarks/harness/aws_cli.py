"""The real AWS CLI, installed into its own folder, since it requires other package versions than ours."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from infra.asset import CACHE, BundlingFailed, uv_binary
from infra.build_cache import build_once

VERSION: Final = "1.46.3"
_SUBSTITUTE: Final = Path(__file__).parent.parent / "baselines" / "botocore_token.py"


def token_command(log: Callable[[str], None]) -> Sequence[str]:
    """Return the command that prints a token for a cluster: `aws eks get-token`, to be followed by the cluster's name.

    Without a package index it returns a script with botocore alone, which takes less than half of the time, and logs that.
    """
    try:
        folder = _installed()
    except (BundlingFailed, subprocess.CalledProcessError) as error:
        log(f"the AWS CLI could not be installed, so a faster script replaces it: {error}")
        return (sys.executable, str(_SUBSTITUTE))
    arguments = ("eks", "get-token", "--query", "status.token", "--output", "text", "--cluster-name")
    return ("env", f"PYTHONPATH={folder}", sys.executable, "-m", "awscli", *arguments)


def _installed() -> Path:
    """Return the folder with the installed and compiled CLI; installs it once."""
    return build_once(CACHE / "benchmarks" / f"awscli-{VERSION}-{sys.version_info.minor}", _install)


def _install(fresh: Path) -> None:
    command = [uv_binary(), "pip", "install", "--quiet", "--compile-bytecode", "--python", sys.executable, "--target", str(fresh)]
    subprocess.run([*command, f"awscli=={VERSION}"], check=True, capture_output=True)
