"""The KWOK stages of nodes and pods: the files in `stages/`, with the credentials that the network plug-in works with."""

import copy
import json
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
    """Whose permissions suffice: which roles (None: any), the nodes' own role, the role of a pod identity association.

    `sts_timeout` is what a plug-in with a role ends with where STS is out of reach; empty where it is not.
    """

    roles: frozenset[str] | None = None
    node_role: bool = False
    pod_identity: bool = True
    sts_timeout: str = ""

    def expression(self) -> tuple[str, list[str]]:
        """Operator and values that select pods whose plug-in works, for the expression in `network-plugin.yaml`."""
        others = {NODE_ROLE: self.node_role, POD_IDENTITY: self.pod_identity}
        if self.roles is None:
            return "NotIn", [word for word, works in others.items() if not works] or ["nothing"]
        return "In", [*sorted(self.roles), *(word for word, works in others.items() if works)] or ["nothing"]


def write(folder: Path, credentials: PluginCredentials) -> list[Path]:
    """Write the stages into `folder` and return the files in a stable order."""
    folder.mkdir(exist_ok=True)
    files = []
    for source in sorted(FOLDER.glob("*.yaml")):
        documents = list(yaml.safe_load_all(source.read_text()))
        if source.name == PLUGIN:
            works, fails = (_filled_in(document, credentials) for document in documents)
            failing = [_denied_stage(fails, call, operator) for call, operator in FIRST_DENIED_CALL.items()]
            documents = [works, *(_unreachable_stage(item, credentials.sts_timeout) for item in failing)]
        files.append(folder / source.name)
        files[-1].write_text(yaml.safe_dump_all(documents))
    return files


# The first call that is denied, and the operator that selects the node's role: the node's role may not even describe network
# interfaces, a role with missing permissions may not create them.
FIRST_DENIED_CALL = {"DescribeNetworkInterfaces": "In", "CreateNetworkInterface": "NotIn"}


def _filled_in(stage: dict[str, Any], credentials: PluginCredentials) -> dict[str, Any]:
    """Fill in the expression: one stage selects working plug-ins, the other stages select the rest."""
    operator, values = credentials.expression()
    opposite = {"In": "NotIn", "NotIn": "In"}[operator]
    expression = _on_credentials(stage)
    expression |= {"operator": operator if stage["metadata"]["name"] == "plugin-works" else opposite, "values": values}
    return stage


def _denied_stage(fails: dict[str, Any], call: str, operator: str) -> dict[str, Any]:
    """The stage of failing plug-ins for one denied call."""
    stage = copy.deepcopy(fails)
    stage["metadata"]["name"] += f"-to-{call.lower()}"
    key = _on_credentials(stage)["key"]
    stage["spec"]["selector"]["matchExpressions"].append({"key": key, "operator": operator, "values": [NODE_ROLE]})
    (event,) = (step["event"] for step in stage["spec"]["steps"] if "event" in step)
    event["message"] = event["message"].replace("DescribeNetworkInterfaces", call)
    return stage


def _unreachable_stage(stage: dict[str, Any], message: str) -> dict[str, Any]:
    """The stage. Where STS is unreachable and the plug-in has a role: without the failure event, and with this termination message."""
    if not message or stage["spec"]["selector"]["matchExpressions"][-1]["operator"] == "In":
        return stage
    steps = [step for step in stage["spec"]["steps"] if "event" not in step]
    for step in steps:
        step["patch"]["template"] = step["patch"]["template"].replace('message: ""', f"message: {json.dumps(message)}")
    stage["spec"]["steps"] = steps
    return stage


def _on_credentials(stage: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in stage["spec"]["selector"]["matchExpressions"] if "AWS_ROLE_ARN" in each["key"])
    return found
