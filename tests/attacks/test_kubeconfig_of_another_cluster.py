"""Have a repair written into another cluster than the one named, with the kubeconfig of that other cluster.

The attacker controls a kubeconfig that a person passes to `--kubeconfig`, or the person takes the wrong one.
"""

from __future__ import annotations

import base64
import json
import socket
import ssl
import threading
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import pytest
import trustme
import yaml

from cli.clients.cluster_login import KubeconfigLogin, UserClusters
from cli.errors import CommandError, describe_error
from cli.main import app
from lambdas.domain.errors import AccessDenied, Denial, RemediatorError
from lambdas.domain.snapshot.snapshot import ClusterFacts
from tests.attacks.threat import Threat
from tests.cli_runner import CliRunner

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

THREAT = Threat(
    name="kubeconfig of another cluster",
    actor="author of a kubeconfig",
    controls="the file of `--kubeconfig`",
    attempt="have a repair written into another cluster than the named one, a command run, or a token printed",
    prevention="the file's certificate authority must be one that `DescribeCluster` returns; TLS trusts only that one; no "
    "plug-in of the file runs before that comparison; tokens are never printed",
    proof=(
        "test_the_kubeconfig_of_another_cluster_is_refused_with_both_names",
        "test_a_bundle_with_the_right_authority_and_a_foreign_one_reaches_no_foreign_server",
        "test_no_request_is_made_before_the_comparison",
        "test_no_plug_in_of_the_kubeconfig_of_another_cluster_runs",
    ),
    residual="a kubeconfig of the right cluster may name a plug-in, which runs as the person who passes the file, as with kubectl",
)
PROD, STAGING, SUCCESSOR = trustme.CA(), trustme.CA(), trustme.CA()
TOKEN: Final = "s3cret-t0ken"


def pem(*authorities: trustme.CA) -> str:
    return "".join(authority.cert_pem.bytes().decode() for authority in authorities)


def facts(*authorities: trustme.CA, endpoint: str = "https://PROD.gr7.eu-west-1.eks.amazonaws.com") -> ClusterFacts:
    return ClusterFacts(
        name="prod-blue",
        arn="arn:aws:eks:eu-west-1:111122223333:cluster/prod-blue",
        version="1.33",
        status="ACTIVE",
        endpoint=endpoint,
        certificate_authority=base64.b64encode(pem(*authorities).encode()).decode(),
        issuer=None,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def kubeconfig(folder: Path, *authorities: trustme.CA, server: str = "https://STAGING.example", token: str = TOKEN) -> Path:
    file = folder / "kubeconfig"
    data = base64.b64encode(pem(*authorities).encode()).decode()
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "staging",
        "contexts": [{"name": "staging", "context": {"cluster": "s", "user": "u"}}],
        "clusters": [{"name": "s", "cluster": {"server": server, "certificate-authority-data": data}}],
        "users": [{"name": "u", "user": {"token": token}}],
    }
    file.write_text(yaml.safe_dump(content))
    return file


def test_the_kubeconfig_of_another_cluster_is_refused_with_both_names(tmp_path: Path) -> None:
    with pytest.raises(CommandError) as refusal:
        KubeconfigLogin(kubeconfig(tmp_path, STAGING), "staging").open(facts(PROD))
    for name in ("staging", "https://STAGING.example", "prod-blue", "https://PROD.gr7.eu-west-1.eks.amazonaws.com"):
        assert name in str(refusal.value)
    assert "--context" in refusal.value.next_step


def test_the_same_address_with_another_authority_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="certificate authorities differ"):
        KubeconfigLogin(kubeconfig(tmp_path, STAGING, server=facts(PROD).endpoint), None).open(facts(PROD))


def test_a_tunnel_to_the_same_cluster_is_used(tmp_path: Path) -> None:
    api = KubeconfigLogin(kubeconfig(tmp_path, PROD, server="https://127.0.0.1:6443"), None).open(facts(PROD))
    assert (api._pool.host, api._pool.port) == ("127.0.0.1", 6443)


@pytest.mark.parametrize("described", [(PROD, SUCCESSOR), (SUCCESSOR, PROD)], ids=["before", "after"])
def test_a_kubeconfig_from_before_a_rotation_of_the_authority_is_used(tmp_path: Path, described: tuple[trustme.CA, ...]) -> None:
    assert KubeconfigLogin(kubeconfig(tmp_path, PROD), None).open(facts(*described))


