"""The two admission policies of a ServiceAccount, and their names. `guard` holds what they evaluate, which a check rarely needs."""

from enum import StrEnum

from lambdas.contract.names import PROJECT


class PolicyKind(StrEnum):
    """The two policies of a ServiceAccount."""

    GUARD = "guard"
    WARNING = "warning"

    @property
    def resource(self) -> str:
        """The resource that the API server must serve."""
        return "mutatingadmissionpolicies" if self is PolicyKind.GUARD else "validatingadmissionpolicies"

    @property
    def policy(self) -> str:
        """The kind of the policy object."""
        return "MutatingAdmissionPolicy" if self is PolicyKind.GUARD else "ValidatingAdmissionPolicy"

    @property
    def policy_binding(self) -> str:
        """The kind of the object that puts the policy in force."""
        return f"{self.policy}Binding"

    @property
    def binding_resource(self) -> str:
        """The resource of the objects that put policies in force."""
        return f"{self.policy_binding.lower()}s"

    @property
    def minimum_version(self) -> tuple[int, int]:
        """The first Kubernetes version that serves the resource in `admissionregistration.k8s.io/v1` by default."""
        return (1, 36) if self is PolicyKind.GUARD else (1, 30)


def policy_name(kind: PolicyKind, namespace: str, service_account: str) -> str:
    """The name of a policy and of its binding."""
    return f"{namespace}.{service_account}.{kind}.{PROJECT}"
