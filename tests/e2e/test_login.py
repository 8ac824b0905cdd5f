"""Logins with presigned tokens through the real authenticator."""

import itertools
from datetime import timedelta

import pytest

from lambdas.domain.errors import AccessDenied, Denial
from sandbox.control_plane.authenticator import AccessEntry
from sandbox.control_plane.control_plane import ControlPlane
from tests.e2e.identities import CHECKER, REMEDIATOR, STRANGER, Session, signing, token
from tests.e2e.product import log_in
from tests.waiting import eventually

WHO_AM_I = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


@pytest.fixture
def cluster(control_plane: ControlPlane) -> ControlPlane:
    control_plane.allow([AccessEntry(CHECKER.role_arn, groups=("readers",)), AccessEntry(REMEDIATOR.role_arn, groups=("writers",))])
    return control_plane


def _status(cluster: ControlPlane, bearer: str) -> int:
    return cluster.client(bearer).ask("GET", "/api/v1/namespaces/default").status


def test_a_mapped_role_logs_in_with_its_groups_and_its_session_as_name(cluster: ControlPlane) -> None:
    client = cluster.client(token(CHECKER, cluster=cluster.cluster_name))
    who = eventually(lambda: client.ask("POST", WHO_AM_I, {}), lambda answer: answer.status == 201).body["status"]["userInfo"]
    assert who["username"] == CHECKER.arn
    assert set(who["groups"]) == {"readers", "system:authenticated"}


def test_a_login_without_rbac_has_no_permissions(cluster: ControlPlane) -> None:
    bearer = token(CHECKER, cluster=cluster.cluster_name)
    eventually(lambda: _status(cluster, bearer), lambda status: status == 403)


_ages = itertools.count(1)


def _knock(cluster: ControlPlane, session: Session) -> int:
    """Try a token that was never seen before: the API server remembers the last ten seconds' logins."""
    return _status(cluster, token(session, cluster=cluster.cluster_name, age=timedelta(seconds=next(_ages))))


REFUSED = {
    "for another cluster": lambda: token(CHECKER, cluster="another"),
    "expired": lambda: token(CHECKER, cluster="demo", age=timedelta(minutes=16)),
    "of a role without an access entry": lambda: token(STRANGER, cluster="demo"),
    "signed with a wrong secret": lambda: token(CHECKER, cluster="demo", secret="guessed"),
    "for another region's STS": lambda: token(CHECKER, cluster="demo", region="nowhere-1"),
    "cut short": lambda: token(CHECKER, cluster="demo")[:-8],
    "not a token": lambda: "k8s-aws-v1.bm90IGEgdXJs",
}


@pytest.mark.parametrize("refused", REFUSED.values(), ids=REFUSED)
def test_a_token_is_refused(cluster: ControlPlane, refused: object) -> None:
    assert callable(refused)
    eventually(lambda: _status(cluster, token(CHECKER, cluster="demo")), lambda status: status == 403)  # the door is open for the right one
    answer = cluster.client(refused()).ask("GET", "/api/v1/namespaces/default")
    assert answer.status == 401
    assert answer.body == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": "Unauthorized",
        "reason": "Unauthorized",
        "code": 401,
    }


# session, the cluster's name that the token is signed for, how long ago
OUR_REFUSED = {
    "for another cluster": (CHECKER, "another", timedelta(0)),
    "expired": (CHECKER, "demo", timedelta(minutes=16)),
    "of another role": (STRANGER, "demo", timedelta(0)),
}


@pytest.mark.parametrize(("session", "name", "age"), OUR_REFUSED.values(), ids=OUR_REFUSED)
def test_a_refused_login_of_a_function_names_the_missing_access_entry(
    cluster: ControlPlane, session: Session, name: str, age: timedelta
) -> None:
    eventually(lambda: _status(cluster, token(CHECKER, cluster="demo")), lambda status: status == 403)
    port = log_in(cluster, session, name=name)
    with signing(age), pytest.raises(AccessDenied) as refused:
        port.nodes()
    assert str(refused.value).endswith(f"401 Unauthorized; the cluster rejects this login: create an access entry for {session.role_arn}")
    assert refused.value.denial is Denial.UNAUTHENTICATED
    assert "k8s-aws-v1" not in str(refused.value)


def test_removing_an_access_entry_prevents_the_login(cluster: ControlPlane) -> None:
    eventually(lambda: _knock(cluster, REMEDIATOR), lambda status: status == 403)
    cluster.allow([AccessEntry(CHECKER.role_arn)])
    eventually(lambda: _knock(cluster, REMEDIATOR), lambda status: status == 401)


def test_tokens_are_refused_while_the_authenticator_is_down(cluster: ControlPlane) -> None:
    eventually(lambda: _knock(cluster, CHECKER), lambda status: status == 403)
    cluster.stop_authenticator()
    eventually(lambda: _knock(cluster, CHECKER), lambda status: status == 401)
    assert _status(cluster, cluster.admin_token) == 200
    cluster.start_authenticator()
    eventually(lambda: _knock(cluster, CHECKER), lambda status: status == 403)
