"""The writes of a run, and which of them put in a role that nothing allows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lambdas.domain.snapshot.bindings import Parameter
from lambdas.domain.snapshot.snapshot import RoleFacts
from tests.over_fakes.scenario_world import BOUND_ROLE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from tests.over_fakes.scenario_run import ScenarioRun

BINDING = "/eks-irsa-remediator/bindings/"


def unauthorized(run: ScenarioRun, allowed: Collection[str]) -> list[str]:
    """Writes of a role that is not among these, and pods that received such a role from our writes."""
    roles = [(write, write.split()[-1]) for write in run.world.writes if write.startswith(("annotate", "set add-on role"))]
    return [write for write, role in roles if role not in ("None", *allowed)]


def bind(value: str, *, trusted: bool = False) -> Callable[[ScenarioRun], None]:
    """Overwrite the binding. `trusted`: IAM knows the role, and its trust policy is as good as that of the bound role."""

    def overwrite(run: ScenarioRun) -> None:
        path = next(path for path in run.world.parameters if path.startswith(BINDING))
        former = run.world.parameters[path]
        run.world.parameters[path] = Parameter(value=value, version=former.version + 1, changed_at=run.world.now)
        if trusted:
            run.world.roles[value] = RoleFacts(arn=value, trust=run.world.roles[BOUND_ROLE].trust)

    return overwrite


def bounded(run: ScenarioRun, *roles: str) -> None:
    """Deploy with these `bound_roles`; an empty text means that none was configured."""
    run.readers = replace(run.readers, bound_roles=roles)
