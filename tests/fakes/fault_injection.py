"""Fault injection for all fakes: a call of a port raises the errors that the world configures, before or after its effect."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.world import World

Fake = TypeVar("Fake", bound=type)


def injects_faults(port: type, name: str) -> Callable[[Fake], Fake]:
    """A decorator for the fake of this port, which has its world as `_world`. `World.fail` and `World.reads` name calls `name.method`."""

    def decorate(fake: Fake) -> Fake:
        for method in (attribute for attribute in vars(port) if not attribute.startswith("_")):
            setattr(fake, method, _with_faults(f"{name}.{method}", getattr(fake, method)))
        return fake

    return decorate


def _with_faults(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def call(self: Any, *arguments: Any, **named: Any) -> Any:
        world: World = self._world
        world.raise_fault(name)
        result = method(self, *arguments, **named)
        world.raise_fault(name, after=True)
        return result

    return call
