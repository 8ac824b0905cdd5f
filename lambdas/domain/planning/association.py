"""The repair of a pod identity association: whether the plan sets it, the action, and why it may not. Pure."""

from lambdas.contract.parameters import Mechanism
from lambdas.contract.settings import AddonRecord
from lambdas.contract.workloads import KNOWN_ADDONS
from lambdas.domain.diagnosis.finding import Finding, Link
from lambdas.domain.diagnosis.identity_chain import Diagnosis
from lambdas.domain.diagnosis.links.pod_identity_agent import agent_finding
from lambdas.domain.diagnosis.verdict import ASSOCIATION_VERDICTS, Verdict
from lambdas.domain.planning.actions import CreateAssociation, UpdateAssociation
from lambdas.domain.planning.plan import BlockedAction, BlockReason
from lambdas.domain.planning.role_bounds import account_of, is_passable
from lambdas.domain.snapshot.bindings import desired_settings
from lambdas.domain.snapshot.snapshot import AddonFacts, Association, Binding, Snapshot


def repairs_association(snapshot: Snapshot, diagnosis: Diagnosis) -> bool:
    """Whether the association is missing or differs, and the binding asks for it. An association beside a binding to IRSA stays."""
    binding, verdict = snapshot.binding, diagnosis[Link.MECHANISM].verdict
    if not isinstance(binding, Binding) or verdict not in ASSOCIATION_VERDICTS:
        return False
    return binding.mechanism is Mechanism.POD_IDENTITY or (verdict is Verdict.ASSOCIATION_DIFFERS and binding.mechanism is None)


def mechanism_precondition(snapshot: Snapshot, diagnosis: Diagnosis) -> Finding:
    """Link 3 as a precondition. Where the repair sets the association, the agent alone has to be there, before new pods depend on it."""
    if repairs_association(snapshot, diagnosis):
        return agent_finding(snapshot, "the association is to be set")
    return diagnosis[Link.MECHANISM]


def association_action(snapshot: Snapshot, binding: Binding, token: str) -> CreateAssociation | UpdateAssociation:
    """The write that makes the association give what the binding names.

    A missing association is created directly, also for an add-on: an update of the record would restart all of its pods before one of
    them has shown that the role works.
    Source: https://docs.aws.amazon.com/eks/latest/userguide/add-ons-iam.html
    """
    found = snapshot.association
    wanted = desired_settings(binding, found)
    if found is None:
        return CreateAssociation(
            role_arn=wanted.role_arn,
            target_role_arn=wanted.target_role_arn,
            session_tags=wanted.has_session_tags,
            policy=wanted.policy,
            token=token,
        )
    return UpdateAssociation(
        association_id=found.id,
        addon=found.owner_addon,
        role_arn=wanted.role_arn,
        target_role_arn=wanted.target_role_arn,
        session_tags=wanted.has_session_tags,
        policy=wanted.policy,
        old_role_arn=found.role_arn,
        old_target_role_arn=found.target_role_arn,
        old_session_tags=found.has_session_tags,
        old_policy=found.policy,
        token=token,
    )


NOT_PASSABLE = "the role is none of those that the remediator may pass to EKS: add it to bound_roles and deploy, or let the owner set it"


def blocked_association(snapshot: Snapshot) -> BlockedAction | None:
    """Why the association must not be written; None where it may be."""
    binding = snapshot.binding
    if not isinstance(binding, Binding):
        return None
    account = account_of(binding.role_arn)
    if account != snapshot.account:
        return _held(
            BlockReason.ROLE_NOT_ALLOWED,
            f"EKS takes only a role of the cluster's account for an association, and {binding.role_arn} belongs to account {account}: bind"
            " a role of the cluster's account, and name this one as target_role",
        )
    if not is_passable(binding.role_arn, account=snapshot.account, bound_roles=snapshot.bound_roles):
        return _held(BlockReason.ROLE_NOT_ALLOWED, NOT_PASSABLE)
    found = snapshot.association
    if found and found.owner_addon:
        return _blocked_record(snapshot, binding, found)
    if found and found.declared_by:
        return _held(
            BlockReason.DECLARED_ELSEWHERE,
            f"{found.declared_by} declares the association and would change it back: change it there, or correct the binding",
        )
    return None


def _blocked_record(snapshot: Snapshot, binding: Binding, found: Association) -> BlockedAction | None:
    """Why the association of an add-on must not be changed. Its record holds a role alone.

    Source: https://docs.aws.amazon.com/eks/latest/APIReference/API_AddonPodIdentityAssociations.html
    """
    name, wanted = found.owner_addon, desired_settings(binding, found)
    if snapshot.settings.addon_record is AddonRecord.NOTIFY_ONLY:
        sentence = f"addon_record is notify-only: the owner of the add-on {name} has to change its association"
        return _held(BlockReason.ADDON_RECORD_NOTIFY_ONLY, sentence)
    if name not in KNOWN_ADDONS:
        return _held(BlockReason.NEEDS_PERSON, f"the add-on {name} owns the association, and the remediator may not update this add-on")
    if (wanted.target_role_arn, wanted.has_session_tags, wanted.policy) != (found.target_role_arn, found.has_session_tags, found.policy):
        sentence = f"the add-on {name} owns the association, and its record holds a role alone, not a target role, session tags or a policy"
        return _held(BlockReason.NEEDS_PERSON, sentence)
    useless = useless_update(snapshot)
    return _held(BlockReason.ADDON_DEGRADED, useless) if useless else None


def useless_update(snapshot: Snapshot) -> str | None:
    """Why an update of the add-on would not help; None where it may."""
    addon = snapshot.addon
    if not isinstance(addon, AddonFacts) or addon.status in ("ACTIVE", "DEGRADED"):
        return None
    return f"the add-on is {addon.status}; an update would not help"


def _held(reason: BlockReason, sentence: str) -> BlockedAction:
    return BlockedAction(link=Link.MECHANISM, reason=reason, sentence=sentence)
