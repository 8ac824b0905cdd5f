"""The target role of an association, which EKS assumes with the credentials of the association's role: its trust, and that permission.

Source: https://docs.aws.amazon.com/eks/latest/userguide/pod-id-assign-target-role.html
"""

from collections.abc import Mapping

from lambdas.domain.aws_commands import put_role_policy
from lambdas.domain.diagnosis.finding import Evidence, Finding, Link, Remedy, broken, ok, unknown
from lambdas.domain.diagnosis.links.annotation import identity_severity
from lambdas.domain.diagnosis.links.identity import role_name, trust_change
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.snapshot.simulation import ALLOWED, NOT_KNOWN, CallDecision, RefusalCause
from lambdas.domain.snapshot.snapshot import Missing, RoleFacts, Snapshot, Unknown
from lambdas.domain.trust import (
    POD_IDENTITY,
    POD_IDENTITY_ACTIONS,
    Allowed,
    AssociationIdentity,
    Refused,
    TargetIdentity,
    Undecided,
    correct_for_target,
    evaluate_target,
    is_named,
)
from lambdas.domain.trust.document import VERSION


def target_trust(snapshot: Snapshot, role: RoleFacts, association: AssociationIdentity) -> Finding:
    """Link 6 where the association's role is trusted: the target role has to trust that role."""
    arn, name, identity = snapshot.target_role_arn or "", role_name(role.arn), TargetIdentity(association=association, role_arn=role.arn)
    match snapshot.target_role:
        case Missing():
            return broken(
                Link.TRUST,
                Verdict.POD_IDENTITY_NOT_TRUSTED,
                f"The target role of the pod identity association does not exist: {arn}",
                Evidence("IAM", "role", "none"),
                remedies=(Remedy(f"create the role {role_name(arn)}, or give the association another target role"),),
            )
        case RoleFacts() as target:
            return _evaluated(target, name, identity)
        case Unknown(reason):
            return unknown(Link.TRUST, f"lets {POD_IDENTITY} in; whether {arn} trusts {name} was not read: {reason}")
    return unknown(Link.TRUST, f"lets {POD_IDENTITY} in; whether {arn} trusts {name} was not read")


def _evaluated(target: RoleFacts, name: str, identity: TargetIdentity) -> Finding:
    match evaluate_target(target.trust, identity):
        case Allowed():
            return ok(Link.TRUST, f"lets {POD_IDENTITY} in, and the target role {role_name(target.arn)} lets {name} in")
        case Undecided(reason=reason):
            return unknown(Link.TRUST, f"lets {POD_IDENTITY} in; whether {target.arn} trusts {name} is not known: {reason}")
        case Refused(reason=reason):
            better = correct_for_target(target.trust, identity)
            works = isinstance(evaluate_target(better, identity), Allowed)
            return broken(
                Link.TRUST,
                Verdict.POD_IDENTITY_NOT_TRUSTED,
                f"The trust policy of the target role {role_name(target.arn)} does not let {name} in: {reason}",
                Evidence(f"role {target.arn}", "AssumeRolePolicyDocument", reason),
                remedies=(
                    Remedy(
                        f"allow {name} sts:AssumeRole and sts:TagSession in the trust policy of {role_name(target.arn)}",
                        *trust_change(target, better),
                    )
                    if works
                    else Remedy(f"remove {name} from the Deny statements of the trust policy of {role_name(target.arn)}"),
                ),
            )


def target_permission(snapshot: Snapshot, association: AssociationIdentity) -> Finding | None:
    """Why the association's role may not assume the target role, or why that is not known; None where it may, or where there is none."""
    arn, role = snapshot.target_role_arn, snapshot.role
    if arn is None or not isinstance(role, RoleFacts):
        return None
    calls = POD_IDENTITY_ACTIONS if association.has_session_tags else POD_IDENTITY_ACTIONS[:1]
    simulated = snapshot.target_simulated
    decisions = {call: simulated.get(call, NOT_KNOWN) if isinstance(simulated, Mapping) else NOT_KNOWN for call in calls}
    if _is_admitted_by_name(snapshot, role, association):
        decisions = {call: ALLOWED if item.cause is RefusalCause.NO_STATEMENT else item for call, item in decisions.items()}
    if refused := {call: decision for call, decision in decisions.items() if decision.allowed is False}:
        return _may_not_assume(snapshot, role, arn, refused)
    if all(decision.allowed for decision in decisions.values()):
        return None
    reason = f": {simulated.reason}" if isinstance(simulated, Unknown) else ""
    return unknown(Link.PERMISSIONS, f"whether {role_name(role.arn)} may assume the target role {arn} was not read{reason}")


def _is_admitted_by_name(snapshot: Snapshot, role: RoleFacts, association: AssociationIdentity) -> bool:
    """Whether no policy of the role has to allow the call: both roles are of one account, and the target's trust policy names the role."""
    target, identity = snapshot.target_role, TargetIdentity(association=association, role_arn=role.arn)
    return isinstance(target, RoleFacts) and target.arn.split(":")[4] == identity.account and is_named(target.trust, identity)


def _may_not_assume(snapshot: Snapshot, role: RoleFacts, target: str, refused: Mapping[str, CallDecision]) -> Finding:
    name = role_name(role.arn)
    document = {"Version": VERSION, "Statement": [{"Effect": "Allow", "Action": list(POD_IDENTITY_ACTIONS), "Resource": target}]}
    attach = Remedy(
        f"allow {name} to assume the target role in a policy of {name}",
        put_role_policy(name, "assume-target-role", document),
    )
    causes = {decision.cause for decision in refused.values()} - {None, RefusalCause.NO_STATEMENT}
    elsewhere = Remedy(f"a Deny, the permissions boundary or the organization refuses the call to {name}: allow it there")
    return broken(
        Link.PERMISSIONS,
        Verdict.PERMISSIONS_MISSING,
        f"{name} may not call {' and '.join(refused)} on the target role {target}, so that pods get no credentials.",
        *(Evidence(f"role {name}", "action", f"{call} on {target} refused") for call in refused),
        severity=identity_severity(snapshot),
        remedies=(elsewhere if causes else attach,),
    )
