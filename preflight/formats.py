"""The kinds of files that preflight reads, and how the kind of a file is recognized."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from preflight import eksctl
from preflight.cloudformation import reader as cloudformation
from preflight.manifests import reader as manifests
from preflight.pulumi import reader as pulumi
from preflight.terraform import reader as terraform
from preflight.terraform.plan import load, resembles_plan

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from preflight.context import Context, Declarations
    from preflight.finding import Finding


@dataclass(frozen=True, kw_only=True)
class Format:
    """The functions of one kind of file: text to model, model to declarations, model to findings."""

    parse: Callable[[str, str], Any]
    declarations: Callable[[Any], Declarations]
    findings: Callable[[Any, Context], tuple[Finding, ...]]


FORMATS: Final[Mapping[str, Format]] = {
    "terraform-plan": Format(parse=load, declarations=terraform.declarations, findings=terraform.findings),
    "eksctl": Format(parse=eksctl.parse, declarations=eksctl.declarations, findings=eksctl.findings),
    "template": Format(parse=cloudformation.parse, declarations=cloudformation.declarations, findings=cloudformation.findings),
    "pulumi-preview": Format(parse=pulumi.parse, declarations=pulumi.declarations, findings=pulumi.findings),
    "manifest": Format(parse=manifests.parse, declarations=manifests.declarations, findings=manifests.findings),
}

_MARKS: Final = {
    "terraform-plan": re.compile(r'"format_version"\s*:.*"(?:resource_changes|planned_values)"', re.DOTALL),
    "pulumi-preview": re.compile(r'"steps"\s*:.*"urn"\s*:\s*"urn:pulumi:', re.DOTALL),
    "eksctl": re.compile(r"""apiVersion["']?\s*:\s*["']?eksctl\.io/v"""),
    "manifest": re.compile(
        r"""apiVersion["']?\s*:\s*["']?(?:eks|iam)\.(?:services\.k8s\.aws|aws\.(?:m\.)?upbound\.io|aws\.crossplane\.io)/"""
    ),
    "template": re.compile(r"AWSTemplateFormatVersion|[\"']?Type[\"']?\s*:\s*[\"']?AWS::\w+::\w+"),
}
_PREFIX: Final = 2_000_000
"""Characters that are searched for a mark. The marks of a plan are near its begin and its middle, so JSON is searched by its keys."""


def kind_of(text: str) -> str | None:
    """Return the kind of a file by its content; None where it is none that preflight reads."""
    if text.lstrip("\ufeff \t\r\n").startswith("{") and len(text) > _PREFIX:
        keys = _keys(text)
        if "resource_changes" in keys or "planned_values" in keys:
            return "terraform-plan"
    return next((kind for kind, mark in _MARKS.items() if mark.search(text[:_PREFIX])), None)


def intended_kind(text: str) -> str | None:
    """Return the kind that a file was meant to be, where its content is near to one: the reader of the kind names the fault."""
    return "terraform-plan" if resembles_plan(text) else None


def _keys(text: str) -> frozenset[str]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return frozenset()
    return frozenset(found) if isinstance(found, dict) else frozenset()
