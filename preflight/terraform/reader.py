"""Reads a plan and returns its findings about the role of aws-node."""

from lambdas.contract.names import POD_IDENTITY_AGENT_ADDON
from preflight import rules
from preflight.context import ALONE, AddonRole, Context, Declarations
from preflight.finding import Finding, by_severity
from preflight.terraform.addons import ADDON, ROLE, addon_findings, cni_addons, declared_associations, late_addons
from preflight.terraform.clusters import declared_nodes
from preflight.terraform.plan import Plan, UnknownValue, load, text
from preflight.terraform.roles import declared_providers, declared_roles, role_findings


def declarations(plan: Plan) -> Declarations:
    """Return what the plan declares that matters to other files."""
    agents = [
        change for change in plan.of_type(ADDON) if change.after is not None and change.after.get("addon_name") == POD_IDENTITY_AGENT_ADDON
    ]
    return Declarations(
        associations=tuple(declared_associations(plan)),
        agents=frozenset(text(change.after_value("cluster_name")) or None for change in agents),
        nodes=tuple(declared_nodes(plan)),
        roles=tuple(declared_roles(plan)),
        providers=tuple(declared_providers(plan)),
        addon_roles=tuple(
            _addon_role(change.after_value("cluster_name"), change.after_value(ROLE), change.address)
            for change in cni_addons(plan)
            if change.after
        ),
    )


def _addon_role(cluster: object, role: object, address: str) -> AddonRole:
    return AddonRole(cluster=text(cluster) or None, role=None if isinstance(role, UnknownValue) else text(role), resource=address)


def findings(plan: Plan, context: Context) -> tuple[Finding, ...]:
    """Return the findings about a plan, most severe first. `context` holds the clusters that were read, and the other files."""
    found = [*addon_findings(plan, context), *late_addons(plan), *role_findings(plan, context)]
    if not plan.complete:
        message = "Terraform could not plan every change; those that are missing are not checked."
        found.append(Finding(rule=rules.PLAN_INCOMPLETE, message=message))
    return by_severity(found)


def read(source: str, file: str, context: Context = ALONE) -> tuple[Finding, ...]:
    """Return the findings about the text of a plan.

    Raises:
        MalformedFile: the text is not the JSON of a plan.
    """
    return findings(load(source, file), context)
