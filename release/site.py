"""`make site`: builds the documentation site from the pages of the repository into `build/site`."""

import re
import shutil
import subprocess
import sys
from pathlib import Path, PurePosixPath
from posixpath import normpath, relpath
from typing import Any, Final

import yaml

from infra.asset import REPOSITORY
from lambdas.contract.names import PROJECT, RUNBOOK_ROOT

SOURCE: Final = REPOSITORY / "build" / "site-source"
ADDRESS: Final = RUNBOOK_ROOT.removesuffix("docs/runbooks")
"""Files that are not part of the site are linked at the tag of the release."""
_TOP: Final = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
_LINK: Final = re.compile(r"(!?\[[^]]*]\()([^)#\s]+)((?:#[^)]*)?\))")
_FENCE: Final = re.compile(r"(^(`{3,})[^\n]*\n.*?^\2$)", re.MULTILINE | re.DOTALL)
_NAVIGATION: Final = {
    "Start": "index faq comparison",
    "Deploy": "deploy adopt permissions-to-deploy upgrade prevention many-accounts network bindings-from-terraform cost",
    "Operate": "operate it-does-nothing troubleshooting messages cli preflight runbooks/index events/index",
    "Understand": "understand failure-modes pod-identity incident-reports threat-model performance api-stability glossary",
    "Contribute": "CONTRIBUTING testing dependencies control-plane licenses CHANGELOG SECURITY",
}
"""Heading -> pages in order. Other pages of the folder follow under a heading of their own."""


def main() -> int:
    """Write the sources and the configuration, and run the site generator."""
    write_sources(SOURCE)
    path = SOURCE.parent / "site.yml"
    path.write_text(yaml.safe_dump(configuration(), sort_keys=False), encoding="utf-8")
    command = [str(REPOSITORY / ".venv-site" / "bin" / "zensical"), "build", "--clean", "--strict", "--config-file", str(path)]
    return subprocess.run(command, cwd=SOURCE.parent, check=False).returncode


def configuration() -> dict[str, Any]:
    """Return the configuration of the site, which loads nothing from other hosts."""
    headed = {heading: [f"{name}.md" for name in names.split()] for heading, names in _NAVIGATION.items()}
    listed = {place for places in headed.values() for place in places}
    others = [place for place in map(place_of, repository_files()) if place.endswith(".md") and "/" not in place and place not in listed]
    schemes = {"light": "default", "dark": "slate"}
    return {
        "site_name": PROJECT,
        "site_dir": "site",
        "docs_dir": SOURCE.name,
        "use_directory_urls": False,
        "nav": [{heading: places} for heading, places in {**headed, **({"More": others} if others else {})}.items()],
        "theme": {
            "name": "material",
            "palette": [{"media": f"(prefers-color-scheme: {name})", "scheme": scheme} for name, scheme in schemes.items()],
            "font": False,
        },
        "markdown_extensions": ["tables", "toc", "attr_list", "pymdownx.superfences"],
    }


def write_sources(into: Path) -> None:
    """Copy pages and pictures into a folder, with links that fit their places there."""
    shutil.rmtree(into, ignore_errors=True)
    files = {name: place_of(name) for name in repository_files()}
    for name, place in files.items():
        target = into / place
        target.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".md"):
            text = (REPOSITORY / name).read_text(encoding="utf-8")
            target.write_text(with_links_of_the_site(text, PurePosixPath(name), files), encoding="utf-8")
        else:
            shutil.copy2(REPOSITORY / name, target)


def repository_files() -> list[str]:
    """Return the files of the site by their paths in the repository."""
    documents = sorted(path for path in (REPOSITORY / "docs").rglob("*") if path.is_file())
    return [*_TOP, *(path.relative_to(REPOSITORY).as_posix() for path in documents)]


def place_of(name: str) -> str:
    """Return the place of a file in the site: `docs` is its root, and the page of a folder is its index."""
    path = PurePosixPath(name.removeprefix("docs/"))
    return (path.with_name("index.md") if path.name == "README.md" else path).as_posix()


def with_links_of_the_site(text: str, page: PurePosixPath, files: dict[str, str]) -> str:
    """Return the page with links to other pages of the site, and to the repository for other files. Code is not changed."""
    here = PurePosixPath(files[page.as_posix()]).parent.as_posix()

    def link(match: re.Match[str]) -> str:
        start, target, end = match.groups()
        if re.match(r"\w+:", target):
            return match[0]
        path = normpath((page.parent / target).as_posix())
        place = files.get(path) or files.get(f"{path}/README.md")
        return f"{start}{relpath(place, here)}{end}" if place else f"{start}{ADDRESS}{path}{end}"

    parts = _FENCE.split(text)
    # The groups of the pattern follow each text: the block, and its fence.
    return "".join(_LINK.sub(link, part) if i % 3 == 0 else part if i % 3 == 1 else "" for i, part in enumerate(parts))


if __name__ == "__main__":
    sys.exit(main())
