"""The provenance of a release: an unsigned in-toto statement with a SLSA predicate."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from infra.asset import LAMBDA, REPOSITORY, REQUIREMENTS
from lambdas.contract.names import PROJECT
from lambdas.contract.version import VERSION

SOURCE: Final = f"https://github.com/{PROJECT}/{PROJECT}"
_PINS: Final = (REQUIREMENTS, REPOSITORY / "requirements-dev.txt")
"""Pins of the packages in the asset, and of the build tools."""


def write_provenance(files: Iterable[Path], commit: str, path: Path) -> Path:
    """Write the statement about the files of a release that was built from this commit, and return its path.

    It holds no time and no name of a machine, so that two builds of one commit are equal.

    Sources: https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md https://slsa.dev/spec/v1.0/provenance
    """
    path.write_text(json.dumps(statement(files, commit), indent=2) + "\n", encoding="utf-8")
    return path


def statement(files: Iterable[Path], commit: str) -> dict[str, Any]:
    """Return the statement as JSON."""
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": file.name, "digest": {"sha256": _sha256(file)}} for file in files],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": f"{SOURCE}/blob/{commit}/Makefile#release",
                "externalParameters": {"version": VERSION, "python": LAMBDA.python, "platform": LAMBDA.platform},
                "resolvedDependencies": [
                    {"uri": f"git+{SOURCE}@{commit}", "digest": {"gitCommit": commit}},
                    *({"name": pin.relative_to(REPOSITORY).as_posix(), "digest": {"sha256": _sha256(pin)}} for pin in _PINS),
                ],
            },
            "runDetails": {"builder": {"id": f"{SOURCE}/blob/{commit}/release/__main__.py"}},
        },
    }


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
