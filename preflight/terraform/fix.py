"""What a person writes into Terraform, and into which block."""

from lambdas.contract.names import CNI_ADDON
from preflight.terraform.configuration import call_of, calls
from preflight.terraform.plan import Change, Plan, fields, module_names, text


def place_of(plan: Plan, change: Change) -> str:
    """The block that declares the add-on: a resource, or an entry in the arguments of a module."""
    call = call_of(plan, module_names(change.module))
    if call is None:
        return f'in resource "{change.type}" "{change.name}"'
    argument = call.addon_map or ("eks_addons" if call.is_blueprint else "addons" if call.is_cluster_module else "")
    if not argument:
        return f'in resource "{change.type}" "{change.name}" of {change.module}'
    version = text(call.block.get("version_constraint"))
    return f'in module "{".".join(call.path)}" ({" ".join(filter(None, (call.source, version)))}): {argument} → {CNI_ADDON}'


def role_lines(plan: Plan, change: Change) -> tuple[str, ...]:
    """The line that gives the add-on its role: by the expression for it that the configuration already has, else by the ARN it has now."""
    return (f"service_account_role_arn = {_role(plan, change)}",)


def _role(plan: Plan, change: Change) -> str:
    for call in calls(plan):
        arguments = fields(call.block.get("expressions"))
        is_cni_role = fields(arguments.get("attach_vpc_cni_policy")).get("constant_value") is True
        if is_cni_role and len(call.path) == 1 and "iam-role-for-service-accounts" in call.source:
            # The module was renamed in its sixth version, and its outputs with it.
            output = "iam_role_arn" if "iam-role-for-service-accounts-eks" in call.source else "arn"
            return f"module.{call.path[0]}.{output}"
    before = text((change.before or {}).get("service_account_role_arn"))
    return f'"{before}"' if before else '"<ARN of the role for kube-system/aws-node>"'
