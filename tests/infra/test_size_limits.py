"""Policies and environments are within the limits of AWS, or the synthesis refuses them with the next step."""

import json
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import app
from infra.size_limits import INLINE_POLICIES, MANAGED_POLICIES, MANAGED_POLICY, fill, find_excesses, size
from lambdas.contract.environment import MAX_ENVIRONMENT_BYTES
from lambdas.contract.workloads import KNOWN_ADDONS
from tests.infra.templates import ACCOUNT, REGION, Template, functions, of_type, resolved, statements, synthesize

STACK = "EksIrsaRemediator"


def named(count: int, length: int) -> list[str]:
    return [f"{number:03d}{'c' * (length - 3)}" for number in range(count)]


def environment(clusters: list[str], roles: list[str], **more: Any) -> dict[str, Any]:
    entries = [{"name": name, "access_entries": False} for name in clusters]
    return {"account": ACCOUNT, "region": REGION, "clusters": entries, "bound_roles": roles, **more}


def policies(template: Template, role: dict[str, Any]) -> tuple[list[Any], list[Any]]:
    """Return the documents of the inline and of the managed policies of a role."""
    inline = [policy["PolicyDocument"] for policy in role["Properties"].get("Policies", [])]
    managed = [template["Resources"][arn["Ref"]]["Properties"]["PolicyDocument"] for arn in role["Properties"].get("ManagedPolicyArns", [])]
    return inline, managed


def length(value: object) -> int:
    """Return the characters of a value as deployed, with short names for what CloudFormation generates."""
    return len(json.dumps(resolved(value), separators=(",", ":")))


def is_accepted(template: Template) -> bool:
    """Return whether AWS takes the sizes of the template."""
    for role in of_type(template, "AWS::IAM::Role").values():
        inline, managed = policies(template, role)
        if (
            sum(map(length, inline)) > INLINE_POLICIES
            or len(managed) > MANAGED_POLICIES
            or max(map(length, managed), default=0) > MANAGED_POLICY
        ):
            return False
    return all(length(item["Environment"]["Variables"]) <= MAX_ENVIRONMENT_BYTES for item in functions(template))


@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    clusters=st.builds(named, st.integers(0, 110), st.integers(3, 100)),
    roles=st.builds(
        lambda names: [f"arn:aws:iam::{ACCOUNT}:role/{name}" for name in names], st.builds(named, st.integers(0, 70), st.integers(3, 64))
    ),
    simulation=st.booleans(),
    customer_key=st.booleans(),
)
def test_a_configuration_fits_or_is_refused(clusters: list[str], roles: list[str], simulation: bool, customer_key: bool) -> None:
    more = {"key": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0a1b2c3d-1111-2222-3333-444455556666"} if customer_key else {}
    template = synthesize({"environments": [environment(clusters, roles, simulation=simulation, **more)]})[STACK]
    assert is_accepted(template) or list(find_excesses(STACK, template))
    wanted = {f"arn:aws:eks:{REGION}:{ACCOUNT}:addon/{cluster}/{addon}/*" for cluster in clusters or ["*"] for addon in KNOWN_ADDONS}
    allowed: dict[str, set[str]] = {"eks:UpdateAddon": set(), "iam:PassRole": set()}
    for role in of_type(template, "AWS::IAM::Role").values():
        for documents in policies(template, role):
            for document in documents:
                for effect, action, resource, _ in statements(document):
                    assert effect == "Allow"
                    allowed.get(action, set()).add(resource)
    assert allowed == {"eks:UpdateAddon": wanted, "iam:PassRole": set(roles)}


@pytest.mark.parametrize(
    ("clusters", "roles"),
    [(named(40, 70), []), (named(10, 100), [f"arn:aws:iam::{ACCOUNT}:role/{name}" for name in named(60, 12)])],
    ids=["40 long cluster names", "60 roles"],
)
def test_a_list_that_exceeds_the_inline_policies_becomes_managed_policies(clusters: list[str], roles: list[str]) -> None:
    template = synthesize({"environments": [environment(clusters, roles)]})[STACK]
    (role,) = (item for name, item in of_type(template, "AWS::IAM::Role").items() if "Remediator" in name)
    inline, managed = policies(template, role)
    assert sum(map(length, [*inline, *managed])) > INLINE_POLICIES
    assert managed
    assert is_accepted(template)
    assert not list(find_excesses(STACK, template))


def test_usual_configurations_have_inline_policies_alone(minimal: Template, maximal: dict[str, Template]) -> None:
    for name, template in {STACK: minimal, **maximal}.items():
        assert not list(find_excesses(name, template))
        roles = {item: role for item, role in of_type(template, "AWS::IAM::Role").items() if "Channel" not in item}
        assert not [item for item, role in roles.items() if "ManagedPolicyArns" in role["Properties"]]


@pytest.mark.parametrize(
    ("environments", "said"),
    [
        ([environment([], [f"arn:aws:iam::{ACCOUNT}:role/{name}" for name in named(90, 20)])], "bytes of environment variables"),
        ([environment(named(130, 100), [])], "managed policies"),
        (
            [
                environment([], [], name="home", notify={"slack": {"workspace": "T07EA123LEP", "channel": "C07EZ1ABC23"}}),
                *(
                    {"name": f"follower-{number}", "account": ACCOUNT, "region": f"us-east-{number}", "notify": {"chat_home": "home"}}
                    for number in range(2, 10)
                ),
            ],
            None,
        ),
        (
            [environment([], [], event_publishers=[f"arn:aws:iam::{ACCOUNT}:role/{name}" for name in named(120, 64)])],
            "characters of the bus policy",
        ),
    ],
    ids=["variables", "managed policies", "a channel for nine environments", "publishers"],
)
def test_what_exceeds_a_limit_is_refused_with_the_next_step(
    environments: list[dict[str, Any]], said: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    made, given = cdk.App, {"bundle": False, "nag": False, "remediator": {"environments": environments}}
    monkeypatch.setattr("app.cdk.App", lambda context: made(context={**context, **given}, outdir=str(tmp_path)))
    assert app.main() == (said is not None)
    errors = capfd.readouterr().err
    if said is not None:
        assert "The templates exceed limits of AWS." in errors.splitlines()
        assert f": {said}: up to " in errors
        assert "list some of the clusters in another environment." in errors or "List fewer roles in `event_publishers`." in errors
        assert "Traceback" not in errors


def test_references_count_as_the_longest_text_that_they_become(maximal: dict[str, Template]) -> None:
    """A name that CloudFormation generates has the stack's name, the logical id and a random part."""
    bound = size({"Fn::GetAtt": ["Incidents169D50D8", "Arn"]}, "EksIrsaRemediator-prod")
    assert bound >= len('"arn:aws-us-gov:dynamodb:us-gov-west-1:111122223333:table/EksIrsaRemediator-prod-Incidents169D50D8-1ABCDEFGHIJKL"')
    assert size({"Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}, ":iam::", {"Ref": "AWS::AccountId"}, ":role/x"]]}, STACK) == len(
        '"arn:aws-us-gov:iam::111122223333:role/x"'
    )


@given(sizes=st.lists(st.integers(1, 50)), room=st.integers(1, 100))
def test_groups_hold_each_item_once_in_order(sizes: list[int], room: int) -> None:
    groups = [sizes[part] for part in fill(sizes, room)]
    assert [item for group in groups for item in group] == sizes
    assert all(group and (sum(group) <= room or len(group) == 1) for group in groups)
