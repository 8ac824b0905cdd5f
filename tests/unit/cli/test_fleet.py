"""The fleet: which accounts are read, what a failure costs, and reports that are safe for any content."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from cli.clients.aws_session import CallerIdentity
from cli.clients.fleet_connection import FleetAccount
from cli.errors import CommandError, ExitCode
from cli.output import CountingBar
from cli.queries.fleet import assess_member
from cli.queries.fleet_member import FleetMember, UpgradeRisk, upgrade_risk, worst_first
from cli.queries.fleet_report import FleetReport, read_fleet
from cli.queries.fleet_sources import FleetSelection, fleet_accounts
from cli.queries.fleet_state import FleetState
from cli.views.fleet_documents import fleet_csv
from cli.views.fleet_page import fleet_page
from cli.views.fleet_table import ROWS_ON_A_SCREEN, fleet_table, unbound_hint
from lambdas.domain.errors import TransientError
from preflight import rules
from preflight.cluster import ClusterReport
from preflight.finding import Finding
from tests.unit.cli.fake_dependencies import CALLER
from tests.unit.cli.fake_fleet import CLOSED, LAB, FakeFleet
from tests.unit.cli.sessions import BROKEN, HOSTILE, SESSIONS, TARGET, Session
from tests.unit.cli.terminal import fakes_of, run
from tests.unit.cli.test_page import Reader, browse
from tests.world import ACCOUNT, NOON, described

if TYPE_CHECKING:
    from pathlib import Path

    from preflight.rules import Rule

FAULTY: dict[str, Any] = {"addon": {"role_arn": None}}


@pytest.fixture
def fleet() -> FakeFleet:
    return FakeFleet(fakes_of(SESSIONS["fleet"]))


@pytest.fixture
def report(fleet: FakeFleet) -> FleetReport:
    return read_fleet(fleet_accounts(FleetSelection(is_organization=True, role_name="reader"), fleet), fleet, NOON)


def deploy(folder: Path, text: str) -> FleetSelection:
    file = folder / "deploy.yaml"
    file.write_text(text)
    return FleetSelection(config=file, role_name="reader")


def test_each_environment_is_read_in_its_region_and_other_accounts_by_the_role(fleet: FakeFleet, tmp_path: Path) -> None:
    selection = deploy(
        tmp_path,
        f"""environments:
- {{name: prod, account: "{ACCOUNT}", region: eu-west-1, clusters: [{{name: blue}}]}}
- {{name: test, account: "{ACCOUNT}", region: eu-west-1, clusters: [{{name: red}}]}}
- {{name: lab, account: "{LAB}", region: us-east-1}}
""",
    )
    assert fleet_accounts(selection, fleet) == (
        FleetAccount(label="prod", account=ACCOUNT, regions=("eu-west-1",), clusters=("blue",), stack="prod"),
        FleetAccount(label="test", account=ACCOUNT, regions=("eu-west-1",), clusters=("red",), stack="test"),
        FleetAccount(label="lab", account=LAB, role_arn=f"arn:aws:iam::{LAB}:role/reader", regions=("us-east-1",), stack="lab"),
    )


def test_two_stacks_of_one_region_list_each_cluster_once(fleet: FakeFleet, tmp_path: Path) -> None:
    selection = deploy(
        tmp_path,
        f"""environments:
