"""`LocalAws`: the local AWS as one context manager."""

from __future__ import annotations

import json
import os
import threading
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Self
from unittest.mock import patch

import boto3
from botocore.config import Config

from sandbox.aws.call_log import Call, CallLog
from sandbox.aws.ec2 import ec2_backend
from sandbox.aws.eks_double import EksDouble
from sandbox.aws.event_history import cloudtrail_backend
from sandbox.aws.faults import FaultPlan
from sandbox.aws.gateway import Gateway
from sandbox.aws.iam import iam_backend
from sandbox.aws.moto_backend import MotoBackend
from sandbox.aws.principals import OPERATOR_KEY, Principals
from sandbox.aws.sts import sts_backend

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox.aws.gateway import Backend
    from sandbox.aws.principals import Credentials

ACCOUNT = "111122223333"
REGION = "eu-west-1"


@contextmanager
def without_own_account() -> Iterator[None]:
    """Hide the AWS configuration of the person who runs the sandbox: a profile may not exist, log in, or name other endpoints."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    nothing = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull, "AWS_EC2_METADATA_DISABLED": "true"}
    with patch.dict(os.environ, others | nothing, clear=True):
        yield


@lru_cache(maxsize=1)
def _session() -> boto3.session.Session:
    """One session for all clients, which caches the service models."""
    return boto3.session.Session()


def make_client(service: str, region: str, endpoint: str, owner: Credentials | None, **config: Any) -> Any:
    """A client for a role or user, or for the sandbox itself."""
    return _session().client(  # type: ignore[call-overload]
        service,
        region_name=region,
        endpoint_url=endpoint,
        aws_access_key_id=owner.access_key_id if owner else OPERATOR_KEY,
        aws_secret_access_key=owner.secret_access_key if owner else "sandbox",
        aws_session_token=(owner.session_token or None) if owner else None,
        config=Config(**config),
    )


@lru_cache(maxsize=32)
def _operators_client(service: str, region: str, endpoint: str) -> Any:
    """The sandbox's own client, cached for every local AWS that this process starts at the same address."""
    return make_client(service, region, endpoint, None)


class LocalAws:
    """moto, the EKS double and further backends behind one loopback endpoint.

    `calls` is the log, `faults` the injected faults, `roles` the principals, `eks` the double, `event_history` CloudTrail's records, the
    newest last. `allows(role ARN, action)` answers the policy simulator. Only one can run per process, because moto keeps its state in
    module globals.
    """

    def __init__(
        self,
        *,
        account: str = ACCOUNT,
        region: str = REGION,
        may_pass: Callable[[str, str, str], bool] | None = None,
        allows: Callable[[str, str], bool] | None = None,
    ) -> None:
        self.account = account
        self.region = region
        self.endpoint = ""
        self.calls = CallLog()
        self.faults = FaultPlan()
        self.roles = Principals(self.client, account)
        self.eks = EksDouble(account=account, region=region, caller_of=self.roles.caller_of)
        self._policy = may_pass or (lambda *_: True)
        self._allows = allows or (lambda *_: True)
        self.event_history: list[dict[str, Any]] = []
        self._clients: dict[tuple[str, str], Any] = {}
        self._making = threading.Lock()
        fallback, backends = self._backends()
        self.gateway = Gateway(
            backends=backends,
            fallback=fallback,
            calls=self.calls,
            faults=self.faults,
            principal_of=self.roles.principal_of,
        )

    def _backends(self) -> tuple[Backend, dict[str, Backend]]:
        """The backend of most services, and those of the services that it lacks."""
        moto = MotoBackend(self.account)
        return moto, {
            "cloudtrail": cloudtrail_backend(moto, self.event_history),
            "ec2": ec2_backend(moto),
            "eks": self.eks,
            "iam": iam_backend(moto, self._allows),
            "sts": sts_backend(moto, self.roles.secret_of),
        }

    def __enter__(self) -> Self:
        self.endpoint = self.gateway.start()
        self.reset_eks()
        return self

    def __exit__(self, *_: object) -> None:
        self.eks.close()
        self.gateway.stop()
        for client in self._clients.values():
            client.close()

    def reset_eks(self) -> None:
        """Empty the EKS double, the call log and the faults; moto keeps its state."""
        self.eks.reset()
        self.eks.hook(may_pass=self._may_pass, on_event=self.put_event)
        self.faults.clear()
        self.calls.clear()

    def route(self, service: str, backend: Backend) -> None:
        """Answer a service by `backend`, e.g. the Lambda API."""
        self.gateway.route(service, backend)

    def client(self, service: str, principal: str | None = None, **config: Any) -> Any:
        """A boto3 client for the local AWS, for a role or user created by `roles`, or for the sandbox itself.

        `config` is passed to botocore's `Config`; clients without one are shared.
        """
        key = (service, principal or "")
        with self._making:  # a session creates one client at a time
            if config:
                return self._new_client(service, principal, config)
            if key not in self._clients:
                self._clients[key] = self._new_client(service, principal, {})
            return self._clients[key]

    def environment(self, principal: str) -> dict[str, str]:
        """The environment variables of a process that acts as this principal."""
        return {
            **self.roles.credentials(principal).environment(),
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
        }

    def put_event(self, event: dict[str, Any]) -> None:
        """Put an event on the default bus. The event bus replaces this method to keep the fields that moto changes."""
        entry = {"Source": event["source"], "DetailType": event["detail-type"], "Detail": json.dumps(event["detail"])}
        self.client("events").put_events(Entries=[entry])

    def _new_client(self, service: str, principal: str | None, config: dict[str, Any]) -> Any:
        if not principal and not config:
            return _operators_client(service, self.region, self.endpoint)
        return make_client(service, self.region, self.endpoint, self.roles.credentials(principal) if principal else None, **config)

    def _may_pass(self, principal: str, role_arn: str, service: str) -> bool:
        """IAM authorizes PassRole as an action of its own, so it is logged as one."""
        allowed = self._policy(principal, role_arn, service)
        params = {"RoleArn": role_arn, "PassedToService": service}
        status, error = (200, "") if allowed else (403, "AccessDenied")
        self.calls.add(
            [Call(service="iam", action="iam:PassRole", principal=principal, params=params, region=self.region, status=status, error=error)]
        )
        return allowed
