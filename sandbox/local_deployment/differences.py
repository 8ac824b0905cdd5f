"""What differs from a deployment into AWS, in one list, and the change of the templates that follows from it."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Resource = dict[str, Any]
Template = dict[str, Any]

ACCESS_ENTRY: Final = "AWS::EKS::AccessEntry"


def _always(_: Resource) -> bool:
    return True


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One difference. Resources of these `types` for which `lacks` is true are removed from the templates.

    A role that may call an action of `on_everything` may call it on every resource, and one of `without_condition` in every context.
    """

    what: str
    why: str
    instead: str
    types: frozenset[str] = frozenset()
    lacks: Callable[[Resource], bool] = _always
    on_everything: tuple[str, ...] = ()
    without_condition: tuple[str, ...] = ()

    def removes(self, resource: Resource) -> bool:
        """Whether this resource is removed from its template."""
        return resource["Type"] in self.types and self.lacks(resource)


def _has_metric_math(alarm: Resource) -> bool:
    return "Metrics" in alarm["Properties"]


_ON_EVERYTHING: Final = ("iam:GetOpenIDConnectProvider", "iam:SimulatePrincipalPolicy", "ssm:GetParametersByPath")
_WITHOUT_CONDITION: Final = ("events:PutEvents", "iam:PassRole")

DIFFERENCES: Final = (
    Difference(
        what="alarms with metric math or Metrics Insights",
        why="the emulator rejects `Metrics`",
        instead="removed; the alarms on one metric are deployed",
        types=frozenset({"AWS::CloudWatch::Alarm"}),
        lacks=_has_metric_math,
    ),
    Difference(
        what="access entries in a template",
        why="the emulator does not know the resource type",
        instead="created by CreateAccessEntry with the properties of the template",
        types=frozenset({ACCESS_ENTRY}),
    ),
    Difference(
        what="Slack channel and its buttons",
        why="the emulator does not know the resource types",
        instead="removed; a queue receives the messages of the chat topic",
        types=frozenset({"AWS::Chatbot::SlackChannelConfiguration", "AWS::Chatbot::CustomAction"}),
    ),
    Difference(
        what="key of the topics",
        why="the emulator drops KmsMasterKeyId of a template",
        instead="the topics have no key, so the grants of the key are not tested",
    ),
    Difference(
        what="resource of three IAM actions",
        why="the emulator evaluates them on `*`",
        instead=f"the roles also get {', '.join(_ON_EVERYTHING)} on every resource",
        on_everything=_ON_EVERYTHING,
    ),
    Difference(
        what="condition of two IAM actions",
        why="the emulator has no key events:source, and its simulator ignores iam:PassedToService",
        instead=f"the roles also get {', '.join(_WITHOUT_CONDITION)} without condition",
        without_condition=_WITHOUT_CONDITION,
    ),
    Difference(
        what="durable executions",
        why="the emulator drops DurableConfig of a template, and starts no execution with the fields of the API",
        instead="the local durable service runs them; each invocation runs the deployed function",
    ),
    Difference(
        what="the EKS API",
        why="the emulator has no updates, no add-on versions, and no API server",
        instead="the EKS double of the sandbox, after the emulator has checked signature and policies of the call",
    ),
    Difference(
        what="events of CloudTrail",
        why="PutEvents accepts no `aws.*` source, as in AWS, and the emulator sends none itself",
        instead="matched by TestEventPattern with the deployed rules; their targets are invoked",
    ),
    Difference(
        what="the functions' package",
        why="functions run on this machine's processor",
        instead="the same sources and pins, built for this processor",
    ),
)
"""In the order in which they are printed."""


class UnknownReference(Exception):
    """A resource that stays refers to one that is removed; the list of differences must cover it."""


def adapted(template: Template) -> tuple[Template, Mapping[str, Resource]]:
    """Return the template without what the emulator lacks, and the removed resources by logical id.

    Raises:
        UnknownReference: a remaining resource or output refers to a removed resource.
    """
    changed = deepcopy(template)
    resources = changed["Resources"]
    removed = {name: item for name, item in resources.items() if any(each.removes(item) for each in DIFFERENCES)}
    changed["Resources"] = {name: _widened(item) for name, item in resources.items() if name not in removed}
    for section in ("Resources", "Outputs"):
        for name, item in changed.get(section, {}).items():
            if found := set(_references(item)) & set(removed):
                raise UnknownReference(f"{name} refers to {', '.join(sorted(found))}, which the emulator lacks")
    return changed, removed


def _widened(resource: Resource) -> Resource:
    """The resource; a role gets the additional statements of the differences."""
    if resource["Type"] == "AWS::IAM::Role":
        for policy in resource["Properties"].get("Policies", ()):
            statements = policy["PolicyDocument"]["Statement"]
            statements += [extra for statement in statements for extra in _extra_statements(statement)]
    return resource


def _extra_statements(statement: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    actions = [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
    for each in DIFFERENCES:
        if found := [action for action in actions if action in each.on_everything]:
            yield {"Effect": "Allow", "Action": found, "Resource": "*"}
        if found := [action for action in actions if action in each.without_condition]:
            yield {"Effect": "Allow", "Action": found, "Resource": statement["Resource"]}


def _references(value: Any) -> Iterator[str]:
    """Logical ids in Ref, Fn::GetAtt and DependsOn."""
    if isinstance(value, list):
        for item in value:
            yield from _references(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key == "Ref":
                yield item
            elif key == "Fn::GetAtt":
                yield item[0] if isinstance(item, list) else item.partition(".")[0]
            elif key == "DependsOn":
                yield from [item] if isinstance(item, str) else item
            else:
                yield from _references(item)
