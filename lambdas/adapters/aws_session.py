"""AWS clients, created on first use and reused for the life of the process."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from lambdas.contract.names import PROJECT
from lambdas.contract.version import VERSION

if TYPE_CHECKING:
    from botocore.credentials import Credentials
    from botocore.session import Session

CONNECT_TIMEOUT_S: Final = 2
READ_TIMEOUT_S: Final = 5
ATTEMPTS: Final = 3
"""After three failed attempts the call fails, because Lambda delivers the event again."""


class AwsSession:
    """One botocore session: its clients by service, and its credentials. Safe to share between threads.

    The functions need nothing of boto3 beyond botocore, and its import is a thirtieth of a cold start. `profile` is set by the command
    line alone.
    """

    def __init__(self, region: str, *, profile: str | None = None) -> None:
        self.region = region
        self._profile = profile
        self._lock = Lock()
        self._session: Session | None = None
        self._clients: dict[tuple[str, int], Any] = {}

    def client(self, service: str, *, read_timeout_s: int = READ_TIMEOUT_S) -> Any:
        """The client of a service, such as `eks`. botocore creates its methods from the service model, so it has no static type."""
        key = (service, read_timeout_s)
        client = self._clients.get(key)
        if client is None:
            with self._lock:  # botocore does not lock the caches that client creation uses
                client = self._clients.get(key) or self._create(service, read_timeout_s)
                self._clients[key] = client
        return client

    def credentials(self) -> Credentials:
        """The credentials that sign the calls. botocore refreshes them where possible.

        Raises:
            botocore.exceptions.NoCredentialsError: there are none; `translated` turns it into a domain error.
        """
        from botocore.exceptions import NoCredentialsError

        with self._lock:
            found = self._botocore().get_credentials()
        if found is None:
            raise NoCredentialsError
        return found

    def _create(self, service: str, read_timeout_s: int) -> Any:
        from botocore.config import Config

        config = Config(
            connect_timeout=CONNECT_TIMEOUT_S,
            read_timeout=read_timeout_s,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            max_pool_connections=16,
            tcp_keepalive=True,
            # CloudTrail then shows which release made a call. It replaces botocore's own text, whose assembly takes a tenth of the CPU
            # time of each request.
            user_agent=f"{PROJECT}/{VERSION}",
        )
        return self._botocore().create_client(service, region_name=self.region, config=config)

    def _botocore(self) -> Session:
        if self._session is None:
            self._session = self._new_botocore()
        return self._session

    def _new_botocore(self) -> Session:
        from botocore.session import Session

        from lambdas.adapters.service_models import model_loader

        session = Session(profile=self._profile)
        session.register_component("data_loader", model_loader())
        return session