- {{name: prod, account: "{ACCOUNT}", region: eu-west-1, clusters: [{{name: demo}}]}}
- {{name: test, account: "{ACCOUNT}", region: eu-west-1, clusters: [{{name: prod-eu-1}}]}}
""",
    )
    found = read_fleet(fleet_accounts(selection, fleet), fleet, NOON)
    assert [member.cluster for member in found.members] == ["demo", "prod-eu-1"]
    assert "--stack prod" in found.members[0].next_command


def test_profiles_and_roles_are_accounts_of_every_region(fleet: FakeFleet) -> None:
    arn = f"arn:aws:iam::{LAB}:role/reader"
    found = fleet_accounts(FleetSelection(profiles=("lab", "lab"), role_arns=(arn,)), fleet)
    assert found == (FleetAccount(label="profile lab", profile="lab"), FleetAccount(label=arn, account=LAB, role_arn=arn))


@pytest.mark.parametrize("text", ["environments: 7", "environments: [", "environments: [{account: 12, region: moon}]"])
def test_an_invalid_configuration_is_one_sentence_with_the_next_step(fleet: FakeFleet, text: str, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"deploy\.yaml is invalid") as error:
        fleet_accounts(deploy(tmp_path, text), fleet)
    assert error.value.next_step


def test_an_account_or_region_that_cannot_be_read_does_not_stop_the_others(report: FleetReport) -> None:
    assert {(failure.account, failure.region) for failure in report.failures} == {(CLOSED, ""), (LAB, "us-east-1")}
    assert {member.account for member in report.members} == {ACCOUNT, LAB}
    assert report.accounts == (ACCOUNT, LAB)
    assert all(failure.sentence and failure.next_step for failure in report.failures)


def test_accounts_that_cannot_be_read_are_unknown_not_sound(report: FleetReport) -> None:
    sound = tuple(member for member in report.members if member.state is FleetState.SOUND)
    assert replace(report, members=sound).exit_code is ExitCode.UNKNOWN
    assert replace(report, members=sound, failures=()).exit_code is ExitCode.OK


def test_a_cluster_that_cannot_be_assessed_is_unknown_and_does_not_stop_the_others() -> None:
    fakes = fakes_of(SESSIONS["fleet"])
    fakes.world.fail("eks.cluster", TransientError("describe cluster: no answer"), times=1)
    fleet = FakeFleet(fakes)
    found = read_fleet([FleetAccount(label="prod", account=ACCOUNT, regions=("eu-west-1",))], fleet, NOON)
    assert [member.sentence for member in found.members if member.state is FleetState.UNKNOWN] == ["describe cluster: no answer"]
    assert len(found.members) == len(read_fleet([FleetAccount(label="prod", account=ACCOUNT, regions=("eu-west-1",))], fleet, NOON).members)


def test_members_are_listed_worst_first_and_unknown_before_sound(report: FleetReport) -> None:
    order = list(FleetState)
    ranks = [order.index(member.state) for member in worst_first(reversed(report.members))]
    assert ranks == sorted(ranks)
    assert set(ranks) >= {0, 2}


@pytest.mark.parametrize(
    ("found", "risk"),
    [
        ((), UpgradeRisk.KEEPS_ROLE),
        ((rules.POD_IDENTITY,), UpgradeRisk.KEEPS_ROLE),
        ((rules.CHAIN_DEGRADED,), UpgradeRisk.KEEPS_ROLE),
        ((rules.NO_ROLE,), UpgradeRisk.NO_ROLE),
        ((rules.ADDON_ABSENT,), UpgradeRisk.NO_ROLE),
        ((rules.NO_ROLE, rules.CHAIN_UNREADABLE), UpgradeRisk.UNKNOWN),
        ((rules.CALLS_MISSING, rules.CHAIN_UNREADABLE), UpgradeRisk.FAILS),
        ((rules.RECORD_WITHOUT_ROLE, rules.CHAIN_BROKEN), UpgradeRisk.LOSES_ROLE),
        ((rules.RECORD_DIFFERS,), UpgradeRisk.LOSES_ROLE),
    ],
    ids=lambda value: "+".join(rule.name for rule in value) or "none" if isinstance(value, tuple) else str(value),
)
def test_the_risk_is_the_gravest_effect_of_the_findings(found: tuple[Rule, ...], risk: UpgradeRisk) -> None:
    findings = tuple(Finding(rule=rule, message=rule.title) for rule in found)
    assert upgrade_risk(ClusterReport(cluster="demo", findings=findings)) is risk


def hostile_member(text: str, **changes: Any) -> FleetMember:
    member = assess_member(TARGET, fakes_of(SESSIONS["check-broken"]).dependencies)
    summary = member.assessment.summary
    assert summary is not None
    return replace(member, assessment=replace(member.assessment, summary=replace(summary, sentence=text)), **changes)


@pytest.mark.parametrize("text", ["=HYPERLINK(1)", "+1", "-1", "@SUM(A1)", "\t=1", HOSTILE])
def test_no_cell_of_the_csv_file_is_a_formula_or_controls_the_reader(text: str) -> None:
    written = fleet_csv([hostile_member(text)])
    (row,) = csv.DictReader(io.StringIO(written))
    assert not row["sentence"].startswith(("=", "+", "-", "@", "\t"))
    assert "\x1b" not in written
    assert row["account"] == ACCOUNT


def test_text_from_a_cluster_is_escaped_in_the_page(report: FleetReport) -> None:
    hostile = f"{HOSTILE}\" onload='x' &amp; <img src=x>"
    failure = replace(report.failures[0], label=hostile, sentence=hostile, next_step=hostile)
    text = fleet_page(replace(report, members=(hostile_member(hostile, options=hostile),), failures=(failure,)))
    read = Reader(text)
    assert not {"script", "img", "link", "iframe", "form"} & set(read.tags)
    assert not [name for name, _ in read.attributes if name.startswith("on") or name in ("src", "href", "style")]
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_the_page_names_what_is_broken_what_to_do_and_what_was_not_read(report: FleetReport) -> None:
    words = " ".join(" ".join(Reader(fleet_page(report)).words).split())
    for text in ("9 clusters in 2 accounts", "Not read, so unknown", CLOSED, "addon-role-missing", "prod-eu-3", "What is broken"):
        assert text in words
    assert "irsa-remediator plan lab-red --role-arn" in words


def test_an_empty_fleet_makes_a_page() -> None:
    text = fleet_page(FleetReport(at=NOON, members=()))
    assert "No fault was found." in text
    assert text.endswith("</html>\n")


def test_a_browser_opens_the_page_without_requests_or_errors(report: FleetReport, tmp_path: Path) -> None:
    html = tmp_path / "fleet.html"
    html.write_text(fleet_page(report), encoding="utf-8")
    _, console, asked = browse(html, tmp_path)
    assert console == ""
    assert asked == []


def test_progress_is_silent_where_standard_error_is_not_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with CountingBar("checking", 2) as bar:
        bar.advance("broken")
    assert capsys.readouterr() == ("", "")


def test_many_unbound_clusters_are_bound_by_one_option() -> None:
    def shown(names: list[str]) -> str:
        console = Console(width=1000)
        with console.capture() as captured:
            for line in unbound_hint(names):
                console.print(line)
        return captured.get()

    assert "adopt --cluster a --cluster b" in shown(["a", "b"])
    assert "adopt --all" in shown([f"c{number}" for number in range(6)])
    assert shown([]) == ""


def test_the_own_account_needs_no_role(fleet: FakeFleet) -> None:
    assert fleet.caller() == CallerIdentity(arn=CALLER, account=ACCOUNT, partition="aws")
    own = fleet_accounts(FleetSelection(is_organization=True, role_name="reader"), fleet)[0]
    assert (own.account, own.role_arn) == (ACCOUNT, None)


@pytest.mark.parametrize("faulty", [19, 21])
@pytest.mark.parametrize(
    ("command", "state"),
    [
        ("check --all", "broken"),
        ("plan --all", "broken"),
        ("preflight --all", "would lose the role or fail"),
        ("access --all --check", "with missing or surplus access"),
        ("fleet --account-profile shell --in-region eu-west-1", "broken"),
    ],
)
def test_a_list_longer_than_a_screen_ends_with_the_count(command: str, state: str, faulty: int, tmp_path: Path) -> None:
    fakes = fakes_of(Session(commands=(command,), world=FAULTY))
    for number in range(1, faulty):
        world = described({**FAULTY, "cluster": {"name": f"red-{number}", "nodes": 3}})
        fakes.world.clusters |= world.clusters
        fakes.world.parameters |= world.parameters
        fakes.world.roles |= world.roles
    lines = run(command, fakes, SESSIONS["fleet"], tmp_path).stdout.splitlines()
    counts = [line for line in lines if line.startswith(f"{faulty} clusters: {faulty} {state}")]
    assert len(counts) == (2 if faulty > ROWS_ON_A_SCREEN else 1)


@pytest.mark.parametrize("columns", [80, 120, 200])
def test_no_name_is_cut_and_no_line_is_longer_than_the_terminal(columns: int) -> None:
    fakes = fakes_of(Session((), BROKEN))
    member = assess_member(TARGET, fakes.dependencies)
    other = replace(member, account="222222222222", region="ap-northeast-2")
    long_name = replace(member, assessment=replace(member.assessment, target=replace(TARGET, cluster="c" * 100)))
    console = Console(width=columns)
    with console.capture() as captured:
        console.print(fleet_table([member, other, long_name]))
    lines = captured.get().splitlines()
    assert max(map(len, lines)) <= columns
    words = " ".join(lines).split()
    assert {"addon-role-missing", "v1.15.1-eksbuild.1", "222222222222", "ap-northeast-2", "enforce"} <= set(words)
    assert sum(word.count("c") for word in words if set(word) == {"c"}) == 100
