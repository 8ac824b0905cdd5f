"""Trust policies of the scenarios: valid ones, and the common mistakes."""

from typing import Any, Final

from sandbox.simulation.scenario import TrustPolicyKind, World

_AUDIENCE: Final = "sts.amazonaws.com"


def trust_policy(world: World, *, issuer: str, account: str, namespace: str) -> dict[str, Any]:
    """The trust policy of the role of the world. `issuer` has no scheme.

    It trusts Pod Identity if an association names the role, IRSA if the annotation does, and both during a migration.
    """
    by_association = world.uses_pod_identity and world.pod_identity_trusted
    if by_association and (world.annotation is None or world.trust is TrustPolicyKind.POD_IDENTITY_ONLY):
        return _document(_pod_identity(world))
    of_irsa = _for_irsa(world, issuer=issuer, account=account, namespace=namespace)
    return _document(of_irsa, _pod_identity(world)) if by_association else _document(of_irsa)


def _pod_identity(world: World) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": {"Service": "pods.eks.amazonaws.com"}, "Action": ["sts:AssumeRole", "sts:TagSession"]}
    return {**statement, "Condition": dict(world.pod_identity_condition)} if world.pod_identity_condition else statement


def _for_irsa(world: World, *, issuer: str, account: str, namespace: str) -> dict[str, Any]:
    if world.trust is TrustPolicyKind.EC2_ONLY:
        return {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    other = issuer.rsplit("/", 1)[0] + "/" + "9A1C" * 8
    host = other if world.trust is TrustPolicyKind.OTHER_ISSUER else issuer
    partition = "aws-cn" if world.trust is TrustPolicyKind.OTHER_PARTITION else "aws"
    provider = f"arn:{partition}:iam::{account}:oidc-provider/{host}"
    claims = _claims(world.trust, host, provider, f"{namespace}:{world.service_account}")
    federated: str | list[str] = provider
    if world.trust is TrustPolicyKind.SHARED_STATEMENT:
        federated = [provider, provider.replace(issuer, other)]
        claims |= {key.replace(issuer, other): value for key, value in claims.items()}
    statement = {"Effect": "Allow", "Principal": {"Federated": federated}, "Action": "sts:AssumeRoleWithWebIdentity"}
    return statement | {"Condition": {"StringEquals": claims}}


def _claims(trust: TrustPolicyKind, host: str, provider: str, account: str) -> dict[str, str]:
    subject = f"system:serviceaccount:{account}"
    match trust:
        case TrustPolicyKind.OTHER_SUBJECT:
            return {f"{host}:aud": _AUDIENCE, f"{host}:sub": "system:serviceaccount:default:someone-else"}
        case TrustPolicyKind.WRONG_AUDIENCE:
            return {f"{host}:aud": "sts.example.com", f"{host}:sub": subject}
        case TrustPolicyKind.AUDIENCE_ONLY:
            return {f"{host}:aud": _AUDIENCE}
        case TrustPolicyKind.WILDCARD:
            return {f"{host}:aud": _AUDIENCE, f"{host}:sub": subject.rpartition(":")[0] + ":*"}
        case TrustPolicyKind.ARN_IN_KEY:
            return {f"{provider}:aud": _AUDIENCE, f"{provider}:sub": subject}
    return {f"{host}:aud": _AUDIENCE, f"{host}:sub": subject}


def _document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}
