"""Several AWS accounts behind the endpoint of one local AWS: the access key decides the account, and EKS is one double a region."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

import boto3

from sandbox.aws.ec2 import ec2_backend
from sandbox.aws.eks_double import EksDouble
from sandbox.aws.http_messages import Request, Response, scope_of
from sandbox.aws.iam import iam_backend
from sandbox.aws.local_aws import ACCOUNT, LocalAws
from sandbox.aws.moto_backend import MotoBackend
from sandbox.aws.sts import sts_backend

if TYPE_CHECKING:
    from collections.abc import Collection

    from sandbox.aws.gateway import Backend

_ACCESS_KEY: Final = re.compile(r"<AccessKeyId>([^<]+)<")
_OPERATOR_PREFIX: Final = "AKIAOPERATOR"
_DENIED: Final = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>{}</Message></Error></ErrorResponse>"


class ManyAccounts(LocalAws):
    """A local AWS with any number of accounts. Roles of the accounts in `closed` cannot be assumed."""

    def __init__(self, *, closed: Collection[str] = ()) -> None:
        self._account_by_key: dict[str, str] = {}
        self._closed = frozenset(closed)
        self._doubles: dict[tuple[str, str], EksDouble] = {}
        self._adding = threading.Lock()
        super().__init__()

    def account_of(self, access_key_id: str) -> str:
        """Return the account of a key: of the assumed role, else the account of the shell."""
        if access_key_id.startswith(_OPERATOR_PREFIX):
            return access_key_id.removeprefix(_OPERATOR_PREFIX)
        return self._account_by_key.get(access_key_id, ACCOUNT)

    def client_of(self, account: str, service: str) -> Any:
        """Return a client that works in an account, for the sandbox itself."""
        key = f"{_OPERATOR_PREFIX}{account}"
        return boto3.client(  # type: ignore[call-overload]  # any service
            service,
            region_name=self.region,
            endpoint_url=self.endpoint,
            aws_access_key_id=key,
            aws_secret_access_key="sandbox",  # noqa: S106
        )

    def eks_of(self, account: str, region: str) -> EksDouble:
        """Return the EKS of an account and region."""
        with self._adding:
            if (account, region) not in self._doubles:
                self._doubles[account, region] = EksDouble(account=account, region=region, caller_of=self.roles.caller_of)
            return self._doubles[account, region]

    def __exit__(self, *exception: object) -> None:
        for double in self._doubles.values():
            double.close()
        super().__exit__(*exception)

    def _backends(self) -> tuple[Backend, dict[str, Backend]]:
        moto = MotoBackend(self.account, self.account_of)
        sts = sts_backend(moto, self.roles.secret_of)
        return moto, {
            "ec2": ec2_backend(moto),
            "eks": self._eks,
            "iam": iam_backend(moto, self._allows),
            "sts": lambda request: self._assumed(request, sts),
        }

    def _eks(self, request: Request) -> Response:
        scope = scope_of(request)
        if scope is None:
            return self.eks(request)  # which refuses it
        return self.eks_of(self.account_of(scope.access_key_id), scope.region)(request)

    def _assumed(self, request: Request, sts: Backend) -> Response:
        """Answer a call of STS, and remember the account of the key that it issues."""
        form = parse_qs(request.body.decode()) if request.body else {}
        if form.get("Action") != ["AssumeRole"]:
            return sts(request)
        role = form["RoleArn"][0]
        account = role.split(":")[4]
        if account in self._closed:
            return Response(
                403, _DENIED.format(f"not authorized to perform: sts:AssumeRole on {role}").encode(), {"Content-Type": "text/xml"}
            )
        answer = sts(request)
        if found := _ACCESS_KEY.search(answer.body.decode()):
            self._account_by_key[found.group(1)] = account
        return answer
