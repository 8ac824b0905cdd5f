"""Runbooks of this release, with their variables replaced by the names of one incident."""

from __future__ import annotations

import re
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cli.errors import CommandError
from lambdas.contract.names import PROJECT
from lambdas.contract.parameters import KUBERNETES_NAME, valid_cluster
from lambdas.contract.workloads import known

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lambdas.contract.environment import Environment
    from lambdas.contract.parameters import ServiceAccountRef

_CHECKOUT: Final = Path(__file__).resolve().parents[2] / "docs" / "runbooks"
_INSTALLED: Final = Path(sysconfig.get_path("data")) / "share" / PROJECT / "runbooks"
_VARIABLE: Final = re.compile(r"\$([A-Z][A-Z_]*)\b")


def runbook(verdict: str) -> str:
    """Return the text of the runbook of a verdict.

    Raises:
        CommandError: the installation has no runbooks.
    """
    for folder in (_CHECKOUT, _INSTALLED):
        path = folder / f"{verdict}.md"
        if path.is_file():
            return path.read_text(encoding="utf-8")
    raise CommandError(f"no runbook of {verdict} is installed", next_step="install the command line again, or open docs/runbooks")


def variables(target: ServiceAccountRef, environment: Environment) -> dict[str, str]:
    """Return the variables of runbooks that are known. A name that is no valid one is left out: it would be part of a command."""
    workload = known(target.namespace, target.name)
    values = {"ACCOUNT": environment.account, "REGION": environment.region, "ADDON": (workload.addon or "") if workload else ""}
    if valid_cluster(target.cluster):
        values["CLUSTER"] = target.cluster
    if KUBERNETES_NAME.match(target.namespace) and KUBERNETES_NAME.match(target.name):
        values |= {"NAMESPACE": target.namespace, "SERVICE_ACCOUNT": target.name}
    return {name: value for name, value in values.items() if value}


def filled(text: str, values: Mapping[str, str]) -> tuple[str, list[str]]:
    """Return the text with these variables replaced, and the names of those that are left."""
    replaced = _VARIABLE.sub(lambda match: values.get(match[1], match[0]), text)
    return replaced, sorted(set(_VARIABLE.findall(replaced)))
