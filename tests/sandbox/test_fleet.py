"""`fleet` in a process of its own, against several accounts of the sandbox: real calls of STS, EKS, IAM and clusters."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

import pytest

from benchmarks.harness.account_fleet import CLOSED, READER, AccountFleet
from sandbox.aws.ec2 import DEFAULT_REGIONS
from sandbox.aws.local_aws import REGION

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.sandbox

ACCOUNTS, CLUSTERS = 2, 3


@pytest.fixture(scope="module")
def fleet() -> Iterator[AccountFleet]:
    with AccountFleet(accounts=ACCOUNTS, clusters=CLUSTERS) as running:
        yield running


def test_every_account_and_region_is_read_and_a_closed_account_does_not_stop_the_others(fleet: AccountFleet, tmp_path: Path) -> None:
    page = tmp_path / "fleet.html"
    done = fleet.run("-o", "json", "--html", str(page))
    assert (done.returncode, done.stderr) == (1, "")
    document = json.loads(done.stdout)
    assert document["summary"]["accounts"] == ACCOUNTS
    assert document["summary"]["regions"] == ACCOUNTS * len(DEFAULT_REGIONS)
    states = {(row["account"], row["cluster"]): (row["state"], row["verdict"], row["nextUpdate"]) for row in document["members"]}
    (faulty,) = fleet.faulty
    sound = ("sound", "healthy", "keeps-role")
    expected = {(account, f"cluster-{number}"): sound for account in fleet.numbers for number in range(CLUSTERS)}
    expected[faulty, "cluster-0"] = ("broken", "addon-role-missing", "loses-role")
    expected[faulty, "cluster-1"] = ("unknown", "no-access", "unknown")
    assert states == expected
    assert {row["region"] for row in document["members"]} == {REGION}
    (failure,) = document["failures"]
    assert failure["account"] == CLOSED
    assert f"role/{READER}" in failure["nextStep"]
    assert "What is broken" in page.read_text(encoding="utf-8")


def test_a_fleet_writes_nothing_and_assumes_each_role_once(fleet: AccountFleet) -> None:
    fleet.aws.calls.clear()
    done = fleet.run("--in-region", REGION, "-o", "csv", "--only", "broken")
    assert done.returncode == 1
    assert [row["cluster"] for row in csv.DictReader(io.StringIO(done.stdout))] == ["cluster-0"]
    made = [call.action for call in fleet.aws.calls.all()]
    writing = ("Create", "Update", "Delete", "Put", "Set", "Add", "Attach", "Associate", "Disassociate", "Tag", "Publish", "Send", "Invoke")
    assert [action for action in made if action.partition(":")[2].startswith(writing)] == []
    assert made.count("sts:AssumeRole") == ACCOUNTS + 1
