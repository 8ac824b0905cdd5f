"""Environment variables of the functions, set by the stack."""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from enum import StrEnum
from typing import Final

from lambdas.contract.names import RUNBOOK_ROOT

MAX_ENVIRONMENT_BYTES: Final = 4_096
"""Bytes of a function's variables. Lambda's own error shows that it measures them as one JSON object.

Sources: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
https://github.com/github-aws-runners/terraform-aws-github-runner/issues/3594
"""


FUNCTION_NAME: Final = "AWS_LAMBDA_FUNCTION_NAME"
"""The variable that Lambda sets to the name of the function.

Source: https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
"""


class Function(StrEnum):
    """The functions of the stack. The value is the name of the package under `lambdas/`."""

    CHECKER = "checker"
    REMEDIATOR = "remediator"
    NODE_WATCHER = "node_watcher"

    @property
    def handler(self) -> str:
        """The Lambda handler string."""
        return f"lambdas.{self.value}.handler.lambda_handler"


class MissingEnvironment(RuntimeError):
    """The function started without a variable that the stack sets."""


@dataclass(frozen=True, kw_only=True)
class Environment:
    """The deployment's values for every function. The variable of a field is its name in capitals with a prefix.

    `remediator_arn` is the qualified ARN of the alias that new incidents start on. `our_role_arns` (comma-separated) are the stack's
    roles, whose calls start no check. `may_simulate` says whether the optional grant on `iam:SimulatePrincipalPolicy` was deployed,
    `may_look_up_events` whether the one on `cloudtrail:LookupEvents` was.
    `bound_roles` (comma-separated ARNs with `*`) are the only roles that may be written. Empty means that none was configured, `*` that
    this is not known. `settings_floor`, such as `mode=approve;cooldown_s=600`, holds the least strict settings that parameters can choose;
    `*` means that this is not known, which only a command line can say.
    `clusters` (comma-separated names) are the clusters that this stack serves, where another stack serves others in the same account and
    region; empty means every cluster. `environment_name` is the name in `deploy.yaml`; messages put it before the cluster.
    """

    account: str
    region: str
    partition: str
    incidents_table: str
    remediator_arn: str
    chat_topic_arn: str
    people_topic_arn: str
    event_bus: str
    our_role_arns: str
    may_simulate: str
    may_look_up_events: str = "false"
    runbook_root: str = RUNBOOK_ROOT
    bound_roles: str = "*"
    settings_floor: str = ""
    clusters: str = ""
    environment_name: str = ""

    @classmethod
    def read(cls, variables: Mapping[str, str]) -> "Environment":
        """Return the values of the variables, usually `os.environ`.

        Raises:
            MissingEnvironment: names every variable that is absent.
        """
        values = {f.name: variables[variable(f.name)] for f in fields(cls) if variable(f.name) in variables}
        absent = [variable(f.name) for f in fields(cls) if f.name not in values and f.default is MISSING]
        if absent:
            raise MissingEnvironment(f"the function's environment lacks {', '.join(absent)}; deploy the stack again")
        return cls(**values)

    def role_of(self, function: Function) -> str:
        """ARN of a function's role; empty where the variable is not set. The stack lists the roles in the order of the functions."""
        return dict(zip(Function, self.our_role_arns.split(","), strict=False)).get(function, "")

    def serves(self, cluster: str) -> bool:
        """Whether this stack serves the cluster."""
        served = [name for name in self.clusters.split(",") if name]
        return not served or cluster in served


def variable(field_name: str) -> str:
    """The environment variable of a field: its name in capitals. The prefix avoids collisions with variables of the runtime."""
    return f"IRSA_{field_name.upper()}"


ALLOCATOR: Final = {"MALLOC_ARENA_MAX": "1"}
"""Variables for the functions' C library: all threads share one heap.

A check reads in threads that end with it. With one heap per thread, glibc does not reuse the memory of earlier checks: a function that
checks 1,000 nodes repeatedly grows from 102 to 131 MB, with one heap it stays at 96 MB. Only one thread runs Python code at a time.
Source: https://www.gnu.org/software/libc/manual/html_node/Malloc-Tunable-Parameters.html
"""

VARIABLES: Final = tuple(variable(f.name) for f in fields(Environment))
