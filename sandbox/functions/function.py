"""The configuration of a function, and the environment variables that Lambda gives it."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sandbox.functions.rie import runtime_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Function:
    """The configuration of a function. `concurrency` limits its execution environments.

    `history_retention_s` is how long a closed durable execution is kept, and its name with it.

    `preloaded`: the environments are forked from a process that has imported the modules; for tests with many environments.
    """

    name: str
    asset: Path
    handler: str
    environment: Mapping[str, str] = field(default_factory=dict)
    memory_mib: int = 256
    timeout_s: int = 60
    concurrency: int = 2
    account: str = "111122223333"
    region: str = "eu-west-1"
    durable: bool = False
    execution_timeout_s: int = 86_400
    history_retention_s: float = 30 * 86_400
    preloaded: bool = False
    role: str = ""
    modified_at: str = "2026-11-01T06:00:00.000+0000"
    dead_letters: str = ""
    """ARN of the queue of events whose attempts all failed."""


def configuration(function: Function) -> dict[str, Any]:
    """The function as Lambda lists it.

    Source: https://docs.aws.amazon.com/lambda/latest/api/API_FunctionConfiguration.html
    """
    return {
        "FunctionName": function.name,
        "FunctionArn": f"arn:aws:lambda:{function.region}:{function.account}:function:{function.name}",
        "Role": function.role,
        "Handler": function.handler,
        "Version": "$LATEST",
        "MemorySize": function.memory_mib,
        "Timeout": function.timeout_s,
        "LastModified": function.modified_at,
        "Environment": {"Variables": dict(function.environment)},
        **({"DeadLetterConfig": {"TargetArn": function.dead_letters}} if function.dead_letters else {}),
    }


def variables(function: Function) -> dict[str, str]:
    """Lambda's own variables, then those of the function; nothing from the environment of this process.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
    """
    own = {
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mib),
        "AWS_LAMBDA_FUNCTION_TIMEOUT": str(function.timeout_s),
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info.major}.{sys.version_info.minor}",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
        "LAMBDA_TASK_ROOT": str(function.asset),
        "AWS_REGION": function.region,
        "AWS_DEFAULT_REGION": function.region,
        "PYTHONPATH": str(runtime_folder()),
        "PYTHONDONTWRITEBYTECODE": "1",
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
    }
    return own | dict(function.environment)
