"""A kubeconfig as the way to an API server that others run."""

import json
from pathlib import Path
from typing import Any

import pytest

from sandbox.control_plane.cluster import ControlPlane
from tests.e2e.contract.foreign import UnsupportedKubeconfig, api_of


def test_nobody_is_acted_as_and_strangers_have_nothing_of_the_administrator(control_plane: ControlPlane, tmp_path: Path) -> None:
    with api_of(control_plane.kubeconfig(tmp_path / "kubeconfig")) as api:
        assert api.get("/api/v1/nodes").status == 200
        refused = api.request("GET", "/api/v1/nodes", token=api.user_token)
        assert (refused.status, 'User "nobody"' in refused.message) == (403, True)
        assert api.request("GET", "/api/v1/nodes", token="nonsense").status == 401
        assert 'User "system:anonymous"' in api.request("GET", "/api/v1/nodes", token=None).message


UNUSABLE: dict[str, tuple[dict[str, Any], str]] = {
    "no current context": ({"current-context": "gone"}, "no context 'gone'"),
    "a user with a log-in command alone": ({"users": [{"name": "u", "user": {"exec": {"command": "aws"}}}]}, "a token or a client"),
    "no certificate authority": ({"clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}]}, "certificate authority"),
}


@pytest.mark.parametrize(("wrong", "why"), UNUSABLE.values(), ids=UNUSABLE)
def test_a_kubeconfig_that_cannot_be_used_says_why(wrong: dict[str, Any], why: str, tmp_path: Path) -> None:
    document = {
        "current-context": "x",
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1", "certificate-authority-data": "QQ=="}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
    }
    file = tmp_path / "kubeconfig"
    file.write_text(json.dumps(document))
    with api_of(file) as api:
        assert api.token == "t"
    file.write_text(json.dumps(document | wrong))
    with pytest.raises(UnsupportedKubeconfig, match=why), api_of(file):
        pass
