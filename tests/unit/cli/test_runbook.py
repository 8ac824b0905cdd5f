"""Runbooks with the names of an incident."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cli.queries.runbooks import filled, runbook, variables
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.domain.diagnosis.verdict import Verdict
from tests.unit.cli.fake_dependencies import ENVIRONMENT
from tests.unit.cli.sessions import SESSIONS
from tests.unit.cli.terminal import fakes_of, run

if TYPE_CHECKING:
    from pathlib import Path

AWS_NODE = ServiceAccountRef("prod-blue", "kube-system", "aws-node")


@pytest.mark.parametrize("verdict", [verdict for verdict in Verdict if verdict is not Verdict.HEALTHY])
def test_every_verdict_has_a_runbook_whose_names_are_filled(verdict: Verdict) -> None:
    text, unset = filled(runbook(verdict), variables(AWS_NODE, ENVIRONMENT))
    assert text.startswith(f"# {verdict}\n")
    assert set(unset) <= {"ROLE_NAME", "ROLE_ARN", "POD", "NODE", "BUNDLE"}


def test_a_name_that_is_no_valid_one_never_becomes_part_of_a_command() -> None:
    hostile = ServiceAccountRef("prod; rm -rf /", "kube-system", "aws-node$(id)")
    text, unset = filled("fix --cluster $CLUSTER -s $NAMESPACE/$SERVICE_ACCOUNT", variables(hostile, ENVIRONMENT))
    assert text == "fix --cluster $CLUSTER -s $NAMESPACE/$SERVICE_ACCOUNT"
    assert unset == ["CLUSTER", "NAMESPACE", "SERVICE_ACCOUNT"]


@pytest.mark.parametrize("columns", [80, 120])
def test_prose_is_wrapped_and_commands_are_whole(columns: int, tmp_path: Path) -> None:
    session = SESSIONS["runbook"]
    output = run("runbook 7f3a", fakes_of(session), session, tmp_path, columns=columns).stdout
    prose = "".join(output.split("```")[::2])
    assert max(map(len, prose.splitlines())) <= columns
    commands = [line for block in output.split("```sh\n")[1:] for line in block.split("```")[0].splitlines()]
    assert [line for line in commands if not line.startswith(("irsa-remediator ", "aws ", "kubectl "))] == []
