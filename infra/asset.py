"""Builds the deployment asset of the functions: code and pinned packages for one platform, pruned and reproducible.

`cdk deploy` and the sandbox use the same code with another target. The build needs wheels only, not Docker.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import platform
import shutil
import stat
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from infra.build_cache import build_once
from lambdas.contract.access import IAM
from lambdas.generated_code import FILE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

REPOSITORY: Final = Path(__file__).resolve().parent.parent
IS_CHECKOUT: Final = (REPOSITORY / "pyproject.toml").exists()
CACHE: Final = (
    REPOSITORY / ".cache" if IS_CHECKOUT else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "eks-irsa-remediator"
)
"""The package directory of an installation is read-only."""
LAMBDAS: Final = REPOSITORY / "lambdas"
REQUIREMENTS: Final = LAMBDAS / "requirements.txt"
_GENERATED_CODE: Final = Path(__file__).with_name("generated_code.py")

SERVICES: Final = tuple(sorted({grant.action.partition(":")[0] for grant in IAM} | {"sts"}))
"""Services whose models the asset contains: those that the functions may call, and STS, whose presigned URL is the login token."""

# Files that no function reads at run time.
_DROPPED_SUFFIXES: Final = (".pyi", ".c", ".h", ".pyx", ".pxd", ".rst", ".md", ".typed")
_DROPPED_FOLDERS: Final = frozenset({"__pycache__", "tests", "test", "examples", "bin"})
# Parts of packages that the functions do not import. The scenarios run from the pruned asset.
_DROPPED_PARTS: Final = ("aws_lambda_powertools/event_handler/", "aws_lambda_powertools/utilities/", "boto3/data/", "boto3/examples/")
_KEPT_PARTS: Final = ("aws_lambda_powertools/utilities/__init__.py", "aws_lambda_powertools/utilities/jmespath_utils/")
"""Exceptions to the dropped parts: the Powertools logger imports its JMESPath utilities."""
# The durable SDK reads entry points for plug-ins; no pinned package has one.
_DROPPED_ENDINGS: Final = (".dist-info", ".egg-info")
_MODELS: Final = ("service-2", "endpoint-rule-set-1", "paginators-1")

_TREE: Final = "tree"
_DIGEST: Final = "sha256"
"""Names in the cached folder of an asset: its files, and their digest."""

_EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # the earliest date that the zip format allows
_EPOCH_S: Final = 315_532_800


class BundlingFailed(Exception):
    """The asset cannot be built; the message names the next step."""


@dataclass(frozen=True)
class Target:
    """Platform of the asset. `platform` is a wheel tag such as `manylinux2014_aarch64`; empty means this machine."""

    platform: str = "manylinux2014_aarch64"
    python: str = "3.13"

    @staticmethod
    def this_machine() -> Target:
        """Return the target for the emulator: this machine and this Python."""
        return Target(platform="", python=f"{sys.version_info.major}.{sys.version_info.minor}")


LAMBDA: Final = Target()


def build(target: Target = LAMBDA, out_dir: Path | None = None, *, cache: Path | None = None) -> Path:
    """Return the folder of the asset, or of its copy in `out_dir`. Each content is built once and cached.

    An asset for Lambda is compared with the digest of its build before each use, and built again where a file was changed since.

    Raises:
        BundlingFailed: uv is missing, or a pinned package has no wheel for the target.
    """
    cache = cache or CACHE
    cached = cache / "asset" / content_hash(target)
    if target.platform and cached.exists() and not _is_as_built(cached):
        shutil.rmtree(cached)
    folder = build_once(cached, lambda whole: _fill(whole, target, cache)) / _TREE
    if out_dir is None:
        return folder
    shutil.copytree(folder, out_dir, dirs_exist_ok=True)
    return out_dir


def _is_as_built(cached: Path) -> bool:
    try:
        return (cached / _DIGEST).read_text(encoding="ascii") == tree_digest(cached / _TREE)
    except (OSError, UnicodeDecodeError):
        return False


def tree_digest(folder: Path) -> str:
    """Return the SHA-256 of the names, modes and contents of all files of a folder."""
    digest = hashlib.sha256()
    for path in _files(folder):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(folder).as_posix()} {path.stat().st_mode:o} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def content_hash(target: Target = LAMBDA) -> str:
    """Return the hash of all inputs: sources, pins, this module, the target and the Python that compiles it."""
    return _hash(target, (*_sources(), REQUIREMENTS, Path(__file__), _GENERATED_CODE))


def _hash(target: Target, files: Iterable[Path]) -> str:
    compiled_by = compiler(target)
    version = compiled_by.version if compiled_by else ""
    digest = hashlib.sha256(f"{target.platform or _own_platform()} {target.python} {version}".encode())
    for path in files:
        content = path.read_bytes()
        digest.update(f"{path.relative_to(REPOSITORY).as_posix()} {len(content)}\n".encode() + content)
    digest.update(" ".join(SERVICES).encode())
    return digest.hexdigest()[:32]


def zip_bytes(folder: Path) -> bytes:
    """Return the folder as a reproducible zip file: sorted, with one fixed date."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in _files(folder):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (stat.S_IFREG | (0o755 if path.suffix == ".so" else 0o644)) << 16
            archive.writestr(entry, path.read_bytes())
    return buffer.getvalue()


