"""`make release`: builds the wheel of the command line, the functions' asset, the templates, the SBOM and checksums."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from infra.asset import CACHE, LAMBDA, REPOSITORY, build, compiler, uv_binary, zip_to
from lambdas.contract.names import PROJECT
from lambdas.contract.version import VERSION
from release.provenance import write_provenance
from release.sbom import write_sbom

OUT: Final = REPOSITORY / "build" / "release"


class NotReleasable(Exception):
    """The working tree cannot be released; the message names the next step."""


def main() -> int:
    """Build all artifacts into `build/release`, which is emptied first."""
    try:
        built = release(OUT)
    except NotReleasable as error:
        print(error, file=sys.stderr)
        return 1
    for path in built:
        print(f"{path.stat().st_size:>10}  {path.relative_to(REPOSITORY)}")
    return 0


def release(out: Path) -> list[Path]:
    """Return the files of the release, with the checksums last. Their dates are the date of the commit.

    Raises:
        NotReleasable: there are uncommitted changes or untracked files in `lambdas`, CHANGELOG.md has no entry for this version, or no
            Python compiles the functions.
    """
    changed = [_git("status", "--porcelain", "--untracked-files=no"), _git("ls-files", "--others", "--exclude-standard", "lambdas")]
    if any(changed):
        raise NotReleasable("commit these changes first, so that the release is reproducible:\n" + "\n".join(filter(None, changed)))
    if f"## {VERSION}" not in (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8"):
        raise NotReleasable(f"CHANGELOG.md has no entry for {VERSION}; add one, or change lambdas/contract/version.py")
    if compiler(LAMBDA) is None:
        raise NotReleasable(f"install Python {LAMBDA.python}, which compiles the functions; a release contains byte code")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    moment = _git("log", "-1", "--format=%ct")
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder)
        _unpack_commit(tree)
        wheel(tree, out, moment)
        cache = tree / CACHE.name  # empty: a release takes nothing from earlier builds
        zip_to(build(LAMBDA, cache=cache), out / f"{PROJECT}-functions-{VERSION}.zip")
        templates(tree, out)
    write_sbom(out / f"{PROJECT}-functions-{VERSION}.cdx.json", moment)
    built = sorted(out.iterdir())
    statement = write_provenance(built, _git("rev-parse", "HEAD"), out / "provenance.intoto.json")
    return [*built, statement, checksums([*built, statement], out / "SHA256SUMS")]


def wheel(tree: Path, out: Path, moment: str) -> None:
    """Build the wheel of the command line with the pinned build backend of this environment.

    Source: https://reproducible-builds.org/docs/source-date-epoch/
    """
    command = [uv_binary(), "build", "--quiet", "--wheel", "--no-build-isolation", "--python", sys.executable, "--out-dir", str(out), "."]
    _run(command, tree, SOURCE_DATE_EPOCH=moment)
    (out / ".gitignore").unlink(missing_ok=True)  # written by uv


def templates(tree: Path, out: Path) -> None:
    """Synthesize the templates of a default configuration, for review or deployment without CDK."""
    _run([sys.executable, "app.py"], tree, CDK_OUTDIR=str(tree / "cdk.out"))
    for path in sorted((tree / "cdk.out").glob("*.template.json")):
        shutil.copyfile(path, out / f"{path.name.removesuffix('.template.json')}-{VERSION}.template.json")


def checksums(files: list[Path], path: Path) -> Path:
    """Write the checksums in the format of `sha256sum --check`."""
    lines = (f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files)
    path.write_text("".join(lines), encoding="utf-8")
    return path


def _unpack_commit(tree: Path) -> None:
    archive = subprocess.run(["git", "archive", "HEAD"], cwd=REPOSITORY, stdout=subprocess.PIPE, check=True)
    subprocess.run(["tar", "-x"], cwd=tree, input=archive.stdout, check=True)


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout.strip()


def _run(command: list[str], folder: Path, **variables: str) -> None:
    completed = subprocess.run(command, cwd=folder, env=os.environ | variables, capture_output=True, text=True, check=False)
    if completed.returncode != 0:
        raise NotReleasable(f"{' '.join(command)} failed:\n{completed.stdout}{completed.stderr}")


if __name__ == "__main__":
    sys.exit(main())