@contextmanager
def server_of(authority: trustme.CA) -> Iterator[tuple[int, list[bytes]]]:
    """A TLS server with a certificate of this authority. It collects the bytes that clients send after the handshake."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    received: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(5)

        def serve() -> None:
            try:
                with context.wrap_socket(listener.accept()[0], server_side=True) as connection:
                    received.append(connection.recv(65536))
            except OSError:
                return

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1], received
    thread.join()


def test_a_bundle_with_the_right_authority_and_a_foreign_one_reaches_no_foreign_server(tmp_path: Path) -> None:
    with server_of(STAGING) as (port, received):
        file = kubeconfig(tmp_path, PROD, STAGING, server=f"https://127.0.0.1:{port}")
        cluster = UserClusters(KubeconfigLogin(file, None)).login(facts(PROD))
        with pytest.raises(AccessDenied) as refusal:
            cluster.service_account("kube-system", "aws-node")
    assert refusal.value.denial is Denial.CERTIFICATE
    assert received == []


def test_no_request_is_made_before_the_comparison(tmp_path: Path) -> None:
    with server_of(STAGING) as (port, received):
        file = kubeconfig(tmp_path, STAGING, server=f"https://127.0.0.1:{port}")
        with pytest.raises(CommandError):
            UserClusters(KubeconfigLogin(file, None)).login(facts(PROD))
        socket.create_connection(("127.0.0.1", port)).close()
    assert received == []


@pytest.mark.parametrize("token", [f"{TOKEN}\n", f"{TOKEN}\r\n", f"  {TOKEN} "])
def test_white_space_around_a_token_is_removed(tmp_path: Path, token: str) -> None:
    assert KubeconfigLogin(kubeconfig(tmp_path, PROD, token=token), None).open(facts(PROD))._tokens.get("prod-blue") == TOKEN


@pytest.mark.parametrize("token", [f"{TOKEN}\nX-Header: 1", f"{TOKEN}\x00", f"{TOKEN} more", f"{TOKEN}é", f"{TOKEN}\u202e"])
def test_a_token_that_cannot_be_sent_is_not_printed(tmp_path: Path, token: str) -> None:
    cluster = UserClusters(KubeconfigLogin(kubeconfig(tmp_path, PROD, token=token), None)).login(facts(PROD))
    with pytest.raises(RemediatorError) as refusal:
        cluster.service_account("kube-system", "aws-node")
    assert TOKEN not in " ".join(describe_error(refusal.value))


@pytest.mark.parametrize("content", [f"users: [{{token: {TOKEN}", f"- {TOKEN}", f"users: {TOKEN}", f'clusters: 5\ntoken: "{TOKEN}'])
def test_a_file_that_is_no_kubeconfig_is_refused_without_its_content(tmp_path: Path, content: str) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text(content)
    with pytest.raises(CommandError) as refusal:
        KubeconfigLogin(file, None).open(facts(PROD))
    assert TOKEN not in " ".join(describe_error(refusal.value))
    result = CliRunner().invoke(app, ["check", "--kubeconfig", str(file), "--cluster", "prod-blue", "--region", "eu-west-1"])
    assert TOKEN not in result.output


def plug_in(folder: Path, kind: str) -> tuple[dict[str, object], Path]:
    """A user whose credentials come from a command, and the file that the command creates."""
    ran = folder / "ran"
    script = folder / "plug-in"
    credential = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": TOKEN}}
    answer = credential if kind == "exec" else {"access_token": TOKEN, "token_expiry": "2100-01-01T00:00:00Z"}
    script.write_text(f"#!/bin/sh\ntouch '{ran}'\necho '{json.dumps(answer)}'\n")
    script.chmod(0o755)
    if kind == "exec":
        return {"exec": {"apiVersion": credential["apiVersion"], "command": str(script), "interactiveMode": "Never"}}, ran
    config = {"cmd-path": str(script), "token-key": "{.access_token}", "expiry-key": "{.token_expiry}"}
    return {"auth-provider": {"name": "gcp", "config": config}}, ran


@pytest.mark.parametrize("kind", ["exec", "auth-provider"])
@pytest.mark.parametrize(
    "change", [{}, {"insecure-skip-tls-verify": True}, {"proxy-url": "http://127.0.0.1:1"}], ids=["", "insecure", "proxy"]
)
def test_no_plug_in_of_the_kubeconfig_of_another_cluster_runs(kind: str, change: dict[str, object], tmp_path: Path) -> None:
    file = kubeconfig(tmp_path, STAGING)
    content = yaml.safe_load(file.read_text())
    content["users"][0]["user"], ran = plug_in(tmp_path, kind)
    content["clusters"][0]["cluster"] |= change
    file.write_text(yaml.safe_dump(content))
    with pytest.raises(CommandError):
        KubeconfigLogin(file, None).open(facts(PROD))
    assert not ran.exists()


def test_the_plug_in_of_a_kubeconfig_of_this_cluster_logs_in(tmp_path: Path) -> None:
    file = kubeconfig(tmp_path, PROD)
    content = yaml.safe_load(file.read_text())
    content["users"][0]["user"], ran = plug_in(tmp_path, "exec")
    file.write_text(yaml.safe_dump(content))
    assert KubeconfigLogin(file, None).open(facts(PROD))._tokens.get("prod-blue") == TOKEN
    assert ran.exists()


def test_files_that_a_kubeconfig_names_are_found_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = kubeconfig(tmp_path, PROD)
    content = yaml.safe_load(file.read_text())
    (tmp_path / "ca.pem").write_text(pem(PROD))
    content["clusters"][0]["cluster"] = {"server": "https://PROD.example", "certificate-authority": "ca.pem"}
    file.write_text(yaml.safe_dump(content))
    monkeypatch.chdir("/")
    assert KubeconfigLogin(file, None).open(facts(PROD))._pool.host == "prod.example"
