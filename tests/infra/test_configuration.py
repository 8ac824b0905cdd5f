"""Problems of a configuration name the key, the value and the allowed values."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore.session import Session
from cfnlint.helpers import REGIONS
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from infra.configuration import Cluster, Environment, Network, Notify, Slack, Teams
from infra.configuration_file import load, parse
from infra.configuration_schema import InvalidConfiguration
from infra.regions import DURABLE_REGIONS, has_chat, partition, support_note, support_warning
from tests.infra.templates import ACCOUNT, MAXIMAL, REGION, ROOT, TEAM, TENANT

SLACK = {"workspace": "T07EA123LEP", "channel": "C07EZ1ABC23"}


def one(**keys: Any) -> dict[str, Any]:
    return {"environments": [keys]}


def two(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    place = {"account": ACCOUNT, "region": REGION}
    return {"environments": [{"name": "a", **place, **first}, {"name": "b", **place, **second}]}


WRONG: dict[str, tuple[object, str, str, str]] = {
    # id: (configuration, key, value in the message, allowed values in the message)
    "no mapping": (["x"], "configuration", "['x']", "the keys environments"),
    "unknown top key": ({"enviroments": []}, "enviroments", "[]", "the keys environments"),
    "empty list": ({"environments": []}, "environments", "[]", "at least one environment"),
    "no list": ({"environments": {}}, "environments", "{}", "a list"),
    "unknown key": (one(acount="1"), "environments[0].acount", "'1'", "name, account, region, clusters"),
    "account as a number": (one(account=111122223333), "environments[0].account", "111122223333", "in quotation marks"),
    "short account": (one(account="1111"), "environments[0].account", "'1111'", "twelve digits"),
    "bad region": (one(region="Ireland"), "environments[0].region", "'Ireland'", "eu-west-1"),
    "China": (one(region="cn-north-1"), "environments[0].region", "'cn-north-1'", "X-Ray"),
    "unknown partition": (
        one(region="moon-base-1"),
        "environments[0].region",
        "'moon-base-1'",
        "a region that the installed botocore knows",
    ),
    "chat in GovCloud": (
        one(region="us-gov-west-1", notify={"slack": SLACK}),
        "environments[0].notify.slack",
        "'C07EZ1ABC23'",
        "mail or https in us-gov-west-1",
    ),
    "Teams in GovCloud": (
        one(region="us-gov-east-1", notify={"teams": {"team": TEAM, "tenant": TENANT, "channel": "19%3aabc"}}),
        "environments[0].notify.teams",
        "'19%3aabc'",
        "no Amazon Q Developer",
    ),
    "chat in China": (one(region="cn-north-1", notify={"slack": SLACK}), "environments[0].notify.slack", "'C07EZ1ABC23'", "mail or https"),
    "bad name": (one(name="Prod_1"), "environments[0].name", "'Prod_1'", "lower-case"),
    "cluster without a name": (one(clusters=[{}]), "environments[0].clusters[0].name", "None", "the cluster's name"),
    "bad cluster name": (one(clusters=[{"name": "a/b"}]), "environments[0].clusters[0].name", "'a/b'", "letters, digits"),
    "duplicate cluster": (one(clusters=[{"name": "a"}, {"name": "a"}]), "environments[0].clusters[1].name", "'a'", "each cluster once"),
    "clusters with one stack name": (
        one(clusters=[{"name": "a_b"}, {"name": "a-b"}]),
        "environments[0].clusters[1].name",
        "'a-b'",
        "with another stack name than a_b",
    ),
    "bad mode": (
        one(clusters=[{"name": "a", "authentication_mode": "IAM"}]),
        "environments[0].clusters[0].authentication_mode",
        "'IAM'",
        "API, API_AND_CONFIG_MAP, CONFIG_MAP",
    ),
    "a word for a boolean": (
        one(clusters=[{"name": "a", "audit_log": "yes"}]),
        "environments[0].clusters[0].audit_log",
        "'yes'",
        "True, False",
    ),
    "a number for a boolean": (one(simulation=1), "environments[0].simulation", "1", "True, False"),
    "bad role": (one(bound_roles=["vpc-cni"]), "environments[0].bound_roles[0]", "'vpc-cni'", "a role's ARN"),
    "every role": (one(bound_roles=["*"]), "environments[0].bound_roles[0]", "'*'", "a role's ARN"),
    "every role, as a path": (one(bound_roles=["/"]), "environments[0].bound_roles[0]", "'/'", "a role's ARN"),
    "key of another region": (
        one(region=REGION, key=f"arn:aws:kms:us-east-1:{ACCOUNT}:key/0a1b"),
        "environments[0].key",
        "us-east-1",
        f"a key in {REGION}",
    ),
    "key alias": (one(key="alias/x"), "environments[0].key", "'alias/x'", "a KMS key's ARN"),
    "no subnet": (
        one(network={"vpc": "vpc-0a1b2c3d", "subnets": [], "security_groups": ["sg-0a1b2c3d"]}),
        "environments[0].network.subnets",
        "[]",
        "at least one id",
    ),
    "subnet twice": (
        one(network={"vpc": "vpc-0a1b2c3d", "subnets": ["subnet-0a1b2c3d"] * 2, "security_groups": ["sg-0a1b2c3d"]}),
        "environments[0].network.subnets",
        "subnet-0a1b2c3d",
        "each once",
    ),
    "no VPC": (one(network={"subnets": []}), "environments[0].network.vpc", "None", "the id of a VPC"),
    "retention": (one(log_retention_days=42), "environments[0].log_retention_days", "42", "1, 3, 5, 7"),
    "bad mail": (one(notify={"mail": ["me"]}), "environments[0].notify.mail[0]", "'me'", "a mail address"),
    "one mail, no list": (one(notify={"mail": "me@example.com"}), "environments[0].notify.mail", "'me@example.com'", "a list"),
    "plain http": (one(notify={"https": ["http://x.example"]}), "environments[0].notify.https[0]", "'http://x.example'", "https"),
    "bad Slack workspace": (
        one(notify={"slack": {**SLACK, "workspace": "my team"}}),
        "environments[0].notify.slack.workspace",
        "'my team'",
        "T07EA123LEP",
    ),
    "Slack without a channel": (
        one(notify={"slack": {"workspace": "T1"}}),
        "environments[0].notify.slack.channel",
        "None",
        "the channel's id",
    ),
    "Slack and Teams": (
        one(notify={"slack": SLACK, "teams": {"team": TEAM, "tenant": TENANT, "channel": "19%3aabc"}}),
        "environments[0].notify.teams",
        "'19%3aabc'",
        "not both",
    ),
    "digest at an hour": (one(notify={"digest_at": "7"}), "environments[0].notify.digest_at", "'7'", "a time of day in UTC"),
    "digest at a number, as YAML reads 07:00": (
        one(notify={"digest_at": 420}),
        "environments[0].notify.digest_at",
        "420",
        "quotation marks",
    ),
    "unknown home": (one(notify={"chat_home": "x"}), "environments[0].notify.chat_home", "'x'", "there are none"),
    "reserved tag": (one(tags={"aws:x": "y"}), "environments[0].tags", "'aws:x'", "do not start with aws:"),
    "tag that is no string": (one(tags={"x": 1}), "environments[0].tags", "{'x': 1}", "names to strings"),
    "unknown function": (one(concurrency={"sweeper": 1}), "environments[0].concurrency.sweeper", "1", "checker, remediator, node_watcher"),
    "no concurrency at all": (one(concurrency={"checker": 0}), "environments[0].concurrency.checker", "0", "from 1 to 1000"),
    "boundary by name": (one(permissions_boundary="b"), "environments[0].permissions_boundary", "'b'", "a managed policy's ARN"),
    "no account among several": (
        {"environments": [{"name": "a", "region": REGION}, {"name": "b", "account": ACCOUNT, "region": REGION}]},
        "environments[0].account",
        "None",
        "if there are several",
    ),
    "a name twice": (
        {"environments": [{"name": "a", "account": item, "region": REGION} for item in (ACCOUNT, "444455556666")]},
        "environments[1].name",
        "'a'",
        "a different name",
    ),
    "two stacks for one cluster": (
        two({"clusters": [{"name": "x"}]}, {"clusters": [{"name": "x"}]}),
        "environments[1].clusters",
        "'x'",
        "one stack for one cluster",
    ),
    "a neighbour that serves all": (two({"clusters": [{"name": "x"}]}, {}), "environments[1].clusters", "[]", "clusters named in 'b'"),
    "two owners of one channel": (
        two({"clusters": [{"name": "x"}], "notify": {"slack": SLACK}}, {"clusters": [{"name": "y"}], "notify": {"slack": SLACK}}),
        "environments[1].notify.slack",
        "'C07EZ1ABC23'",
        "chat_home: a",
    ),
}


@pytest.mark.parametrize(("raw", "key", "value", "allowed"), WRONG.values(), ids=WRONG)
def test_a_problem_names_key_value_and_allowed_values(raw: object, key: str, value: str, allowed: str) -> None:
    with pytest.raises(InvalidConfiguration) as caught:
        parse(raw)
    messages = [str(problem) for problem in caught.value.problems if problem.key == key]
    assert messages, str(caught.value)
    shown, _, expected = messages[0].removeprefix(f"{key}: ").partition(" is not allowed; allowed: ")
    assert value in shown
    assert allowed in expected


def test_all_problems_are_reported_together() -> None:
    with pytest.raises(InvalidConfiguration) as caught:
        parse(one(account="1", region="x", clusters=[{"name": "a/b"}, {"nam": "c"}]))
    assert [problem.key for problem in caught.value.problems] == [
        "environments[0].account",
        "environments[0].region",
        "environments[0].clusters[0].name",
        "environments[0].clusters[1].nam",
        "environments[0].clusters[1].name",
    ]


def test_a_long_value_is_shortened_in_the_message() -> None:
    with pytest.raises(InvalidConfiguration) as caught:
        parse(one(account="9" * 5000))
    assert len(str(caught.value)) < 300


def test_without_a_file_the_configuration_is_the_current_account(tmp_path: Path) -> None:
    assert load(tmp_path) == parse(None) == parse({})
    (only,) = load(tmp_path).environments
    assert only == Environment()


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfiguration, match=r"'other\.yaml' is not allowed; allowed: a YAML file"):
        load(tmp_path, "other.yaml")


def test_a_file_that_is_not_yaml_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "deploy.yaml").write_text("environments: [")
    with pytest.raises(InvalidConfiguration, match=r"deploy\.yaml: .* allowed: YAML"):
        load(tmp_path)


def test_an_empty_file_equals_no_file(tmp_path: Path) -> None:
    (tmp_path / "deploy.yaml").write_text("# nothing yet\n")
    assert load(tmp_path) == parse(None)


def test_the_example_is_valid_and_has_every_key() -> None:
    text = (ROOT / "docs" / "deploy.example.yaml").read_text(encoding="utf-8")
    parse(yaml.safe_load(text))
    for cls in (Environment, Cluster, Network, Notify, Slack, Teams):
        for name in cls.__dataclass_fields__:
            assert f"{name}:" in text, f"{cls.__name__}.{name} is not in the example"


def test_a_configuration_with_every_key_is_hashable() -> None:
    wanted = parse(MAXIMAL)
    assert [environment.name for environment in wanted.environments] == ["prod", "prod-inner", "prod-us"]
    hash(wanted)


def test_a_commercial_region_causes_no_warning_but_a_note_how_to_check() -> None:
    """AWS announced 31 regions, of which the names of 15 are known here."""
    assert all((support_warning(item), support_note(item)) == (None, None) for item in (*DURABLE_REGIONS, None))
    for region in ("af-south-1", "ca-central-1", "mx-central-1"):
        assert support_warning(region) is None
        assert f"list-durable-executions-by-function --function-name any --region {region}" in str(support_note(region))


@pytest.mark.parametrize("region", ["us-gov-west-1", "eusc-de-east-1", "us-isob-east-1"])
def test_a_region_of_another_partition_causes_a_warning(region: str) -> None:
    (environment,) = parse(one(region=region)).environments
    assert "list-durable-executions-by-function" in str(support_warning(environment.region))
    assert support_note(region) is None


def test_every_region_of_botocore_is_accepted_with_its_partition() -> None:
    session = Session()
    for name in session.get_available_partitions():
        for region in session.get_available_regions("eks", name):
            assert partition(region) == name


def test_regions_without_chat_are_those_without_its_resource_types() -> None:
    for region in REGIONS:
        known = "AWS::Chatbot::SlackChannelConfiguration" in PROVIDER_SCHEMA_MANAGER.get_resource_types(region)
        assert has_chat(region) is known, region
