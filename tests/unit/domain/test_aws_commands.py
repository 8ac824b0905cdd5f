"""AWS commands for people name their region."""

import re
from collections.abc import Iterator

from lambdas.domain.aws_commands import aws_command
from lambdas.domain.diagnosis.identity_chain import diagnose
from tests.unit.domain.test_links import CASES
from tests.unit.notifications.snapshots import REGION

AWS = re.compile(r"\baws (?!iam )[a-z0-9-]+ [a-z-]+(?P<options>.*)", re.DOTALL)
"""IAM is global, so its commands have no region."""


def commands() -> Iterator[str]:
    for snapshot, *_ in CASES.values():
        for finding in diagnose(snapshot).findings:
            yield from (remedy.command for remedy in finding.remedies if remedy.command)


def test_a_command_names_its_region_first() -> None:
    command = aws_command("eks list-updates", "eu-west-1", "--name blue", "--addon-name vpc-cni")
    assert command == "aws eks list-updates --region eu-west-1 --name blue --addon-name vpc-cni"


def test_every_remedy_of_a_link_names_the_region_also_where_the_cluster_could_not_be_read() -> None:
    found = [match for command in commands() if (match := AWS.search(command))]
    assert len({match[0] for match in found}) > 10
    assert [match[0] for match in found if not match["options"].startswith(f" --region {REGION} ")] == []
