"""The software bill of materials of the functions' asset, in CycloneDX, read from an environment with its pins and nothing else."""

import subprocess
import sys
import tempfile
from pathlib import Path

from infra.asset import REPOSITORY, REQUIREMENTS, uv_binary


def write_bill(path: Path, moment: str) -> None:
    """Write the bill as JSON; `moment`, seconds since 1970, becomes its date.

    Source: https://cyclonedx-bom-tool.readthedocs.io/en/latest/usage.html
    """
    with tempfile.TemporaryDirectory() as folder:
        python = Path(folder) / "bin" / "python"
        uv = uv_binary()
        subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, folder], check=True)
        subprocess.run([uv, "pip", "sync", "--quiet", "--require-hashes", "--python", str(python), str(REQUIREMENTS)], check=True)
        tool = [sys.executable, "-W", "ignore", "-m", "cyclonedx_py", "environment", "--PEP-639", "--output-reproducible"]
        tool += ["--pyproject", str(REPOSITORY / "pyproject.toml"), "-o", str(path), str(python)]
        subprocess.run(tool, env={"SOURCE_DATE_EPOCH": moment}, check=True)
