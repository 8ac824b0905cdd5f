"""The KWOK stages of nodes and pods: the files in `stages/`, with the credentials that the network plug-in works with."""

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent / "stages"
PLUGIN = "network-plugin.yaml"
NODE_ROLE = "node-role"
POD_IDENTITY = "pod-identity"
NO_AGENT = "no-agent"
WITHOUT_AGENT = "nodes-without-agent"
WITH_UNREADY_AGENT = "nodes-with-unready-agent"
"""Placeholders for names of nodes; no node has such a name."""


@dataclass(frozen=True)
class PluginCredentials:
    """Whose permissions suffice: which roles (None: any), the nodes' own role, the role of a pod identity association.

    `reported` holds `(identity, call)` for the identities to which EC2 refuses a call that the plug-in reports in an event. A plug-in
    without credentials emits none. The Pod Identity agent does not run on the nodes `without_agent`, and is not ready on the nodes
    `unready_agents`. On both, a plug-in gets no credentials of an association.
    """

    roles: frozenset[str] | None = None
    node_role: bool = False
    pod_identity: bool = True
    reported: tuple[tuple[str, str], ...] = ((NODE_ROLE, "ec2:DescribeNetworkInterfaces"),)
    without_agent: tuple[str, ...] = ()
    unready_agents: tuple[str, ...] = ()

    def expression(self) -> tuple[str, list[str]]:
        """Operator and values that select pods whose plug-in works, for the expression in `network-plugin.yaml`."""
        others = {NODE_ROLE: self.node_role, POD_IDENTITY: self.pod_identity, NO_AGENT: False}
        if self.roles is None:
            return "NotIn", [word for word, works in others.items() if not works]
        return "In", [*sorted(self.roles), *(word for word, works in others.items() if works)] or ["nothing"]


def write(folder: Path, credentials: PluginCredentials) -> list[Path]:
    """Write the stages into `folder` and return the files in a stable order."""
    folder.mkdir(exist_ok=True)
    files = []
    for source in sorted(FOLDER.glob("*.yaml")):
        documents = [_with_nodes(document, credentials) for document in yaml.safe_load_all(source.read_text())]
        if source.name == PLUGIN:
            works, fails, *exits = (_filled_in(document, credentials) for document in documents)
            documents = [works, *_failing_stages(fails, credentials), *exits]
        files.append(folder / source.name)
        files[-1].write_text(yaml.safe_dump_all(documents))
    return files


def _with_nodes(stage: dict[str, Any], credentials: PluginCredentials) -> dict[str, Any]:
    """Fill in the nodes where the Pod Identity agent is absent or not ready."""
    for expression in _expressions(stage):
        served = json.dumps([WITHOUT_AGENT, *credentials.without_agent, *credentials.unready_agents])
        expression["key"] = expression["key"].replace(f'"{WITHOUT_AGENT}"', served[1:-1])
        if expression.get("values") == [WITH_UNREADY_AGENT]:
            expression["values"] = [WITH_UNREADY_AGENT, *credentials.unready_agents]
    return stage


def _expressions(stage: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from stage["spec"]["selector"]["matchExpressions"]


def _filled_in(stage: dict[str, Any], credentials: PluginCredentials) -> dict[str, Any]:
    """Fill in the expression: one stage selects working plug-ins, the other stages select the rest."""
    operator, values = credentials.expression()
    opposite = {"In": "NotIn", "NotIn": "In"}[operator]
    expression = _on_credentials(stage)
    expression |= {"operator": operator if stage["metadata"]["name"] == "plugin-works" else opposite, "values": values}
    return stage


def _failing_stages(fails: dict[str, Any], credentials: PluginCredentials) -> list[dict[str, Any]]:
    """One stage for each reported call, and one for plug-ins that fail without an event."""
    users: dict[str, list[str]] = {}
    for identity, call in credentials.reported:
        users.setdefault(call, []).append(identity)
    silent = _restricted(fails, "without-event", "NotIn", [identity for identity, _ in credentials.reported] or ["nothing"])
    silent["spec"]["steps"] = [step for step in silent["spec"]["steps"] if "event" not in step]
    return [silent, *(_reporting_stage(fails, call, identities) for call, identities in users.items())]


def _reporting_stage(fails: dict[str, Any], call: str, identities: list[str]) -> dict[str, Any]:
    stage = _restricted(fails, f"to-{call.rpartition(':')[2].lower()}", "In", identities)
    (event,) = (step["event"] for step in stage["spec"]["steps"] if "event" in step)
    event["message"] = event["message"].replace("ec2:DescribeNetworkInterfaces", call)
    return stage


def _restricted(fails: dict[str, Any], suffix: str, operator: str, identities: list[str]) -> dict[str, Any]:
    """The stage of failing plug-ins for some identities only."""
    stage = copy.deepcopy(fails)
    stage["metadata"]["name"] += f"-{suffix}"
    key = _on_credentials(stage)["key"]
    stage["spec"]["selector"]["matchExpressions"].append({"key": key, "operator": operator, "values": identities})
    return stage


def _on_credentials(stage: dict[str, Any]) -> dict[str, Any]:
    return next(each for each in _expressions(stage) if "AWS_ROLE_ARN" in each["key"])
