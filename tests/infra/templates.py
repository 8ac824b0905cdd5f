"""Synthesizes configurations and reads templates. CDK and Node.js start with the first synthesis."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.nodejs import use_packaged_node

if TYPE_CHECKING:
    import aws_cdk as cdk

use_packaged_node()

ROOT = Path(__file__).parents[2]
ACCOUNT, REGION = "111122223333", "eu-west-1"
TEAM, TENANT = "0a1b2c3d-1111-2222-3333-444455556666", "0a1b2c3d-1111-2222-3333-444455557777"
Template = Mapping[str, Any]

MINIMAL: dict[str, Any] = {"environments": [{"account": ACCOUNT, "region": REGION}]}

MAXIMAL: dict[str, Any] = {
    "environments": [
        {
            "name": "prod",
            "account": ACCOUNT,
            "region": REGION,
            "clusters": [
                {"name": "blue", "container_insights": "enhanced", "audit_log": True},
                {"name": "green_2", "authentication_mode": "API"},
                {"name": "old", "authentication_mode": "CONFIG_MAP"},
                {"name": "by-terraform", "access_entries": False},
            ],
            "bound_roles": ["/eks/", f"arn:aws:iam::{ACCOUNT}:role/blue-vpc-cni"],
            "network": {
                "vpc": "vpc-0a1b2c3d",
                "subnets": ["subnet-0a1b2c3d", "subnet-0a1b2c3e"],
                "security_groups": ["sg-0a1b2c3d"],
            },
            "notify": {
                "mail": ["team@example.com"],
                "https": ["https://pager.example.com/v1"],
                "slack": {"workspace": "T07EA123LEP", "channel": "C07EZ1ABC23"},
                "digest_at": "05:30",
            },
            "key": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0a1b2c3d-1111-2222-3333-444455556666",
            "log_retention_days": 30,
            "permissions_boundary": f"arn:aws:iam::{ACCOUNT}:policy/boundary",
            "tags": {"team": "platform"},
            "event_publishers": [f"arn:aws:iam::{ACCOUNT}:role/pipeline"],
            "concurrency": {"checker": 20},
        },
        {
            "name": "prod-inner",
            "account": ACCOUNT,
            "region": REGION,
            "clusters": [{"name": "inner"}],
            "notify": {"chat_home": "prod"},
        },
        {
            "name": "prod-us",
            "account": ACCOUNT,
            "region": "us-east-1",
            "simulation": False,
            "event_history": True,
            "notify": {"teams": {"team": TEAM, "tenant": TENANT, "channel": "19%3aabc%40thread.tacv2"}},
        },
    ]
}


def _placed(name: str, number: int, **keys: Any) -> dict[str, Any]:
    return {"name": name, "account": f"{number:012d}", "region": REGION, **keys}


SLACK = {"workspace": "T07EA123LEP", "channel": "C07EZ1ABC23"}
TYPICAL: dict[str, Any] = {
    "environments": [
        _placed("minimal", 1),
        _placed(
            "private",
            2,
            clusters=[{"name": "private"}],
            network={"vpc": "vpc-0a1b2c3d", "subnets": ["subnet-0a1b2c3d", "subnet-0a1b2c3e"], "security_groups": ["sg-0a1b2c3d"]},
        ),
        _placed("chat", 3, clusters=[{"name": "chat", "audit_log": True}], notify={"slack": SLACK}),
        _placed("follower", 3, region="us-east-1", clusters=[{"name": "follower"}], notify={"chat_home": "chat"}),
        _placed("teams", 4, notify={"teams": {"team": TEAM, "tenant": TENANT, "channel": "19%3aabc%40thread.tacv2"}}),
        _placed("key", 5, key=f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0a1b2c3d-1111-2222-3333-444455556666", bound_roles=["/eks/"]),
        _placed(
            "govcloud",
            6,
            region="us-gov-west-1",
            clusters=[{"name": "gov", "container_insights": "enhanced"}],
            notify={"mail": ["team@example.com"]},
        ),
        _placed(
            "many",
            7,
            clusters=[{"name": f"{number:03d}{'c' * 70}", "access_entries": False} for number in range(40)],
            bound_roles=[f"arn:aws:iam::000000000007:role/team-{number}" for number in range(60)],
        ),
        _placed("approval", 8, bound_roles=["/eks/"], settings_floor={"mode": "approve", "cooldown_s": 600}, concurrency={"checker": 20}),
        _placed("observe", 9, settings_floor={"mode": "observe"}, simulation=False, event_publishers=[]),
    ]
}
"""Configurations as users have them, each in an account of its own."""


def app_of(raw: object, folder: Path) -> cdk.App:
    """Return the app of a configuration, without bundling."""
    import aws_cdk as cdk

    from infra.configuration_file import parse
    from infra.functions import placeholder_code
    from infra.stack import add_stacks

    app = cdk.App(outdir=str(folder), context=json.loads((ROOT / "cdk.json").read_text())["context"])
    add_stacks(
        app,
        configuration=parse(raw),
        code=placeholder_code,
        cdk_environment=lambda item: cdk.Environment(account=item.account, region=item.region),
    )
    return app


def synthesize(raw: object) -> dict[str, Template]:
    """Return templates by stack name."""
    with tempfile.TemporaryDirectory() as folder:
        app_of(raw, Path(folder)).synth()
        return {path.name.removesuffix(".template.json"): json.loads(path.read_text()) for path in Path(folder).glob("*.template.json")}


def of_type(template: Template, kind: str) -> dict[str, dict[str, Any]]:
    """Return the resources of a type: logical id -> resource."""
    return {name: item for name, item in template["Resources"].items() if item["Type"] == kind}


def one_of_type(template: Template, kind: str) -> dict[str, Any]:
    """Return the properties of the only resource of a type."""
    (resource,) = of_type(template, kind).values()
    properties: dict[str, Any] = resource["Properties"]
    return properties


def function(template: Template, handler: str) -> dict[str, Any]:
    """Return the properties of the function with this handler."""
    (found,) = (item for item in functions(template) if item["Handler"] == handler)
    return found


def functions(template: Template) -> list[dict[str, Any]]:
    """Return the properties of all functions."""
    return [item["Properties"] for item in of_type(template, "AWS::Lambda::Function").values()]


def resolved(value: Any, region: str = REGION) -> Any:
    """Return a value without intrinsic functions: references become `<LogicalId>` or `<LogicalId.Arn>`."""
    pseudo = {"AWS::Partition": "aws", "AWS::Region": region, "AWS::AccountId": ACCOUNT, "AWS::URLSuffix": "amazonaws.com"}
    match value:
        case {"Ref": name}:
            return pseudo.get(name, f"<{name}>")
        case {"Fn::GetAtt": [name, attribute]}:
            return f"<{name}.{attribute}>"
        case {"Fn::ImportValue": name}:
            return f"<import {name}>"
        case {"Fn::Join": [separator, list(parts)]}:
            return separator.join(resolved(part, region) for part in parts)
        case dict():
            return {key: resolved(item, region) for key, item in value.items()}
        case list():
            return [resolved(item, region) for item in value]
        case _:
            return value


def statements(policy: Mapping[str, Any], region: str = REGION) -> Iterator[tuple[str, str, str, str]]:
    """Yield each `(effect, action, resource, condition as JSON)` of a policy document."""
    for item in resolved(policy, region)["Statement"]:
        for action in _listed(item["Action"]):
            for resource in _listed(item["Resource"]):
                yield item["Effect"], action, resource, json.dumps(item.get("Condition", {}), sort_keys=True)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
