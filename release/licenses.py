"""`make licenses`: writes the licenses of all packages of functions, command line and deployment to `docs/licenses.md`."""

import re
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT: Final = Path(__file__).resolve().parent.parent
PAGE: Final = ROOT / "docs" / "licenses.md"
SETS: Final = {"function": "functions", "": "command line", "deploy": "deployment"}
"""Dependency group -> name on the page. The empty name is the project's own dependencies."""

_PLACE: Final = {
    "python_version": "3.13",
    "python_full_version": "3.13.0",
    "sys_platform": "linux",
    "platform_system": "Linux",
    "os_name": "posix",
}
_CLASSIFIER: Final = re.compile(r"License :: (?:OSI Approved :: )?(?!OSI Approved$)(.+)")
_MIT: Final = "Permission is hereby granted, free of charge, to any person obtaining a copy"
_HEAD: Final = """# Licenses

Licenses of all packages that the functions, the command line or a deployment install, from the packages' metadata.
`make licenses` writes this page; a test verifies that it is current.

| package | license | required by |
|---|---|---|
"""


def page() -> str:
    """Return the content of the page."""
    needed: dict[str, set[str]] = {}
    for group, users in SETS.items():
        for name in closure(_declared(group)):
            needed.setdefault(name, set()).add(users)
    rows = (f"| {name} | {license_of(distribution(name))} | {', '.join(sorted(users))} |\n" for name, users in sorted(needed.items()))
    return _HEAD + "".join(rows)


def license_of(found: Distribution) -> str:
    """Return the SPDX expression, otherwise the classifiers, otherwise the old license field, which holds a name or a full text.

    Source: https://packaging.python.org/en/latest/specifications/core-metadata/#license-expression
    """
    if expression := _field(found, "License-Expression"):
        return str(expression)
    classified = [match[1] for item in found.metadata.get_all("Classifier") or () if (match := _CLASSIFIER.match(item))]
    text = _field(found, "License") or "unknown"
    return ", ".join(classified) or ("MIT License" if _MIT in text else text.splitlines()[0])


def _field(found: Distribution, name: str) -> str:
    return str(found.metadata[name]) if name in found.metadata else ""


def closure(requirements: Iterable[str]) -> set[str]:
    """Return the names of these packages and all their dependencies, for Linux and Lambda's Python."""
    waiting = [(item, "") for item in requirements]
    seen: set[tuple[str, str]] = set()
    while waiting:
        text, asked_by = waiting.pop()
        requirement = Requirement(text)
        if requirement.marker and not requirement.marker.evaluate({**_PLACE, "extra": asked_by}):
            continue
        name = canonicalize_name(requirement.name)
        for extra in {"", *requirement.extras} - {item for package, item in seen if package == name}:
            seen.add((name, extra))
            waiting += [(need, extra) for need in _needs(name)]
    return {name for name, _ in seen}


def _needs(name: str) -> list[str]:
    try:
        return distribution(name).requires or []
    except PackageNotFoundError as error:
        raise SystemExit(f"{name} is not installed here; run `make setup`") from error


def _declared(group: str) -> list[str]:
    pyproject: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    found = pyproject["dependency-groups"][group] if group else pyproject["project"]["dependencies"]
    return [item for item in found if isinstance(item, str)]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE.relative_to(ROOT)} written\n")
