"""The AWS emulator MiniStack in an environment of its own, reachable over TLS on a free port of the loopback interface."""

from __future__ import annotations

import platform
import re
import secrets
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import boto3
import trustme
import urllib3
from botocore.config import Config

from infra.asset import LAMBDA, REPOSITORY, BundlingFailed, compiler, uv_binary
from sandbox.aws.cloudtrail import Caller
from sandbox.aws.http_messages import Request, Response
from sandbox.aws.local_aws import ACCOUNT, REGION
from sandbox.aws.principals import Credentials
from sandbox.loopback import reserved_port

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.control_plane.processes import ProcessGroup

ENVIRONMENT: Final = REPOSITORY / ".venv-emulator"
REQUIREMENTS: Final = Path(__file__).with_name("requirements.txt")

DEPLOYER: Final = "deployer"
"""The user that deploys. The root user cannot assume CDK's roles.

Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
"""

ADMINISTRATOR: Final = "arn:aws:iam::aws:policy/AdministratorAccess"

_START_S: Final = 60.0
_SESSION: Final = re.compile(r"arn:([^:]+):sts::(\d{12}):assumed-role/(.+)/[^/]+")
# Headers of one connection, which must not be passed on.
# Source: https://www.rfc-editor.org/rfc/rfc9110.html#section-7.6.1
_HOP_BY_HOP: Final = frozenset({"connection", "keep-alive", "transfer-encoding", "te", "upgrade"})


class AwsEmulatorUnavailable(Exception):
    """The emulator cannot be installed on this machine; the message names the next step."""


def install() -> Path:
    """Install the pinned emulator, if it is not installed; returns its Python.

    Raises:
        AwsEmulatorUnavailable: not Linux, Python 3.13 is missing, or the packages cannot be installed.
    """
    if platform.system() != "Linux":
        raise AwsEmulatorUnavailable(
            f"the functions' package has Linux libraries, which the emulator cannot load on {platform.system()}; run it in a Linux machine"
        )
    python = ENVIRONMENT / "bin" / "python"
    try:
        if not python.exists():
            found = compiler(LAMBDA)
            if found is None:
                raise AwsEmulatorUnavailable(
                    f"Python {LAMBDA.python} was not found. The emulator runs the deployed functions in its own Python, which must be "
                    f"Lambda's version. Install it (`uv python install {LAMBDA.python}` or `pyenv install {LAMBDA.python}`) and run "
                    "`make deploy-local` again."
                )
            _uv("venv", "--quiet", "--no-python-downloads", "--python", found.path, str(ENVIRONMENT))
        _uv("pip", "sync", "--quiet", "--require-hashes", "--python", str(python), str(REQUIREMENTS))
    except BundlingFailed as failed:
        raise AwsEmulatorUnavailable(str(failed)) from failed
    return python


def _uv(*arguments: str) -> None:
    completed = subprocess.run([uv_binary(), *arguments], capture_output=True, text=True, check=False)
    if completed.returncode != 0:
        raise AwsEmulatorUnavailable(f"the emulator could not be installed; is a package index reachable?\n{completed.stderr.strip()}")


@dataclass(frozen=True)
class _Tls:
    authority: Path
    certificate: Path
    key: Path

    @staticmethod
    def create(folder: Path) -> _Tls:
        authority = trustme.CA()
        issued = authority.issue_cert("127.0.0.1", "localhost")
        tls = _Tls(folder / "ca.pem", folder / "certificate.pem", folder / "key.pem")
        authority.cert_pem.write_to_path(str(tls.authority))
        tls.certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        issued.private_key_pem.write_to_path(str(tls.key))
        return tls


