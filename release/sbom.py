"""The SBOM of the functions' asset in CycloneDX format, from an environment with only its pinned packages."""

import json
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
    _add_hashes(path)


def _add_hashes(path: Path) -> None:
    """Add to each component the hashes of its archives, one of which was installed."""
    tool = [sys.executable, "-W", "ignore", "-m", "cyclonedx_py", "requirements", "--output-reproducible", str(REQUIREMENTS)]
    pinned = json.loads(subprocess.run(tool, capture_output=True, check=True).stdout)
    archives = {component["purl"]: component["externalReferences"] for component in pinned["components"]}
    bom = json.loads(path.read_text(encoding="utf-8"))
    for component in bom["components"]:
        hashes = [entry for reference in archives[component["purl"]] for entry in reference["hashes"]]
        pins = {
            "type": "distribution",
            "comment": "archives pinned by lambdas/requirements.txt",
            "url": component["purl"],
            "hashes": hashes,
        }
        component["externalReferences"] = [*component.get("externalReferences", ()), pins]
    path.write_text(json.dumps(bom, indent=2) + "\n", encoding="utf-8")


def _described(folder: Path) -> Path:
    """Write a pyproject.toml with a literal version, since the tool does not support a dynamic version."""
    text = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    path = folder / "pyproject.toml"
    path.write_text(text.replace('dynamic = ["version"]', f'version = "{VERSION}"'), encoding="utf-8")
    return path
