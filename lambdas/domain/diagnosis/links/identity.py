"""Links 4 to 6: whether the desired role would work. They are preconditions of every write."""

import json
from collections.abc import Mapping
from dataclasses import replace
from shlex import quote
from typing import Final

from lambdas.domain.aws_commands import aws_command
from lambdas.domain.diagnosis.finding import Evidence, Finding, Link, Remedy, broken, not_applicable, ok, unknown
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.snapshot.snapshot import (
    AssociationSettings,
    Binding,
    ClusterFacts,
    InvalidBinding,
    Missing,
    NotRead,
    OidcProvider,
    RoleFacts,
    Snapshot,
    Unknown,
)
from lambdas.domain.snapshot.web_identity import audience, provider_arn
from lambdas.domain.trust import (
    Allowed,
    AssociationIdentity,
    Breadth,
    Refused,
    TrustFault,
    Undecided,
    WebIdentity,
    breadth,
    changed_lines,
    correct,
    evaluate,
    evaluate_association,
    is_allowed,
)


def role_link(snapshot: Snapshot) -> Finding:
    """Link 4: the binding names a role that exists."""
    match snapshot.binding, snapshot.role:
        case InvalidBinding(path=path, reason=reason), _:
            return broken(
                Link.ROLE,
                Verdict.BINDING_INVALID,
                f"The parameter {path} {reason}.",
                Evidence(f"parameter {path}", "value", reason),
                remedies=(
                    Remedy(
                        "set the ARN of the role",
                        aws_command(
                            "ssm put-parameter", snapshot.region, f"--overwrite --type String --name {quote(path)} --value <role ARN>"
                        ),
                    ),
                ),
            )
        case Missing(), _ if snapshot.desired_role is None:
            return not_applicable(Link.ROLE, "no binding says which role it should use")
        case Binding(path=path, role_arn=arn), Missing(other=actual) if actual:
            return _other_path(path, arn, actual, snapshot.region)
        case Binding(path=path, role_arn=arn), Missing():
            return broken(
                Link.ROLE,
                Verdict.BINDING_INVALID,
                f"The role in Parameter Store does not exist: {arn}",
                Evidence(f"parameter {path}", "value", arn),
                remedies=(Remedy(f"create the role, or correct the parameter {path}"),),
            )
        case _, Unknown(reason):
            return unknown(Link.ROLE, reason)
        case _, RoleFacts(arn=arn):
            return ok(Link.ROLE, "exists", Evidence("IAM", "role", arn))
    return unknown(Link.ROLE, "not read")


def _other_path(parameter: str, arn: str, actual: str, region: str) -> Finding:
    """A role under a path. STS refuses the ARN without the path, though the role's name is right.

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-friendly-names
    """
    return broken(
        Link.ROLE,
        Verdict.BINDING_INVALID,
        f"The role has the ARN {actual}, and the parameter names {arn}.",
        Evidence("IAM", "role", actual),
        Evidence(f"parameter {parameter}", "value", arn),
        remedies=(
            Remedy(
                "set the role's own ARN",
                aws_command("ssm put-parameter", region, f"--overwrite --type String --name {quote(parameter)} --value {quote(actual)}"),
            ),
        ),
    )


def oidc_link(snapshot: Snapshot) -> Finding:
    """Link 5: IAM has an OIDC provider for the cluster's issuer, with the audience of the tokens."""
    arn, expected = provider_arn(snapshot), audience(snapshot)
    match snapshot.oidc_provider:
        case Unknown(reason):
            return unknown(Link.OIDC_PROVIDER, reason)
        case NotRead():
            return not_applicable(Link.OIDC_PROVIDER, "no role to check")
        case OidcProvider(client_ids=ids) if expected in ids:
            return ok(Link.OIDC_PROVIDER, f"…/{(arn or '').rpartition('/')[2]}")
        case OidcProvider(arn=found, client_ids=ids):
            return _no_provider(
                f"The IAM OIDC provider of this cluster lacks the client ID {expected}.",
                Evidence(f"OIDC provider {found}", "ClientIDList", ", ".join(ids) or "empty"),
                Remedy(
                    "add the client ID",
                    f"aws iam add-client-id-to-open-id-connect-provider --open-id-connect-provider-arn {quote(found)}"
                    f" --client-id {quote(expected)}",
                ),
            )
    if arn is None:
        return _no_provider(
            "The cluster has no OIDC issuer.", Evidence("cluster", "identity.oidc.issuer", "none"), Remedy("enable OIDC for the cluster")
        )
    url = "https://" + arn.split("oidc-provider/", 1)[1]
    return _no_provider(
        "IAM has no OIDC provider for this cluster's issuer, so STS rejects its tokens.",
        Evidence("IAM", "OIDC provider", f"none for {url}"),
        Remedy("create the provider", f"aws iam create-open-id-connect-provider --url {quote(url)} --client-id-list {quote(expected)}"),
    )


def _no_provider(sentence: str, evidence: Evidence, remedy: Remedy) -> Finding:
    return broken(Link.OIDC_PROVIDER, Verdict.OIDC_PROVIDER_MISSING, sentence, evidence, remedies=(remedy,))


def trust_link(snapshot: Snapshot) -> Finding:
    """Link 6: the role's trust policy admits this ServiceAccount of this cluster."""
    arn = provider_arn(snapshot)
    match snapshot.role:
        case Unknown(reason):
            return unknown(Link.TRUST, reason)
        case RoleFacts() as role if arn is not None:
            return _trust(snapshot, role, WebIdentity(provider_arn=arn, subject=snapshot.target.subject, audience=audience(snapshot)))
    return not_applicable(Link.TRUST, "no role to check")


