"""Writes the code of generated methods into an asset. The asset's Python runs this file, with the folder and the output as arguments.

It imports every module of the functions, and records what `dataclasses` compiles. A stand-in replaces orjson, the only package that the
modules load when they are imported and that is compiled for another platform.
"""

import dataclasses
import importlib
import marshal
import pkgutil
import sys
from importlib.util import MAGIC_NUMBER
from pathlib import Path
from types import ModuleType
from typing import Any


class _StandIn(ModuleType):
    def __getattr__(self, name: str) -> Any:
        return None


def main(folder: str, out: str) -> None:
    """Import the modules in the folder, and write the compiled code by source text."""
    sources: set[str] = set()

    def record(source: str, *names: dict[str, Any]) -> None:
        sources.add(source)
        exec(source, *names)  # noqa: S102  # as `dataclasses` does

    dataclasses.exec = record  # type: ignore[attr-defined]
    sys.modules["orjson"] = _StandIn("orjson")
    sys.path.insert(0, folder)
    for module in pkgutil.walk_packages([f"{folder}/lambdas"], "lambdas."):
        importlib.import_module(module.name)
    # Version 2 of the format has no references, which would depend on what else the process holds.
    code = {source: marshal.dumps(compile(source, "<dataclass>", "exec"), 2) for source in sorted(sources)}
    Path(out).write_bytes(MAGIC_NUMBER + marshal.dumps(code, 2))


if __name__ == "__main__":
    main(*sys.argv[1:])
