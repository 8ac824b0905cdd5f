"""The support bundle contains what a diagnosis needs, and no value that identifies an account or a person."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from cli.views.support_bundle import Pseudonyms
from lambdas.contract.version import VERSION
from lambdas.domain.errors import AccessDenied, Denial
from tests.unit.cli.fake_dependencies import CALLER
from tests.unit.cli.sessions import BROKEN, SESSIONS, Session, past
from tests.unit.cli.terminal import fakes_of, run
from tests.world import ACCOUNT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.fake_dependencies import Fakes

SESSION = Session(("bundle",), BROKEN, prepare=SESSIONS["history"].prepare)


def bundle(fakes: Fakes, folder: Path, options: str = "") -> Any:
    file = folder / "bundle.json"
    result = run(f"bundle --file {file} {options}", fakes, SESSION, folder)
    assert result.exit_code == 0, result.output
    return json.loads(file.read_text())


def test_a_bundle_has_versions_settings_checks_plans_and_incidents(tmp_path: Path) -> None:
    found = bundle(fakes_of(SESSION), tmp_path, f"--incident {past().id[:4]}")
    assert found["versions"]["irsa-remediator"] == VERSION
    assert found["checks"][0]["verdict"] == "addon-role-missing"
    assert found["checks"][0]["plan"]["actions"][0]["kind"] == "annotate-service-account"
    assert [item["name"] for item in found["bindings"]] == ["kube-system/aws-node"]
    assert found["incidents"]
    assert found["incident"]["timeline"]
    assert found["problems"] == {}


def test_no_account_and_no_caller_is_in_a_bundle(tmp_path: Path) -> None:
    text = json.dumps(bundle(fakes_of(SESSION), tmp_path))
    assert ACCOUNT not in text
    assert CALLER.rpartition("/")[2] not in text
    assert "arn:aws:iam::000000000001:role/demo-vpc-cni" in text


def test_a_part_that_cannot_be_read_is_named_and_the_others_are_written(tmp_path: Path) -> None:
    fakes = fakes_of(SESSION)
    fakes.stack.errors["of_roles"] = AccessDenied("list functions", denial=Denial.FORBIDDEN)
    found = bundle(fakes, tmp_path)
    assert (found["functions"], found["problems"]) == (None, {"functions": "list functions"})
    assert found["checks"]


def test_a_file_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    result = run(f"bundle --file {tmp_path}/none/bundle.json", fakes_of(SESSION), SESSION, tmp_path)
    assert result.exit_code == 2
    assert "No such file or directory" in result.stderr


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("arn:aws:sts::111122223333:assumed-role/oncall/jane@example.com", "arn:aws:sts::000000000001:assumed-role/oncall/person-1"),
        ("arn:aws:iam::444455556666:user/jane", "arn:aws:iam::000000000001:user/person-1"),
        ("oidc.eks.eu-west-1.amazonaws.com/id/77D04C1E6B1F4C3E9A8B77D04C1E6B1F", "oidc.eks.eu-west-1.amazonaws.com/id/OIDC1"),
        ("https://77D04C1E6B1F4C3E9A8B77D04C1E6B1F.gr7.eu-west-1.eks.amazonaws.com", "https://endpoint-1"),
        ("ip-10-0-0-7.eu-west-1.compute.internal is NotReady", "node-1 is NotReady"),
        ("i-0123456789abcdef0 at 10.0.0.7", "i-1 at address-1"),
        ("2001:db8:1:2::7", "address-1"),
        ("AKIAIOSFODNN7EXAMPLE", "[access key 1]"),
        ("Bearer abcdefghijklmnop", "Bearer [redacted]"),
        (
            "2026-11-29T12:00:10+00:00 v1.20.1-eksbuild.1 0123456789abcdef01234567",
            "2026-11-29T12:00:10+00:00 v1.20.1-eksbuild.1 0123456789abcdef01234567",
        ),
    ],
)
def test_identifying_values_are_replaced_and_others_stay(text: str, written: str) -> None:
    assert Pseudonyms().replace({"key": [text]}) == {"key": [written]}


def test_equal_values_get_equal_pseudonyms() -> None:
    replaced = Pseudonyms().replace(["111122223333", "444455556666", "111122223333"])
    assert replaced == ["000000000001", "000000000002", "000000000001"]


def test_each_kind_of_hostile_text_stays_text(tmp_path: Path) -> None:
    fakes = fakes_of(SESSION)
    fakes.dependencies = replace(fakes.dependencies, caller="arn:aws:iam::111122223333:user/\x1b[31m\u202ejane")
    assert bundle(fakes, tmp_path)["caller"].startswith("arn:aws:iam::000000000001:user/person-1")
