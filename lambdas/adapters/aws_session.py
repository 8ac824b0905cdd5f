"""AWS clients, made when first used and kept while the process lives."""

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
"""A call that fails three times within the function's patience is better told than waited for: the event comes back."""


class AwsSession:
    """One botocore session: clients by service, and the credentials they sign with.

    `profile` is a person's choice at a terminal; functions have none. Safe to share between threads.
    """

    def __init__(self, region: str, *, profile: str | None = None) -> None:
        self.region = region
        self._profile = profile
        self._lock = Lock()
        self._session: Session | None = None
        self._clients: dict[tuple[str, int], Any] = {}

    def client(self, service: str, *, read_timeout_s: int = READ_TIMEOUT_S) -> Any:
        """The client of a service, such as `eks`. Its methods are made from the service's model, so it has no static type."""
        key = (service, read_timeout_s)
        made = self._clients.get(key)
        if made is None:
            with self._lock:  # creation shares the session's caches, which are not locked
                made = self._clients.get(key) or self._create(service, read_timeout_s)
                self._clients[key] = made
        return made

    def credentials(self) -> Credentials:
        """What signs the calls; refreshed by botocore where it can be.

        Raises:
            botocore.exceptions.NoCredentialsError: there are none; `translated` turns it into ours.
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
            # CloudTrail then tells which release made a call. Alone: botocore puts its own words together anew for each request, which
            # takes a tenth of the request's CPU time.
            user_agent=f"{PROJECT}/{VERSION}",
        )
        return self._botocore().create_client(service, region_name=self.region, config=config)

    def _botocore(self) -> Session:
        if self._session is None:
            from botocore.session import Session

            from lambdas.adapters.service_models import model_loader

            session = Session(profile=self._profile)
            session.register_component("data_loader", model_loader())
            self._session = session
        return self._session
