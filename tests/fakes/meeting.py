"""What every fake has in common: a call of its port meets the troubles that were arranged for it, before its effect and after it."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.world import World

Fake = TypeVar("Fake", bound=type)


def meets_troubles(port: type, name: str) -> Callable[[Fake], Fake]:
    """The fake of this port, which keeps its world as `_world`. Its methods are `name.method` to `World.fail` and in `World.reads`."""

    def over(fake: Fake) -> Fake:
        for method in (var for var in vars(port) if not var.startswith("_")):
            setattr(fake, method, _met(f"{name}.{method}", getattr(fake, method)))
        return fake

    return over


def _met(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def call(self: Any, *arguments: Any, **named: Any) -> Any:
        world: World = self._world
        world.meet(name)
        result = method(self, *arguments, **named)
        world.meet(name, after=True)
        return result

    return call
