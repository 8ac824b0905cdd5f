"""The Lambda Runtime Interface Emulator and the runtime client, installed once into the cache."""

from __future__ import annotations

import compileall
import platform
import re
import shutil
import stat
import subprocess
import tempfile
from functools import partial
from importlib.metadata import distribution
from pathlib import Path
from py_compile import PycInvalidationMode
from typing import TYPE_CHECKING

from infra.asset import CACHE, uv_binary
from infra.build_cache import build_once

if TYPE_CHECKING:
    from collections.abc import Iterable
    from importlib.metadata import Distribution

_REQUIREMENTS = Path(__file__).with_name("rie-requirements.txt")
_RAPID = Path("samcli/local/rapid")
_BINARIES = {"x86_64": "aws-lambda-rie-x86_64", "aarch64": "aws-lambda-rie-arm64"}
# The packages of Lambda's managed runtime besides the standard library and the SDK, which is part of the asset.
_RUNTIME_PACKAGES = ("awslambdaric", "snapshot-restore-py", "simplejson")


class EmulatorUnavailable(Exception):
    """The emulator is not available on this machine; the message says why and what to do."""


def emulator_binary(cache: Path = CACHE) -> Path:
    """Path of the emulator for this machine; the first call extracts it from its wheel.

    Raises:
        EmulatorUnavailable: not Linux, another processor, or the wheel cannot be installed.
    """
    name = _BINARIES.get(platform.machine())
    if platform.system() != "Linux" or name is None:
        where = f"{platform.system()} on {platform.machine()}"
        raise EmulatorUnavailable(
            f"the Lambda emulator is a Linux binary for x86_64 or aarch64, this is {where}; run it in a Linux machine"
        )
    return build_once(cache / "rie" / _version(), _unpack) / name


def runtime_folder(cache: Path = CACHE) -> Path:
    """A folder with Lambda's runtime client only, so that a function sees no other package of this environment.

    It is compiled, because functions write no byte code and each cold start would compile it again.
    """
    found = [distribution(name) for name in _RUNTIME_PACKAGES]
    versions = "-".join(f"{dist.metadata['Name']}-{dist.version}" for dist in found)
    return build_once(cache / "runtime" / versions / platform.python_version(), partial(_copy, found))


def _version() -> str:
    pinned = re.search(r"^aws-sam-cli==(\S+)", _REQUIREMENTS.read_text(), re.MULTILINE)
    if pinned is None:
        raise EmulatorUnavailable(f"{_REQUIREMENTS.name} does not pin aws-sam-cli")
    return pinned.group(1)


def _copy(found: Iterable[Distribution], fresh: Path) -> None:
    for dist in found:
        for file in dist.files or ():
            if not str(file).startswith("..") and ".dist-info" not in str(file) and "__pycache__" not in str(file):
                (fresh / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(str(file.locate()), fresh / file)
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
