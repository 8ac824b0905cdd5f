"""The adapters that a function observes through, wired once for all functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambdas.adapters.cluster import Clusters
from lambdas.adapters.eks import Eks
from lambdas.adapters.eks_token import Tokens
from lambdas.adapters.iam import Iam
from lambdas.adapters.parameter_store import ParameterStore
from lambdas.application.readers import Readers

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor

    from lambdas.adapters.aws_session import AwsSession
    from lambdas.contract.environment import Environment, Function


def aws_readers(
    session: AwsSession,
    here: Environment,
    function: Function,
    new_executor: Callable[[int], Executor],
    *,
    parameters_kept_s: float = 0,
    facts_kept_s: float = 0,
) -> Readers:
    """Readers for the place that the function was deployed to.

    Args:
        session: whose clients are used.
        here: the function's environment.
        function: the function that reads; an error names it if its access is missing.
        new_executor: makes an executor for that many parallel reads.
        parameters_kept_s: how old bindings and settings may be (seconds).
        facts_kept_s: how old a cluster's description, a role and an OIDC provider may be (seconds).
    """
    return Readers(
        parameters=ParameterStore(session, keep_s=parameters_kept_s),
        eks=Eks(session, keep_s=facts_kept_s),
        iam=Iam(session, account=here.account, partition=here.partition, keep_s=facts_kept_s),
        clusters=Clusters(Tokens(session, here.partition), here.role_of(function)),
        new_executor=new_executor,
        account=here.account,
        region=here.region,
        partition=here.partition,
        may_simulate=here.may_simulate == "true",
        passable_roles=tuple(here.passable_roles.split(",")),
    )