class Emulator:
    """One running emulator. It checks signatures and evaluates the IAM policies of every caller.

    TLS is necessary: the policies of the topics, queues and CDK's bucket deny requests without it. Everything is in memory, so its end
    leaves nothing.
    """

    def __init__(self, processes: ProcessGroup) -> None:
        self._processes = processes
        self._tls = _Tls.create(processes.folder)
        self._port = reserved_port()
        self._secret = secrets.token_hex(20)
        self._http = urllib3.HTTPSConnectionPool(
            "127.0.0.1",
            self._port,
            maxsize=16,
            block=False,
            retries=False,
            ssl_context=ssl.create_default_context(cafile=self._tls.authority),
        )
        self.authority = self._tls.authority
        """Certificate authority of the emulator."""
        self.url = f"https://127.0.0.1:{self._port}"
        self.deployer: Credentials | None = None

    def start(self, functions_endpoint: str) -> None:
        """Start the emulator and create the user that deploys. The deployed functions send their calls to `functions_endpoint`.

        Raises:
            AwsEmulatorUnavailable: it cannot be installed.
            StartError: it ended or was not ready in time.
        """
        python = install()
        command = [str(python), "-m", "hypercorn", "ministack.app:app", "--bind", f"127.0.0.1:{self._port}", "--keep-alive", "75"]
        command += ["--certfile", str(self._tls.certificate), "--keyfile", str(self._tls.key), "--log-level", "WARNING"]
        program = self._processes.start("emulator", command, self._variables(functions_endpoint), is_isolated=True)
        program.wait_until(self._is_ready, _START_S)
        self.deployer = self._create_deployer()

    def _variables(self, functions_endpoint: str) -> dict[str, str]:
        """The emulator's own settings. Its functions inherit this environment, so it has nothing of the caller's."""
        return {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self._processes.folder),
            "TMPDIR": str(self._processes.folder),
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            "LOG_LEVEL": "WARNING",
            "AUTH": "true",
            "LAMBDA_EXECUTOR": "local",
            "GATEWAY_PORT": str(self._port),
            "MINISTACK_HOST": "127.0.0.1",
            "MINISTACK_REGION": REGION,
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
            "AWS_ACCESS_KEY_ID": ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": self._secret,
            "AWS_ENDPOINT_URL": functions_endpoint,
        }

    def _is_ready(self) -> bool:
        try:
            return self._http.request("GET", "/_ministack/health", timeout=2.0).status == 200
        except urllib3.exceptions.HTTPError:
            return False

    def _create_deployer(self) -> Credentials:
        iam = self.client_of("iam", ACCOUNT, self._secret)
        user = iam.create_user(UserName=DEPLOYER)["User"]
        iam.attach_user_policy(UserName=DEPLOYER, PolicyArn=ADMINISTRATOR)
        key = iam.create_access_key(UserName=DEPLOYER)["AccessKey"]
        caller = Caller(
            kind="IAMUser",
            account=ACCOUNT,
            name=DEPLOYER,
            principal_id=user["UserId"],
            arn=user["Arn"],
            access_key_id=key["AccessKeyId"],
        )
        return Credentials(
            name=DEPLOYER,
            arn=user["Arn"],
            access_key_id=key["AccessKeyId"],
            secret_access_key=key["SecretAccessKey"],
            session_token="",
            caller=caller,
        )

    @property
    def credentials(self) -> Credentials:
        """Credentials of the user that deploys."""
        assert self.deployer is not None  # noqa: S101  # the emulator has started
        return self.deployer

    def client(self, service: str) -> Any:
        """A client of the emulator itself, for the user that deploys."""
        return self.client_of(service, self.credentials.access_key_id, self.credentials.secret_access_key)

    def allows(self, caller: str, action: str, resource: str, context: Mapping[str, str] | None = None) -> bool:
        """Whether the policies of a user, or of the role of a session, allow an action, by the emulator's policy simulator."""
        session = _SESSION.fullmatch(caller)
        source = f"arn:{session[1]}:iam::{session[2]}:role/{session[3]}" if session else caller
        entries = [
            {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"} for key, value in (context or {}).items()
        ]
        answer = self.client("iam").simulate_principal_policy(
            PolicySourceArn=source, ActionNames=[action], ResourceArns=[resource], ContextEntries=entries
        )
        return all(result["EvalDecision"] == "allowed" for result in answer["EvaluationResults"])

    def client_of(self, service: str, access_key_id: str, secret: str) -> Any:
        """A client of the emulator itself, for the owner of a key."""
        # An invocation of a function may take as long as the function's time-out, and must not be repeated.
        config = Config(read_timeout=600, retries={"max_attempts": 0})
        return boto3.session.Session().client(  # type: ignore[call-overload]
            service,
            region_name=REGION,
            endpoint_url=self.url,
            aws_access_key_id=access_key_id,
            aws_secret_access_key=secret,
            verify=str(self._tls.authority),
            config=config,
        )

    def variables_of_tools(self) -> Mapping[str, str]:
        """The environment variables with which a command line reaches the emulator."""
        return {
            **self.credentials.environment(),
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_CA_BUNDLE": str(self._tls.authority),
            "NODE_EXTRA_CA_CERTS": str(self._tls.authority),
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def forward(self, request: Request) -> Response:
        """Let the emulator answer a request, with the headers that its signature covers."""
        target = f"{request.path}?{request.query}" if request.query else request.path
        answer = self._http.urlopen(
            request.method, target, body=request.body, headers=dict(request.headers), timeout=600.0, decode_content=False
        )
        headers = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP_BY_HOP}
        return Response(answer.status, answer.data, headers)