def zip_to(folder: Path, path: Path) -> Path:
    """Write the folder's zip file and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(zip_bytes(folder))
    return path


def uv_binary() -> str:
    """Return the path of uv, next to this Python or on `PATH`.

    Raises:
        BundlingFailed: uv is not installed.
    """
    adjacent = Path(sys.executable).with_name("uv")
    found = str(adjacent) if adjacent.exists() else shutil.which("uv")
    if found is None:
        raise BundlingFailed("uv is required to bundle the functions and is not installed; run `make setup` or `pip install uv`")
    return found


@dataclass(frozen=True)
class Compiler:
    """A Python that compiles the asset. Its version decides the byte code, so it is one of the inputs of a build."""

    path: str
    version: str


@lru_cache
def compiler(target: Target) -> Compiler | None:
    """Return a Python of the target's minor version, which byte code requires, or None when this machine has none.

    Byte code does not depend on the processor. /var/task is read-only, so without byte code every cold start compiles its imports
    (figures in ADR 0003). No Python is downloaded. Each candidate is run, since a shim of pyenv is on the path for versions that no
    folder selects, and then fails.
    """
    if target.python == Target.this_machine().python:
        return Compiler(sys.executable, platform.python_version())
    return next((found for candidate in _pythons(target.python) if (found := _run(candidate, target.python))), None)


def _pythons(version: str) -> Iterator[str]:
    """Candidates: `python3.13` on the path, those of pyenv, newest first, and the one that uv finds."""
    yield from filter(None, [shutil.which(f"python{version}")])
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from map(str, sorted(root.glob(f"versions/{version}.*/bin/python{version}"), key=_patch, reverse=True))
    command = [uv_binary(), "python", "find", "--no-python-downloads", "--no-project", "--system", version]
    yield subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603  # fixed arguments


def _patch(path: Path) -> int:
    number = path.parents[1].name.rpartition(".")[2]
    return int(number) if number.isdecimal() else -1


def _run(candidate: str, minor: str) -> Compiler | None:
    """Return the interpreter, if it runs and has this minor version."""
    script = "import platform, sys; print(sys.executable, platform.python_version(), sep='\\n')"
    try:
        done = subprocess.run([candidate, "-I", "-c", script], capture_output=True, text=True, check=False)  # noqa: S603  # found above
    except OSError:
        return None
    path, _, version = done.stdout.strip().partition("\n")
    return Compiler(path, version) if done.returncode == 0 and version.startswith(f"{minor}.") else None


def _fill(whole: Path, target: Target, cache: Path) -> None:
    """Fill the folder with the asset and its digest.

    Packages for this machine have their own cache, since they rarely change and take seconds to install. Those for Lambda are installed
    from wheels whose hashes are checked.
    """
    tree = whole / _TREE
    if target.platform:
        _fill_packages(tree, target)
    else:
        packages = cache / "packages" / _hash(target, (REQUIREMENTS, Path(__file__)))
        shutil.copytree(build_once(packages, lambda folder: _fill_packages(folder, target)), tree)
    for source in _sources():
        copy = tree / source.relative_to(REPOSITORY)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, copy)
    _compile(tree, tree / LAMBDAS.name, target)
    _compile_generated(tree, target)
    _fix_metadata(tree)
    (whole / _DIGEST).write_text(tree_digest(tree), encoding="ascii")


def _fill_packages(whole: Path, target: Target) -> None:
    _install(whole, target)
    _prune(whole)
    _reduce_models(whole / "botocore" / "data")
    _compile(whole, whole, target)


def _install(whole: Path, target: Target) -> None:
    """Source: https://docs.astral.sh/uv/reference/cli/#uv-pip-install"""
    command = [uv_binary(), "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--only-binary", ":all:", "--link-mode", "copy"]
    command += ["--target", str(whole), "--python-version", target.python, "-r", str(REQUIREMENTS)]
    command += ["--python-platform", _uv_platform(target.platform)] if target.platform else ["--python", sys.executable]
    completed = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # fixed arguments
    if completed.returncode != 0:
        where = target.platform or _own_platform()
        raise BundlingFailed(
            f"the packages of lambdas/requirements.txt could not be installed for {where}, Python {target.python}:\n"
            f"{completed.stderr.strip()}\n"
            "If a package has no wheel for this platform, pin another version (`make lock`). Otherwise check access to the package index."
        )


