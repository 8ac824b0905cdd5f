"""What stands while it is used: set up in steps, and taken down in reverse at the end or where a step fails."""

from contextlib import ExitStack
from typing import Self


class ResourceStack:
    """A context manager by its `_set_up`, which enters what has to end again into `_stack`; that may go on while it stands."""

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
