"""Builds the programs of the control plane from their Go modules, once: `python -m sandbox.control_plane.build [--quiet]`."""

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from sandbox.control_plane.binaries import KUBERNETES, TOOLS, Binaries, Tool, built_folder, find

OLDEST_GO = (1, 26)  # k8s.io/kubernetes v1.36 says `go 1.26.0`
INSTALL_GO = "Install Go 1.26 or newer (https://go.dev/doc/install), or set KUBEBUILDER_ASSETS to a folder with the programs."

ProgressCallback = Callable[[str], None]


class BuildError(Exception):
    """The programs are missing and cannot be built; the message names the next step."""


def ensure(console: Console) -> Binaries:
    """Return every program, after building the missing ones.

    Raises:
        BuildError: Go is missing or too old, or a build failed (with the compiler's last lines).
    """
    wanted = find().missing
    if not wanted:
        return find()
    check_go()
    folder = built_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        for tool in TOOLS:
            packages = {program: package for program, package in tool.packages.items() if program in find().missing}
            if packages:
                with _progress(console, ", ".join(packages)) as report_progress:
                    _build(tool, packages, folder, report_progress)
    return find()


def check_go() -> str:
    """Return the version of the Go on the PATH, such as `1.26.8`.

    Raises:
        BuildError: Go is missing or too old.
    """
    if shutil.which("go") is None:
        raise BuildError(f"Go is not on the PATH, and these programs are missing: {', '.join(find().missing)}. {INSTALL_GO}")
    version_text = subprocess.run(
        ["go", "env", "GOVERSION"], capture_output=True, text=True, env=_environment(), check=False
    ).stdout.strip()
    numbers = re.match(r"go(\d+)\.(\d+)", version_text)
    if numbers is None or (int(numbers[1]), int(numbers[2])) < OLDEST_GO:
        raise BuildError(
            f"The control plane needs Go 1.26 or newer; the PATH has {version_text or 'one of an unknown version'}. {INSTALL_GO}"
        )
    return version_text.removeprefix("go")


def _build(tool: Tool, packages: dict[str, str], folder: Path, report_progress: ProgressCallback) -> None:
    """Build into a sibling folder and move the result, so that no process starts an incomplete program."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as unfinished:
        for group in _groups(packages):
            output = f"{unfinished}/" if len(group) > 1 else f"{unfinished}/{next(iter(group))}"
            _go_build(tool, [*group.values()], output, report_progress)
        for program in packages:
            Path(unfinished, program).replace(folder / program)


def _groups(packages: dict[str, str]) -> list[dict[str, str]]:
    """`go build` names the file after the last part of the package; packages with another name are built one by one."""
    together = {program: package for program, package in packages.items() if package.rsplit("/", 1)[-1] == program}
    alone = [{program: package} for program, package in packages.items() if program not in together]
    return [group for group in [together, *alone] if group]


def _go_build(tool: Tool, packages: list[str], output: str, report_progress: ProgressCallback) -> None:
    # Two packages at a time keep the machine usable: linking one can take a gigabyte.
    command = ["go", "build", "-v", "-p", "2", "-trimpath", "-ldflags", _linker_flags(tool), "-o", output, *packages]
    process = subprocess.Popen(
        _with_low_priority(command), cwd=tool.module, env=_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None  # noqa: S101 - set by PIPE
    with process:
        lines = [_reported(line, count, report_progress) for count, line in enumerate(process.stderr, 1)]
    if process.returncode:
        raise BuildError(f"Building {tool.folder} failed:\n" + "".join(lines[-20:]))


def _reported(line: str, count: int, report_progress: ProgressCallback) -> str:
    report_progress(f"{count} packages, {line.strip()[-60:]}")
    return line


def _linker_flags(tool: Tool) -> str:
    """Strip symbols, and set the version that `kubectl version` and `/version` show, as Kubernetes' own build does."""
    if tool is not KUBERNETES:
        return "-s -w"
    version = tool.version_of("k8s.io/kubernetes")
    major, minor, _ = version.removeprefix("v").split(".", 2)
    stamp = {"gitVersion": version, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    return "-s -w " + " ".join(f"-X k8s.io/component-base/version.{name}={value}" for name, value in stamp.items())


def _environment() -> dict[str, str]:
    # No C compiler, no download of another toolchain, and no workspace of a parent folder.
    return os.environ | {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off"}


def _with_low_priority(command: list[str]) -> list[str]:
    return ["nice", "-n", "10", *command] if shutil.which("nice") else command


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let a second build wait for the first one and then use its programs."""
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _progress(console: Console, title: str) -> Iterator[ProgressCallback]:
    """Show a spinner on a terminal, or a line before and after the build in a log."""
    began = time.monotonic()
    if console.is_terminal:
        columns = (SpinnerColumn(), TextColumn("building {task.description}"), TimeElapsedColumn(), TextColumn("[dim]{task.fields[now]}"))
        with Progress(*columns, console=console, transient=True) as progress:
            task = progress.add_task(title, total=None, now="")
            yield lambda now: progress.update(task, now=now)
    else:
        console.print(f"building {title} ...")
        yield lambda _: None
    console.print(f"built {title} in {time.monotonic() - began:.0f} s")


def main(arguments: list[str]) -> int:
    """0 if every program is available; lists them, or with `--quiet` only the builds."""
    console = Console(stderr=True, highlight=False)
    try:
        programs = ensure(console)
    except BuildError as problem:
        console.print(str(problem), style="red", markup=False)
        return 1
    for program, path in () if "--quiet" in arguments else sorted(programs.found.items()):
        console.print(f"{program:26} {path.stat().st_size / 1e6:6.1f} MB  {path}", soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
