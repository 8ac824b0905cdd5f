"""Pure functions of the product that a run calls again and again with the same arguments. Their results are kept, which halves its time."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

from lambdas.domain.diagnosis import workload_needs
from lambdas.domain.diagnosis.links import identity
from lambdas.domain.snapshot import bindings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_ABOUT_A_POLICY: Final = ("evaluate", "correct", "is_allowed", "breadth")
"""Functions of a trust policy and an identity: a tenth of the time."""


@contextmanager
def keep_results() -> Iterator[None]:
    """Run the block with the kept results, which nothing changes in place."""
    with ExitStack() as patches:
        for name in _ABOUT_A_POLICY:
            patches.enter_context(patch.object(identity, name, _once_a_policy(getattr(identity, name))))
        patches.enter_context(patch.object(workload_needs, "needs_of", cache(workload_needs.needs_of)))
        patches.enter_context(patch.object(bindings, "read_settings", _once_for_values(bindings.read_settings)))
        yield


def _once_a_policy(decide: Callable[[object, object], Any]) -> Callable[[object, object], Any]:
    """The function, which decides once about each object and identity. The objects are kept, so that no other one gets their id."""
    known: dict[tuple[int, object], tuple[object, Any]] = {}

    def decided(policy: object, of: object) -> Any:
        key = (id(policy), of)
        if key not in known:
            known[key] = policy, decide(policy, of)
        return known[key][1]

    return decided


def _once_for_values(read: Callable[..., tuple[Any, dict[str, str]]]) -> Callable[..., tuple[Any, dict[str, str]]]:
    """The parser of settings, which parses the same parameters once."""
    known: dict[tuple[object, ...], tuple[Any, dict[str, str]]] = {}

    def settings(values: Mapping[str, str], cluster: str, floor: Mapping[str, object]) -> tuple[Any, dict[str, str]]:
        key = (cluster, tuple(floor.items()), *values.items())
        if key not in known:
            known[key] = read(values, cluster, floor)
        found, wrong = known[key]
        return found, dict(wrong)

    return settings
