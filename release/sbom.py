"""The SBOM of the functions' asset in CycloneDX format, from an environment with only its pinned packages."""

import subprocess
import sys
import tempfile
from pathlib import Path

from infra.asset import REPOSITORY, REQUIREMENTS, uv_binary
from lambdas.contract.version import VERSION


def write_sbom(path: Path, moment: str) -> None:
    """Write the SBOM as JSON. `moment`, in seconds since 1970, is its date.

    Source: https://cyclonedx-bom-tool.readthedocs.io/en/latest/usage.html
    """
    with tempfile.TemporaryDirectory() as folder:
        python = Path(folder) / "bin" / "python"
        uv = uv_binary()
        subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, folder], check=True)
        subprocess.run([uv, "pip", "sync", "--quiet", "--require-hashes", "--python", str(python), str(REQUIREMENTS)], check=True)
        tool = [sys.executable, "-W", "ignore", "-m", "cyclonedx_py", "environment", "--output-reproducible"]
        tool += ["--pyproject", str(_described(Path(folder))), "-o", str(path), str(python)]
        subprocess.run(tool, env={"SOURCE_DATE_EPOCH": moment}, check=True)


def _described(folder: Path) -> Path:
    """Write a pyproject.toml with a literal version, since the tool does not support a dynamic version."""
    text = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    path = folder / "pyproject.toml"
    path.write_text(text.replace('dynamic = ["version"]', f'version = "{VERSION}"'), encoding="utf-8")
    return path
