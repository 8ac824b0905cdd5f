"""A base class for resources that are set up in steps and closed in reverse order."""

from contextlib import ExitStack
from typing import Self


class ResourceStack:
    """A context manager. `_set_up` enters resources into `_stack`; if a step fails, the resources of earlier steps are closed."""

    _stack: ExitStack

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._stack = stack
            self._set_up()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _set_up(self) -> None:
        raise NotImplementedError