def trust_breadth(snapshot: Snapshot) -> Breadth | None:
    """How much broader the role's trust policy is than this ServiceAccount; None where it is not, or was not read."""
    arn = provider_arn(snapshot)
    if not isinstance(snapshot.role, RoleFacts) or arn is None:
        return None
    return breadth(snapshot.role.trust, WebIdentity(provider_arn=arn, subject=snapshot.target.subject, audience=audience(snapshot)))


def _trust(snapshot: Snapshot, role: RoleFacts, identity: WebIdentity) -> Finding:
    match evaluate(role.trust, identity):
        case Allowed():
            return replace(ok(Link.TRUST, f"lets {identity.subject} in"), advice=_open_to_others(role, identity))
        case Undecided(reason=reason):
            return unknown(Link.TRUST, reason)
        case Refused(code=code, reason=reason):
            other = code is TrustFault.OTHER_ISSUER
            better = correct(role.trust, identity)
            refused = f"The trust policy of {role_name(role.arn)} does not let {identity.subject} of {snapshot.target.cluster} in: {reason}"
            is_migrating = _is_migration_unfinished(snapshot, role)
            found = broken(
                Link.TRUST,
                Verdict.TRUST_OTHER_ISSUER if other else Verdict.TRUST_CONDITION_WRONG,
                f"{refused}. {_MIGRATION}" if is_migrating else refused,
                Evidence(f"role {role.arn}", "AssumeRolePolicyDocument", reason),
                remedies=(*((_associate(snapshot, role),) if is_migrating else ()), *_trust_remedy(role, identity, better)),
            )
            return replace(found, corrected=json.dumps(better, ensure_ascii=False) if is_allowed(better, identity) else "")


_MIGRATION: Final = (
    "The role trusts EKS Pod Identity, and no association gives it to the ServiceAccount: a migration to Pod Identity is not finished"
)


def _is_migration_unfinished(snapshot: Snapshot, role: RoleFacts) -> bool:
    """Whether the role trusts Pod Identity for this ServiceAccount, and the associations were read and there is none."""
    if not isinstance(snapshot.cluster, ClusterFacts) or snapshot.associations != ():
        return False
    target = snapshot.target
    identity = AssociationIdentity(cluster_arn=snapshot.cluster.arn, namespace=target.namespace, service_account=target.name)
    return isinstance(evaluate_association(role.trust, identity), Allowed)


def _associate(snapshot: Snapshot, role: RoleFacts) -> Remedy:
    """Source: https://docs.aws.amazon.com/eks/latest/userguide/pod-id-association.html"""
    return Remedy(
        "to finish the migration, create the association, then replace the pods; to stay with IRSA, make the next change instead",
        create_association(snapshot, quote(role.arn)),
    )


def create_association(snapshot: Snapshot, role: str) -> str:
    """The command that creates the association of the ServiceAccount. `role` is quoted already, or is a placeholder."""
    target = snapshot.target
    options = f"--cluster-name {target.cluster} --namespace {target.namespace} --service-account {target.name} --role-arn {role}"
    return aws_command("eks create-pod-identity-association", snapshot.region, options)


def settings_options(wanted: AssociationSettings) -> str:
    """The options of the command, besides the role, for what an association is to give."""
    target = f" --target-role-arn {quote(wanted.target_role_arn)}" if wanted.target_role_arn else ""
    tags = "" if wanted.has_session_tags else " --disable-session-tags"
    return target + tags + (f" --policy {quote(wanted.policy)}" if wanted.policy else "")


MOST_LINES: Final = 12
"""Maximum number of changed lines that are shown one by one. Where more change, the whole document is shown."""


def _trust_remedy(role: RoleFacts, identity: WebIdentity, better: Mapping[str, object]) -> tuple[Remedy, ...]:
    name = role_name(role.arn)
    if not is_allowed(better, identity):
        return (Remedy(f"remove {identity.subject} from the Deny statements of the trust policy of {name}"),)
    command, diff = trust_change(role, better)
    text = f"change the trust policy of {name}" if diff else f"add a statement for {identity.subject} to the trust policy of {name}"
    return (Remedy(text, command, diff),)


def trust_change(role: RoleFacts, better: Mapping[str, object]) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The command that sets the better trust policy, and the changed lines as (old, new); no lines where too many change."""
    change = changed_lines(role.trust, better)
    command = f"aws iam update-assume-role-policy --role-name {quote(role_name(role.arn))} --policy-document {quote(json.dumps(better))}"
    return command, tuple((old.strip(), new.strip()) for old, new in change) if len(change) <= MOST_LINES else ()


def _open_to_others(role: RoleFacts, identity: WebIdentity) -> str:
    """A warning about a policy that admits too much; empty where it does not."""
    wide = breadth(role.trust, identity)
    if wide is None:
        return ""
    namespace = identity.subject.split(":")[2]
    trusted = "any ServiceAccount of this cluster" if wide is Breadth.CLUSTER else f"any ServiceAccount in {namespace}"
    condition = f'StringEquals "{identity.issuer}:sub" = "{identity.subject}"'
    return f"{trusted} can assume the role {role_name(role.arn)}, since its trust policy does not name this ServiceAccount; add {condition}"


def role_name(arn: str) -> str:
    """A role's name: the last segment of its ARN, after the path."""
    return arn.rpartition("/")[2]
