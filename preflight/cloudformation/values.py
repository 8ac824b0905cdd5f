"""Values of a template as plain JSON. Undecided parts are `${...}`, which a policy reads as a variable.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from preflight.cloudformation.intrinsics import NO_VALUE, function, literal
from preflight.role_trust import UNKNOWN_ACCOUNT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from preflight.cloudformation.template import Template
    from preflight.source_tree import SourceNode

CLUSTER: Final = "AWS::EKS::Cluster"
_PROVIDER: Final = "AWS::IAM::OIDCProvider"
_CFN_JSON: Final = "Custom::AWSCDKCfnJson"
"""The custom resource of CDK for mappings whose keys are decided at deployment, such as the conditions of a trust policy.

Source: https://docs.aws.amazon.com/cdk/api/v2/docs/aws-cdk-lib.CfnJson.html
"""
_ISSUER: Final = "OpenIdConnectIssuerUrl"
_SUBSTITUTED: Final = re.compile(r"\$\{(!?)([^}]*)\}")
_MOST: Final = 20_000
"""Most values of one policy. IAM accepts 2,048 characters; a text of aliases may expand to millions of values."""
_DEEPEST: Final = 60
_ABSENT: Final = object()


class TooLargeError(ValueError):
    """The value holds more than any policy can."""


@dataclass(frozen=True, kw_only=True)
class DeploymentTarget:
    """The target of the deployment. `issuers` are the issuers, without scheme, of the clusters that the template creates."""

    partition: str
    account: str
    issuers: Mapping[str, str]

    @property
    def pseudo(self) -> Mapping[str, str]:
        """Return the pseudo parameters that are decided."""
        return {"AWS::Partition": self.partition, "AWS::AccountId": self.account, "AWS::URLSuffix": "amazonaws.com"}


ANYWHERE: Final = DeploymentTarget(partition="aws", account=UNKNOWN_ACCOUNT, issuers={})


def plain(value: SourceNode | None, template: Template, target: DeploymentTarget) -> Any:
    """Return the value as JSON; None where it is absent.

    Raises:
        TooLargeError: the value is larger than any policy.
    """
    found = _Values(template, target).of(value) if value else _ABSENT
    return None if found is _ABSENT else found


class _Values:
    def __init__(self, template: Template, target: DeploymentTarget) -> None:
        self._template = template
        self._target = target
        self._left = _MOST
        self._functions: Mapping[str, Callable[[SourceNode, int], Any]] = {
            "Ref": self._ref,
            "Fn::GetAtt": self._attribute,
            "Fn::Sub": self._sub,
            "Fn::Join": self._join,
            "Fn::Select": self._select,
            "Fn::Split": self._split,
            "Fn::If": self._if,
        }

    def of(self, value: SourceNode, depth: int = 0) -> Any:
        self._left -= 1
        if self._left < 0 or depth > _DEEPEST:
            raise TooLargeError
        called = function(value)
        if called:
            name, argument = called
            return self._functions[name](argument, depth + 1) if name in self._functions else f"${{{name}}}"
        if value.items:
            return [item for item in (self.of(one, depth + 1) for one in value.items) if item is not _ABSENT]
        if value.fields:
            return {key: it for key, one in value.fields.items() if (it := self.of(one, depth + 1)) is not _ABSENT}
        return value.value

    def _ref(self, argument: SourceNode, _depth: int) -> Any:
        return _ABSENT if argument.text == NO_VALUE else self._named(argument.text or "")

    def _named(self, name: str) -> str:
        """Return what `Ref` gives: a pseudo parameter, a parameter with one allowed value, or the ARN of a provider."""
        if name in self._target.pseudo:
            return self._target.pseudo[name]
        resource = self._template.resources.get(name)
        if resource and resource.type == _PROVIDER:
            return self._provider(resource.property("Url"), name)
        allowed = self._template.root.at("Parameters", name, "AllowedValues")
        only = allowed.items[0].text if allowed and len(allowed.items) == 1 else None
        return only or f"${{{name}}}"

    def _provider(self, url: SourceNode | None, name: str) -> str:
        found = self.of(url) if url else ""
        issuer = found.removeprefix("https://") if isinstance(found, str) and found else f"${{{name}}}"
        return f"arn:{self._target.partition}:iam::{self._target.account}:oidc-provider/{issuer}"

    def _attribute(self, argument: SourceNode, depth: int) -> Any:
        path = ".".join(item.text or "" for item in argument.items) or argument.text or ""
        resource = self._template.resources.get(path.removesuffix(".Value"))
        if resource and resource.type == _CFN_JSON and path.endswith(".Value"):
            return self._parsed(resource.property("Value"), path, depth)
        return self._attribute_of(path)

    def _parsed(self, value: SourceNode | None, path: str, depth: int) -> Any:
        try:
            return json.loads(str(self.of(value, depth))) if value else f"${{{path}}}"
        except ValueError:
            return f"${{{path}}}"

    def _attribute_of(self, path: str) -> str:
        name, _, attribute = path.partition(".")
        resource = self._template.resources.get(name)
        if resource and resource.type == _PROVIDER and attribute == "Arn":
            return self._named(name)
        if attribute == _ISSUER and name in self._target.issuers:
            return f"https://{self._target.issuers[name]}"
        return f"${{{path}}}"

    def _sub(self, argument: SourceNode, depth: int) -> Any:
        own: dict[str, Any] = {}
        pattern = argument
        if argument.items:
            pattern = argument.items[0]
            own = {key: self.of(one, depth) for key, one in (argument.items[1].fields if len(argument.items) > 1 else {}).items()}

        def filled(found: re.Match[str]) -> str:
            literally, name = found[1], found[2].strip()
            if literally:
                return f"${{{name}}}"
            value = own.get(name)
            return value if isinstance(value, str) else self._attribute_of(name) if "." in name else self._named(name)

        return _SUBSTITUTED.sub(filled, pattern.text) if pattern.text is not None else "${Fn::Sub}"

    def _join(self, argument: SourceNode, depth: int) -> Any:
        parts = self.of(argument, depth)
        if isinstance(parts, list) and len(parts) == 2 and isinstance(parts[1], list) and all(isinstance(part, str) for part in parts[1]):  # noqa: PLR2004
            return str(parts[0]).join(parts[1])
        return "${Fn::Join}"

    def _split(self, argument: SourceNode, depth: int) -> Any:
        parts = self.of(argument, depth)
        decided = isinstance(parts, list) and len(parts) == 2 and all(isinstance(part, str) and part for part in parts)  # noqa: PLR2004
        return parts[1].split(parts[0]) if decided and "${" not in parts[1] else "${Fn::Split}"

    def _select(self, argument: SourceNode, depth: int) -> Any:
        parts = self.of(argument, depth)
        if isinstance(parts, list) and len(parts) == 2 and isinstance(parts[1], list) and str(parts[0]).isdecimal():  # noqa: PLR2004
            index = int(str(parts[0])[:4])
            return parts[1][index] if index < len(parts[1]) else "${Fn::Select}"
        return "${Fn::Select}"

    def _if(self, argument: SourceNode, depth: int) -> Any:
        branches = [self.of(item, depth) for item in argument.items[1:3]]
        return branches[0] if len(branches) == 2 and branches[0] == branches[1] else "${Fn::If}"  # noqa: PLR2004


def name_of(value: SourceNode | None, template: Template) -> str | None:
    """Return the name of the cluster that a property gives, as text or by reference to a cluster resource."""
    called = function(value)
    if called and called[0] == "Ref" and (made := template.resources.get(called[1].text or "")) and made.type == CLUSTER:
        return literal(made.property("Name"), template.root)
    return literal(value, template.root)
