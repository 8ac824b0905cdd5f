"""Which add-ons matter: those that own a ServiceAccount we know."""

from lambdas.contract.workloads import KNOWN


def owned_by(addon: str) -> tuple[str, str] | None:
    """`(namespace, service account)` that the add-on owns, or None for an add-on whose ServiceAccount is not ours to know."""
    return next(((item.namespace, item.service_account) for item in KNOWN if item.addon == addon), None)
