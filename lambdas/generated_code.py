"""The code of the methods that `dataclasses` generates, compiled when the asset is built.

`dataclasses` writes the methods of a class as source text, which Python compiles each time that the module is imported: a fifth of the CPU
time of a cold start. The asset holds the compiled code of each text. A text that it does not hold is compiled as usual, for example where
Lambda's patch release of Python generates another one.

Source: https://github.com/python/cpython/blob/3.13/Lib/dataclasses.py (`add_fns_to_class`)
"""

import dataclasses
import marshal
from collections.abc import Mapping
from importlib.util import MAGIC_NUMBER
from typing import Any, Final

FILE: Final = "generated_code.bin"
"""The name of the file next to this module: the magic number of the byte code, then the code by source text. Only an asset has it.

The code of each text is marshalled for itself, so that a process loads that of its own classes only.
"""


def install() -> None:
    """Make `dataclasses` use the code of the asset, if there is any for this version of Python."""
    try:
        with open(__file__.rpartition("/")[0] + "/" + FILE, "rb") as file:  # noqa: PTH123  # `pathlib` is not needed otherwise
            content = file.read()
    except OSError:
        return
    if content.startswith(MAGIC_NUMBER):
        dataclasses.exec = _executor(marshal.loads(content[len(MAGIC_NUMBER) :]))  # type: ignore[attr-defined]  # noqa: S302  # as a .pyc


def _executor(code: Mapping[str, bytes]) -> Any:
    def execute(source: str, global_names: dict[str, Any], local_names: dict[str, Any]) -> None:
        marshalled = code.get(source)
        compiled = marshal.loads(marshalled) if marshalled else source  # noqa: S302  # as a .pyc
        exec(compiled, global_names, local_names)  # noqa: S102  # as `dataclasses` does

    return execute
