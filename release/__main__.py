"""`make release`: the command line's wheel, the functions' asset, the templates, what they are made of, and their checksums."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from infra.asset import CACHE, LAMBDA, REPOSITORY, build, uv_binary, zip_to
from lambdas.contract.names import PROJECT
from lambdas.contract.version import VERSION
from release.bill import write_bill

OUT: Final = REPOSITORY / "build" / "release"


class NotReleasable(Exception):
    """What is here has no name that it could be released by; the message says what to do."""


def main() -> int:
    """Build everything into `build/release`, emptied before."""
    try:
        built = release(OUT)
    except NotReleasable as error:
        print(error, file=sys.stderr)
        return 1
    for path in built:
        print(f"{path.stat().st_size:>10}  {path.relative_to(REPOSITORY)}")
    return 0


def release(out: Path) -> list[Path]:
    """Each file of the release, the checksums last. Dates in them are the commit's.

    Raises:
        NotReleasable: there are changes that are not committed, or files of the functions that are in no commit, or no entry of this
            version in CHANGELOG.md.
    """
    changed = [_git("status", "--porcelain", "--untracked-files=no"), _git("ls-files", "--others", "--exclude-standard", "lambdas")]
    if any(changed):
        raise NotReleasable("commit first, so that the release can be made again:\n" + "\n".join(filter(None, changed)))
    if f"## {VERSION}" not in (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8"):
        raise NotReleasable(f"CHANGELOG.md says nothing of {VERSION}; add its entry, or change lambdas/contract/version.py")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    moment = _git("log", "-1", "--format=%ct")
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder)
        _unpack_commit(tree)
        wheel(tree, out, moment)
        zip_to(build(LAMBDA), out / f"{PROJECT}-functions-{VERSION}.zip")
        (tree / CACHE.name).symlink_to(CACHE)  # the same commit, so the same asset
        templates(tree, out)
    write_bill(out / f"{PROJECT}-functions-{VERSION}.cdx.json", moment)
    built = sorted(out.iterdir())
    return [*built, checksums(built, out / "SHA256SUMS")]


def wheel(tree: Path, out: Path, moment: str) -> None:
    """The command line as a wheel, by the pinned build backend of this environment.

    Source: https://reproducible-builds.org/docs/source-date-epoch/
    """
    command = [uv_binary(), "build", "--quiet", "--wheel", "--no-build-isolation", "--python", sys.executable, "--out-dir", str(out), "."]
    _run(command, tree, SOURCE_DATE_EPOCH=moment)
    (out / ".gitignore").unlink(missing_ok=True)  # uv's own


def templates(tree: Path, out: Path) -> None:
    """The templates of an environment with nothing but its place, for those who review or deploy without CDK."""
    _run([sys.executable, "app.py"], tree, CDK_OUTDIR=str(tree / "cdk.out"))
    for path in sorted((tree / "cdk.out").glob("*.template.json")):
        shutil.copyfile(path, out / f"{path.name.removesuffix('.template.json')}-{VERSION}.template.json")


def checksums(files: list[Path], path: Path) -> Path:
    """What `sha256sum --check` reads."""
    lines = (f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files)
    path.write_text("".join(lines), encoding="utf-8")
    return path


def _unpack_commit(tree: Path) -> None:
    archive = subprocess.run(["git", "archive", "HEAD"], cwd=REPOSITORY, stdout=subprocess.PIPE, check=True)
    subprocess.run(["tar", "-x"], cwd=tree, input=archive.stdout, check=True)


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout.strip()


def _run(command: list[str], folder: Path, **variables: str) -> None:
    done = subprocess.run(command, cwd=folder, env=os.environ | variables, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NotReleasable(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    sys.exit(main())
