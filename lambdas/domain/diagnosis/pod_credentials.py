"""Which credentials the SDKs use in a pod: access keys, web identity, the Pod Identity agent, or the node role. Pure."""

from collections.abc import Callable
from enum import StrEnum

from lambdas.contract.parameters import Mechanism
from lambdas.domain.snapshot.bindings import desired_settings, wants_association
from lambdas.domain.snapshot.snapshot import Binding, PodFacts, RoleFacts, Snapshot
from lambdas.domain.snapshot.web_identity import audience, provider_arn
from lambdas.domain.trust import Refused, WebIdentity, evaluate


class CredentialSource(StrEnum):
    """A provider of the SDKs' default chain, in the order in which the SDKs try them."""

    STATIC_KEYS = "access keys"
    WEB_IDENTITY = "web identity (IRSA)"
    ASSOCIATION = "the pod identity association"
    NODE_ROLE = "the node role"


def credential_source(pod: PodFacts) -> CredentialSource:
    """The first provider of the chain that the pod's variables configure.

    With both mechanisms in one pod, web identity wins, so the association has no effect there. A role ARN without a token file is not
    enough for web identity: the SDKs then try the next provider.

    Sources: https://github.com/aws/aws-sdk-go-v2/blob/main/config/resolve_credentials.go (resolveCredentialChain)
    https://github.com/aws/aws-sdk-go/blob/main/aws/session/credentials.go (resolveCredentials)
    https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html
    """
    if pod.has_static_keys:
        return CredentialSource.STATIC_KEYS
    if pod.role_arn is not None and pod.has_token_file:
        return CredentialSource.WEB_IDENTITY
    return CredentialSource.ASSOCIATION if pod.container_credentials else CredentialSource.NODE_ROLE


def association_matches(snapshot: Snapshot) -> bool:
    """Whether the association gives what the binding names, or without one the role that the ServiceAccount should use."""
    found = snapshot.association
    if found is None:
        return False
    if isinstance(snapshot.binding, Binding):
        return found.settings == desired_settings(snapshot.binding, found)
    return found.role_arn == snapshot.desired_role


def was_admitted_with(pod: PodFacts, role_arn: str, mechanism: Mechanism, *, refuses_irsa: bool = False) -> bool:
    """Whether a pod was admitted with the role by this mechanism.

    With `pod-identity`, the association gives the role, which is compared separately. A pod that has the role by web identity keeps it,
    unless the role refuses web identity (`refuses_irsa`).
    """
    if mechanism is Mechanism.IRSA:
        return pod.role_arn == role_arn and pod.has_token_file
    source = credential_source(pod)
    is_irsa = source is CredentialSource.WEB_IDENTITY and pod.role_arn == role_arn
    return source is CredentialSource.ASSOCIATION or (is_irsa and not refuses_irsa)


def uses_pod_identity(snapshot: Snapshot) -> bool:
    """Whether an association decides the role, or the binding asks for one, so that the annotation is not written."""
    return snapshot.association is not None or wants_association(snapshot.binding)


def refuses_irsa(snapshot: Snapshot) -> bool:
    """Whether an association gives the role, and the role is shown to refuse web identity, as after the last step of a migration.

    Where IRSA gives the role, a trust policy that refuses it is a finding of its own, and new pods would not help.
    """
    provider, role = provider_arn(snapshot), snapshot.role
    if not uses_pod_identity(snapshot) or provider is None or not isinstance(role, RoleFacts):
        return False
    identity = WebIdentity(provider_arn=provider, subject=snapshot.target.subject, audience=audience(snapshot))
    return isinstance(evaluate(role.trust, identity), Refused)


def role_check(snapshot: Snapshot) -> Callable[[PodFacts], bool]:
    """A function that says whether a pod has the role that the ServiceAccount should use, by either mechanism.

    A pod that was admitted with web identity does not have it where the role refuses that now: its credentials cannot be renewed.
    """
    accepts_irsa, association_is_right = not refuses_irsa(snapshot), association_matches(snapshot)

    def has_right_role(pod: PodFacts) -> bool:
        match credential_source(pod):
            case CredentialSource.WEB_IDENTITY:
                return accepts_irsa and pod.role_arn == snapshot.desired_role
            case CredentialSource.ASSOCIATION:
                return association_is_right
        return False

    return has_right_role
