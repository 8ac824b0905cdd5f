"""Which credentials the SDKs use in a pod: access keys, web identity, the Pod Identity agent, or the node role. Pure."""

from enum import StrEnum

from lambdas.contract.parameters import Mechanism
from lambdas.domain.snapshot.bindings import desired_settings
from lambdas.domain.snapshot.snapshot import Binding, PodFacts, Snapshot


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


def was_admitted_with(pod: PodFacts, role_arn: str, mechanism: Mechanism) -> bool:
    """Whether a pod was admitted with the role by this mechanism.

    With `pod-identity`, the association gives the role, which is compared separately. A pod that has the role by web identity keeps it.
    """
    if mechanism is Mechanism.IRSA:
        return pod.role_arn == role_arn and pod.has_token_file
    source = credential_source(pod)
    return source is CredentialSource.ASSOCIATION or (source is CredentialSource.WEB_IDENTITY and pod.role_arn == role_arn)


def has_right_role(snapshot: Snapshot, pod: PodFacts) -> bool:
    """Whether the pod was admitted with the role that the ServiceAccount should use, by either mechanism."""
    match credential_source(pod):
        case CredentialSource.WEB_IDENTITY:
            return pod.role_arn == snapshot.desired_role
        case CredentialSource.ASSOCIATION:
            return association_matches(snapshot)
    return False
