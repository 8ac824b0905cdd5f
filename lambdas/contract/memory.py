"""Memory of each function, which also decides its share of a processor. docs/performance.md has the curve of latency against price."""

from collections.abc import Mapping
from typing import Final

from lambdas.contract.environment import Function

MEMORY_MIB: Final[Mapping[Function, int]] = {
    Function.CHECKER: 512,  # every sweep pays for it; half of the size doubles a cold start
    Function.REMEDIATOR: 1769,  # a whole vCPU, for the few executions that repair something
    Function.NODE_WATCHER: 128,  # the largest batch that Lambda accepts (6 MB, compressed) needs 69 MB
}
