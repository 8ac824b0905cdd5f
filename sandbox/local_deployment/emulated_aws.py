"""The local AWS with the emulator behind its endpoint, instead of moto."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, Self

from sandbox.aws.http_messages import Request, Response, scope_of
from sandbox.aws.local_aws import LocalAws, make_client
from sandbox.aws.service_model import operation_of, rest_json_input, service_model
from sandbox.aws.sts import as_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.aws.gateway import Backend
    from sandbox.local_deployment.emulator import Emulator

_FORBIDDEN: Final = 403
_DENIED: Final = re.compile(r"User: (arn:\S+) is not authorized to perform: (eks:\w+)")
_SESSION: Final = re.compile(r"<Arn>(arn:[^:<]+:sts::(\d{12}):assumed-role/([^/<]+)/[^<]+)</Arn>.*<UserId>([^<]*)</UserId>", re.DOTALL)


class EmulatedAws(LocalAws):
    """Passes every request to the emulator, except those that the list of differences names.

    `may_pass(principal, role ARN, service)` decides iam:PassRole for the EKS double.
    """

    def __init__(self, emulator: Emulator, *, may_pass: Callable[[str, str, str], bool]) -> None:
        self._emulator = emulator
        super().__init__(may_pass=may_pass)

    def __enter__(self) -> Self:
        super().__enter__()
        try:
            self._emulator.start(self.endpoint)
        except BaseException:
            super().__exit__()
            raise
        return self

    def _backends(self) -> tuple[Backend, dict[str, Backend]]:
        return self._emulator.forward, {"eks": self._answer_eks, "sts": self._answer_sts}

    def _answer_eks(self, request: Request) -> Response:
        """The answer of the EKS double, unless the emulator denies the call. The emulator has no cluster, so it changes nothing.

        The emulator evaluates some actions on `*`, since it has no add-ons. Those that it denies are evaluated again on their resource.
        """
        judged = self._emulator.forward(request)
        if judged.status != _FORBIDDEN:
            return self.eks(request)
        denied = _DENIED.search(judged.body.decode(errors="replace"))
        if denied and self._emulator.allows(denied[1], denied[2], self._eks_resource(request)):
            return self.eks(request)
        return judged

    def _eks_resource(self, request: Request) -> str:
        """The resource on which IAM evaluates a call.

        Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelastickubernetesservice.html
        """
        found = operation_of(service_model("eks"), request)
        params = rest_json_input(*found, request) if found else {}
        cluster = self.eks.state.clusters.get(params.get("clusterName", ""))
        if cluster is None:
            return "*"
        addon, group = cluster.addons.get(params.get("addonName", "")), cluster.nodegroups.get(params.get("nodegroupName", ""))
        association = cluster.associations.get(params.get("associationId", ""))
        if addon:
            return str(addon["addonArn"])
        if group:
            return str(group["nodegroupArn"])
        return str(association["associationArn"] if association else cluster.record["arn"])

    def _answer_sts(self, request: Request) -> Response:
        """The answer of the emulator. It names the owners of sessions that the emulator created for the functions.

        The authenticator asks for JSON, which the emulator answers in another shape than STS.
        """
        answer = self._emulator.forward(request)
        found, scope = _SESSION.search(answer.body.decode(errors="replace")), scope_of(request)
        if found and scope:
            session, account, role, user_id = found.groups()
            self.roles.add_session(scope.access_key_id, f"arn:aws:iam::{account}:role/{role}", session, user_id)
        return as_json(answer) if "application/json" in request.header("accept") and answer.body.lstrip().startswith(b"<") else answer

    def _new_client(self, service: str, principal: str | None, config: dict[str, Any]) -> Any:
        owner = self.roles.credentials(principal) if principal else self._emulator.credentials
        return make_client(service, self.region, self.endpoint, owner, **config)
