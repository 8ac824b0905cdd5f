"""Reads a plan and says all there is to say about the role of the vpc-cni add-on."""

from preflight.concern import Concern, in_order
from preflight.providers import NOT_LOOKED, Providers
from preflight.rules import declared as rules
from preflight.terraform.addons import addon_concerns, made_after_nodes
from preflight.terraform.plan import load
from preflight.terraform.roles import role_concerns


def read(source: str, file: str, providers: Providers = NOT_LOOKED) -> tuple[Concern, ...]:
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
        found.append(Concern(rule=rules.PLAN_INCOMPLETE, resource="", file=file, message=message))
    return in_order(found)
