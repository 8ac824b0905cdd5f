"""Reads a plan and says all there is to say about the role of the vpc-cni add-on."""

from preflight.finding import Finding, by_severity
from preflight.oidc_providers import NO_PROVIDERS, Providers
from preflight.rules import files as rules
from preflight.terraform.addons import addon_concerns, made_after_nodes
from preflight.terraform.plan import load
from preflight.terraform.roles import role_concerns


def read(source: str, file: str, providers: Providers = NO_PROVIDERS) -> tuple[Finding, ...]:
    """The concerns about a plan, the gravest first.

    Args:
        providers: OIDC providers of the clusters that were looked at, for those that the plan does not know.

    Raises:
        MalformedFile: the text is not the JSON of a plan.
    """
    plan = load(source, file)
    found = [*addon_concerns(plan, file), *made_after_nodes(plan, file), *role_concerns(plan, file, providers)]
    if not plan.complete:
        message = "Terraform could not plan everything: this says nothing of what is missing."
        found.append(Finding(rule=rules.PLAN_INCOMPLETE, resource="", file=file, message=message))
    return by_severity(found)
