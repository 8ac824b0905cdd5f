"""What KWOK lets nodes and pods do: the files in `stages/`, with the credentials filled in that the network plug-in can work with."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent / "stages"
PLUGIN = "network-plugin.yaml"
NODE_ROLE = "node-role"
POD_IDENTITY = "pod-identity"


@dataclass(frozen=True)
class PluginCredentials:
    """Whose permissions suffice: which roles (None: any), the nodes' own role, the role of a pod identity association."""

    roles: frozenset[str] | None = None
    node_role: bool = False
    pod_identity: bool = True

    def expression(self) -> tuple[str, list[str]]:
        """Operator and values that hold for a pod whose plug-in works, over the words that `network-plugin.yaml` finds."""
        others = {NODE_ROLE: self.node_role, POD_IDENTITY: self.pod_identity}
        if self.roles is None:
            return "NotIn", [word for word, works in others.items() if not works] or ["nothing"]
        return "In", [*sorted(self.roles), *(word for word, works in others.items() if works)] or ["nothing"]


def write(folder: Path, credentials: PluginCredentials) -> list[Path]:
    """Write the stages into `folder` and return the files, in a stable order."""
    folder.mkdir(exist_ok=True)
    files = []
    for source in sorted(FOLDER.glob("*.yaml")):
        documents = list(yaml.safe_load_all(source.read_text()))
        if source.name == PLUGIN:
            documents = [_filled_in(document, credentials) for document in documents]
        files.append(folder / source.name)
        files[-1].write_text(yaml.safe_dump_all(documents))
    return files


def _filled_in(stage: dict[str, Any], credentials: PluginCredentials) -> dict[str, Any]:
    """The stages select on the same expression, one for what works and one for the rest."""
    operator, values = credentials.expression()
    opposite = {"In": "NotIn", "NotIn": "In"}[operator]
    for expression in stage["spec"]["selector"]["matchExpressions"]:
        if expression.get("values") == [NODE_ROLE]:
            expression |= {"operator": operator if stage["metadata"]["name"] == "plugin-works" else opposite, "values": values}
    return stage
