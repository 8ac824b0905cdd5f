"""The IAM API: roles, OIDC providers, simulated permissions."""

from __future__ import annotations

import json
from collections import defaultdict
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, TypeVar

from lambdas.adapters.aws_errors import translated
from lambdas.adapters.ttl_cache import TtlCache
from lambdas.domain.diagnosis.permissions import resource_to_simulate
from lambdas.domain.errors import AccessDenied, Denial, NotFound, TransientError
from lambdas.domain.snapshot.simulation import NOT_KNOWN, CallDecision, RefusalCause
from lambdas.domain.snapshot.snapshot import Missing, OidcProvider, RoleFacts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lambdas.adapters.aws_session import AwsSession
    from lambdas.domain.snapshot.simulation import Simulation

NO_ROUTE_S: Final = 600.0
"""Most VPCs have no route to IAM. A connection time-out takes seconds, so the result is cached for ten minutes."""

_Read = TypeVar("_Read")


class Iam:
    """Implements `IamPort`. `ttl_s`: maximum age of a role, an OIDC provider or a simulation (seconds)."""

    def __init__(
        self, session: AwsSession, *, account: str, partition: str, ttl_s: float = 0, clock: Callable[[], float] = monotonic
    ) -> None:
        self._session = session
        self._account = account
        self._partition = partition
        self._roles: TtlCache[RoleFacts | Missing] = TtlCache(ttl_s, clock)
        self._providers: TtlCache[OidcProvider | Missing] = TtlCache(ttl_s, clock)
        self._simulations: TtlCache[Simulation] = TtlCache(ttl_s, clock)
        self._clock = clock
        self._no_route_until = float("-inf")

    def role(self, arn: str) -> RoleFacts | Missing:
        """A role of the deployment's account, read by the last segment of its ARN.

        Raises:
            AccessDenied: the caller may not read it, or the network has no route to IAM.
        """
        return self._roles.get(arn, lambda: self._role(arn))

    def oidc_provider(self, arn: str) -> OidcProvider | Missing:
        return self._providers.get(arn, lambda: self._provider(arn))

    def simulate(self, role_arn: str, calls: Sequence[str], resource: str = "") -> Simulation:
        """The decision about each call, on this resource; empty for a resource of the kind that the call needs.

        Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
        """
        return self._simulations.get((role_arn, resource, *calls), lambda: self._simulate(role_arn, calls, resource))

    def _simulate(self, role_arn: str, calls: Sequence[str], given: str) -> Simulation:
        by_resource: defaultdict[str, list[str]] = defaultdict(list)
        for call in calls:
            resource = given or resource_to_simulate(call, partition=self._partition, region=self._session.region, account=self._account)
            by_resource[resource].append(call)
        return {call: decision for resource, names in by_resource.items() for call, decision in self._simulated(role_arn, names, resource)}

    def _role(self, arn: str) -> RoleFacts | Missing:
        name = arn.rpartition("/")[2]
        if arn.split(":")[4] != self._account:
            raise AccessDenied(f"read role {name}: {arn} belongs to another account", denial=Denial.FORBIDDEN)
        try:
            answer = self._read(f"read role {name}", lambda: self._iam.get_role(RoleName=name))
        except NotFound:
            return Missing(f"role {arn}")
        found = answer["Role"]
        # Role names are unique across paths, so a role with the same name and another path is not the bound role.
        if found["Arn"] != arn:
            return Missing(f"role {arn}", other=found["Arn"])
        return RoleFacts(arn=arn, trust=_document(found["AssumeRolePolicyDocument"]))

    def _provider(self, arn: str) -> OidcProvider | Missing:
        try:
            answer = self._read(f"read OIDC provider {arn}", lambda: self._iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn))
        except NotFound:
            return Missing(f"OIDC provider {arn}")
        return OidcProvider(arn=arn, client_ids=tuple(answer.get("ClientIDList", ())))

    def _simulated(self, role_arn: str, calls: Sequence[str], resource: str) -> list[tuple[str, CallDecision]]:
        def read() -> list[tuple[str, CallDecision]]:
            simulator = self._iam.get_paginator("simulate_principal_policy")
            pages = simulator.paginate(PolicySourceArn=role_arn, ActionNames=list(calls), ResourceArns=[resource])
            return [(result["EvalActionName"], call_decision(result)) for page in pages for result in page["EvaluationResults"]]

        return self._read(f"simulate the permissions of {role_arn}", read)

    def _read(self, attempt: str, call: Callable[[], _Read]) -> _Read:
        from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError

        if self._clock() < self._no_route_until:
            raise _no_route(attempt)
        try:
            with translated(attempt):
                return call()
        except TransientError as error:
            if isinstance(error.__cause__, ConnectTimeoutError | EndpointConnectionError):
                self._no_route_until = self._clock() + NO_ROUTE_S
                raise _no_route(attempt) from error.__cause__
            raise

    @property
    def _iam(self) -> Any:
        return self._session.client("iam")


def call_decision(result: Mapping[str, Any]) -> CallDecision:
    """The decision of one `EvaluationResult`.

    A decision that depends on context keys that were not given is not known. With a resource in the request, missing keys and the
    boundary's decision are in `ResourceSpecificResults`. `EvalDecisionDetails` is filled for resources of other accounts alone.
    Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_EvaluationResult.html
    """
    parts = (result, *result.get("ResourceSpecificResults", ()))
    if any(part.get("MissingContextValues") for part in parts):
        return NOT_KNOWN
    statements = (statement for part in parts for statement in part.get("MatchedStatements", ()))
    policies = tuple(dict.fromkeys(statement["SourcePolicyId"] for statement in statements if "SourcePolicyId" in statement))
    if result["EvalDecision"] == "allowed":
        return CallDecision(allowed=True, policies=policies)
    return CallDecision(allowed=False, cause=_cause(result, parts), policies=policies)


def _cause(result: Mapping[str, Any], parts: Sequence[Mapping[str, Any]]) -> RefusalCause:
    if not result.get("OrganizationsDecisionDetail", {}).get("AllowedByOrganizations", True):
        return RefusalCause.ORGANIZATION
    if not all(part.get("PermissionsBoundaryDecisionDetail", {}).get("AllowedByPermissionsBoundary", True) for part in parts):
        return RefusalCause.PERMISSIONS_BOUNDARY
    return RefusalCause.EXPLICIT_DENY if result["EvalDecision"] == "explicitDeny" else RefusalCause.NO_STATEMENT


def _no_route(attempt: str) -> AccessDenied:
    return AccessDenied(f"{attempt}: the network has no route to IAM (no NAT gateway, no endpoint)", denial=Denial.UNREACHABLE)


def _document(policy: Any) -> Mapping[str, Any]:
    """The parsed document. botocore parses it already, but the API model declares a string."""
    parsed: Mapping[str, Any] = json.loads(policy) if isinstance(policy, str) else policy
    return parsed
