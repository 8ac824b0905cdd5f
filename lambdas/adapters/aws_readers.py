"""The adapters that checker and remediator read through."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambdas.adapters.cluster import Clusters
from lambdas.adapters.eks import Eks
from lambdas.adapters.eks_token import Tokens
from lambdas.adapters.event_history import EventHistory
from lambdas.adapters.iam import Iam
from lambdas.adapters.parameter_store import ParameterStore
from lambdas.application.readers import Readers
from lambdas.contract.settings import parse_floor

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor

    from lambdas.adapters.aws_session import AwsSession
    from lambdas.contract.environment import Environment, Function


def aws_readers(
    session: AwsSession,
    environment: Environment,
    function: Function,
    new_executor: Callable[[int], Executor],
    *,
    parameters_ttl_s: float = 0,
    facts_ttl_s: float = 0,
) -> Readers:
    """Readers for the account and region of the deployment.

    Args:
        session: the session of the function.
        environment: the environment variables of the function.
        function: the function that reads; an error names it if its access is missing.
        new_executor: makes an executor for that many parallel reads.
        parameters_ttl_s: maximum age of bindings and settings (seconds).
        facts_ttl_s: maximum age of a cluster's description, a role and an OIDC provider (seconds).
    """
    return Readers(
        parameters=ParameterStore(session, ttl_s=parameters_ttl_s),
        eks=Eks(session, ttl_s=facts_ttl_s),
        iam=Iam(session, account=environment.account, partition=environment.partition, ttl_s=facts_ttl_s),
        clusters=Clusters(Tokens(session, environment.partition), environment.role_of(function)),
        new_executor=new_executor,
        account=environment.account,
        region=environment.region,
        partition=environment.partition,
        may_simulate=environment.may_simulate == "true",
        event_history=EventHistory(session) if environment.may_look_up_events == "true" else None,
        bound_roles=tuple(environment.bound_roles.split(",")),
        floor=parse_floor(environment.settings_floor),
    )
