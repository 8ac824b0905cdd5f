"""Every rule of preflight. Ids are an interface: pipelines suppress and count by them."""

from typing import Final

from preflight.rules import clusters, files
from preflight.rules.rule import Level, Rule

__all__ = ["RULES", "Level", "Rule", "declared", "living"]

RULES: Final = tuple(var for module in (files, clusters) for var in vars(module).values() if isinstance(var, Rule))