def _prune(whole: Path) -> None:
    for path in tuple(_files(whole)):
        if not _needed(PurePosixPath(path.relative_to(whole).as_posix())):
            path.unlink()
    for folder in sorted((path for path in whole.rglob("*") if path.is_dir()), reverse=True):
        if not any(folder.iterdir()):
            folder.rmdir()


def _needed(path: PurePosixPath) -> bool:
    if path.suffix in _DROPPED_SUFFIXES or _DROPPED_FOLDERS & set(path.parts) or path.parts[0].startswith("."):
        return False
    if path.parts[0].endswith(_DROPPED_ENDINGS) or (str(path).startswith(_DROPPED_PARTS) and not str(path).startswith(_KEPT_PARTS)):
        return False
    return _model_needed(path) if path.parts[:2] == ("botocore", "data") else True


def _model_needed(path: PurePosixPath) -> bool:
    """Return whether a file of botocore's data is needed: top-level files (endpoints, retries) and models of used services."""
    if len(path.parts) == 3:  # noqa: PLR2004  # botocore/data/<file>
        return True
    return path.parts[2] in SERVICES and path.name.startswith(_MODELS)


def _reduce_models(data: Path) -> None:
    """Remove what no call reads from botocore's data, since each cold start parses it: descriptions, and endpoints of other services.

    The models of five services then take 6 ms of processor time instead of 17, and the endpoints less than 1 ms instead of 8.
    """
    for path in data.rglob("*.json.gz"):
        model = json.loads(gzip.decompress(path.read_bytes()), object_hook=_without_documentation)
        path.with_suffix("").write_text(json.dumps(model, separators=(",", ":")), encoding="utf-8")
        path.unlink()
    endpoints = data / "endpoints.json"
    found = json.loads(endpoints.read_bytes())
    for partition in found["partitions"]:
        partition["services"] = {name: service for name, service in partition["services"].items() if name in SERVICES}
    endpoints.write_text(json.dumps(found, separators=(",", ":")), encoding="utf-8")


def _without_documentation(item: dict[str, Any]) -> dict[str, Any]:
    """A member of a structure may have this name, too: it is no text."""
    return {key: value for key, value in item.items() if key != "documentation" or not isinstance(value, str)}


def _compile(whole: Path, part: Path, target: Target) -> None:
    """Compile to byte code without source timestamps, which would differ between builds."""
    python = compiler(target)
    if python is None:
        return
    options = ["-q", "-j", "0", "--invalidation-mode", "unchecked-hash", "-s", str(whole), "-p", "/var/task"]
    command = [python.path, "-I", "-S", "-m", "compileall", *options]
    completed = subprocess.run([*command, str(part)], capture_output=True, text=True, check=False)  # noqa: S603  # fixed arguments
    if completed.returncode != 0:
        raise BundlingFailed(f"the asset could not be compiled by {python.path}:\n{completed.stdout.strip()}{completed.stderr.strip()}")


def _compile_generated(whole: Path, target: Target) -> None:
    """Add the code of the methods that the functions' dataclasses generate."""
    python = compiler(target)
    if python is None:
        return
    command = [python.path, "-I", "-S", "-B", str(_GENERATED_CODE), str(whole), str(whole / LAMBDAS.name / FILE)]
    completed = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # fixed arguments
    if completed.returncode != 0:
        raise BundlingFailed(f"the functions could not be imported by {python.path}:\n{completed.stderr.strip()}")


def _fix_metadata(whole: Path) -> None:
    for path in _files(whole):
        path.chmod(0o755 if path.suffix == ".so" else 0o644)
        os.utime(path, (_EPOCH_S, _EPOCH_S))


def _sources() -> list[Path]:
    return sorted(path for path in LAMBDAS.rglob("*.py") if "__pycache__" not in path.parts)


def _files(folder: Path) -> Iterator[Path]:
    return iter(sorted(path for path in folder.rglob("*") if path.is_file()))


def _uv_platform(wheel_tag: str) -> str:
    """`manylinux2014_aarch64` as uv writes it: `aarch64-manylinux2014`."""
    system, _, machine = wheel_tag.partition("_")
    return f"{machine}-{system}"


def _own_platform() -> str:
    return f"{platform.system()}-{platform.machine()}"
