"""Builds the ports of the self-test, and returns its report as JSON. A handler imports this module for a self-test only."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.util import cache_from_source
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lambdas.adapters.aws_readers import aws_readers
from lambdas.adapters.cluster_probe import ClusterProbe
from lambdas.adapters.eks_token import Tokens
from lambdas.adapters.incidents import Incidents
from lambdas.application.codec import encode
from lambdas.application.self_test import RuntimeFacts, SelfTestPorts, run_durable_self_test, run_self_test
from lambdas.contract.access import IAM
from lambdas.contract.self_test import InvalidSelfTest, parse_self_test

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lambdas.adapters.aws_session import AwsSession
    from lambdas.application.workflow_steps import Steps
    from lambdas.contract.environment import Environment, Function


def self_test(
    event: Mapping[str, Any], session: AwsSession, environment: Environment, function: Function, steps: Steps | None = None
) -> dict[str, Any]:
    """The report of a function, or `{"error": ...}` for an invalid request. A durable execution passes its `steps`."""
    try:
        request = parse_self_test(event)
    except InvalidSelfTest as error:
        return {"error": str(error)}
    ports = _ports(session, environment, function)
    report: dict[str, Any] = encode(run_durable_self_test(request, steps, ports) if steps else run_self_test(request, ports))
    return report


def _ports(session: AwsSession, environment: Environment, function: Function) -> SelfTestPorts:
    """Ports over the session of the function, whose clients are those that a check uses."""
    return SelfTestPorts(
        readers=aws_readers(session, environment, function, ThreadPoolExecutor),
        incidents=Incidents(session, environment.incidents_table),
        probe=ClusterProbe(Tokens(session, environment.partition), environment.role_of(function)),
        function=function,
        runtime=partial(_runtime, session, function),
        environment=environment,
        seconds=time.monotonic,
    )


def _runtime(session: AwsSession, function: Function) -> RuntimeFacts:
    """What Lambda tells the function about itself.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
    """
    return RuntimeFacts(
        function=function,
        function_version=os.environ.get("AWS_LAMBDA_FUNCTION_VERSION", ""),
        memory_mib=int(os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "0")),
        is_compiled=Path(cache_from_source(__file__)).exists(),
        endpoints={service: str(session.client(service).meta.endpoint_url) for service in _services(function)},
    )


def _services(function: Function) -> list[str]:
    """The services that the grants of the function name; `iam:PassRole` is no call."""
    return sorted({grant.action.partition(":")[0] for grant in IAM if function in grant.by})
