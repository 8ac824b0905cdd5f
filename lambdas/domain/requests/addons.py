"""Add-ons that own a known ServiceAccount."""

from lambdas.contract.workloads import KNOWN


def owned_by(addon: str) -> tuple[str, str] | None:
    """`(namespace, service account)` that the add-on owns; None for add-ons whose ServiceAccount is not known."""
    return next(((item.namespace, item.service_account) for item in KNOWN if item.addon == addon), None)
