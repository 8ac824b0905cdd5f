"""The chain under EKS Pod Identity: association, role, trust, permissions, add-on record and the credentials of the pods."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from shlex import quote
from typing import Final

from lambdas.contract.names import ROLE_ANNOTATION
from lambdas.contract.parameters import Mechanism
from lambdas.contract.settings import Severity
from lambdas.domain.aws_commands import aws_command
from lambdas.domain.diagnosis.finding import Evidence, Finding, Link, Remedy, State, broken, not_applicable, object_name, ok, unknown
from lambdas.domain.diagnosis.links.addon_record import addon_fault
from lambdas.domain.diagnosis.links.annotation import identity_severity, sort_by_age, stale_pods
from lambdas.domain.diagnosis.links.identity import (
    create_association,
    role_link,
    role_name,
    settings_options,
    trust_change,
)
from lambdas.domain.diagnosis.links.permissions import permissions_link
from lambdas.domain.diagnosis.links.pod_health import no_pod, not_created, stuck, too_few
from lambdas.domain.diagnosis.links.pod_identity_agent import agent_finding
from lambdas.domain.diagnosis.links.target_role import target_permission, target_trust
from lambdas.domain.diagnosis.pod_credentials import CredentialSource, association_matches, credential_source, refuses_irsa, role_check
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.plurals import pluralize
from lambdas.domain.snapshot.bindings import desired_settings, wants_association
from lambdas.domain.snapshot.node_reachability import reachable_pods
from lambdas.domain.snapshot.snapshot import (
    AddonFacts,
    Association,
    AssociationSettings,
    Binding,
    ClusterFacts,
    Missing,
    PodFacts,
    RoleFacts,
    ServiceAccountFacts,
    Snapshot,
    Unknown,
    WorkloadFacts,
)
from lambdas.domain.trust import (
    POD_IDENTITY,
    Allowed,
    AssociationIdentity,
    Refused,
    Undecided,
    correct_for_association,
    evaluate_association,
)

MOST_EVIDENCE: Final = 3


def association_link(snapshot: Snapshot, association: Association) -> Finding:
    """Link 3 with an association: it gives the role that the binding names, and an agent serves it on each node of the pods."""
    evidence = Evidence(f"pod identity association {association.id}", "roleArn", association.role_arn, association.modified_at)
    if isinstance(snapshot.binding, Binding) and snapshot.binding.mechanism is Mechanism.IRSA:
        return _not_wanted(snapshot, association, evidence)
    if not association_matches(snapshot):
        return _differs(snapshot, association, evidence)
    found = f"pod identity association with {_roles(association)}, {_owned_by(association)}"
    agent = agent_finding(snapshot, found)
    return replace(agent, evidence=(evidence, *agent.evidence), advice=_other_mechanism_note(snapshot))


def _not_wanted(snapshot: Snapshot, association: Association, evidence: Evidence) -> Finding:
    """The binding names IRSA, and an association is there, which takes precedence for new pods."""
    options = f"--cluster-name {snapshot.target.cluster} --association-id {quote(association.id)}"
    command = aws_command("eks delete-pod-identity-association", snapshot.region, options)
    return broken(
        Link.MECHANISM,
        Verdict.ASSOCIATION_DIFFERS,
        f"The binding says {Mechanism.IRSA}, and a pod identity association with {_roles(association)} decides the role of new pods.",
        evidence,
        severity=identity_severity(snapshot),
        remedies=(
            Remedy("check that the annotation and the trust policy serve IRSA, then delete the association where it is declared", command),
            Remedy("or correct the binding, if the association is right"),
        ),
    )


def _differs(snapshot: Snapshot, association: Association, evidence: Evidence) -> Finding:
    wanted = wanted_settings(snapshot) or replace(association.settings, role_arn=snapshot.desired_role or "")
    return broken(
        Link.MECHANISM,
        Verdict.ASSOCIATION_DIFFERS,
        f"The pod identity association gives {_given(association.settings)} instead of {_given(wanted)}.",
        evidence,
        Evidence(f"pod identity association {association.id}", "owner", association.owner or association.declared_by or "no add-on"),
        severity=identity_severity(snapshot),
        remedies=(_update_association(snapshot, association, wanted), Remedy("or correct the binding, if the association is right")),
    )


def wanted_settings(snapshot: Snapshot) -> AssociationSettings | None:
    """What the binding asks the association to give; None without a binding."""
    return desired_settings(snapshot.binding, snapshot.association) if isinstance(snapshot.binding, Binding) else None


def _update_association(snapshot: Snapshot, association: Association, wanted: AssociationSettings) -> Remedy:
    """The update by the owner. A role that is set directly on an add-on's association is replaced by the next update of the add-on.

    Source: https://docs.aws.amazon.com/eks/latest/userguide/update-addon-role.html
    """
    target, cluster = snapshot.target, f"--cluster-name {snapshot.target.cluster}"
    if association.owner and isinstance(snapshot.addon, AddonFacts):
        entry = f"serviceAccount={target.name},roleArn={wanted.role_arn}"
        return Remedy(
            "change the role in the add-on record, which owns the association",
            aws_command(
                "eks update-addon",
                snapshot.region,
                f"{cluster} --addon-name {quote(snapshot.addon.name)} --pod-identity-associations {quote(entry)}",
                "--resolve-conflicts PRESERVE",
            ),
        )
    declared = f" in {association.declared_by}, which declares it" if association.declared_by else ", and where it is declared"
    options = f"{cluster} --association-id {quote(association.id)} --role-arn {quote(wanted.role_arn)}{settings_options(wanted)}"
    return Remedy(
        f"change the role of the association{declared}", aws_command("eks update-pod-identity-association", snapshot.region, options)
    )


def _given(settings: AssociationSettings) -> str:
    """What an association gives, as text. A session policy is cut."""
    chained = f", chained to {settings.target_role_arn}" if settings.target_role_arn else ""
    tags = "" if settings.has_session_tags else ", without session tags"
    policy = f", with the session policy {settings.policy[:_POLICY_LENGTH]}" if settings.policy else ""
    return settings.role_arn + chained + tags + policy


_POLICY_LENGTH: Final = 200


def _roles(association: Association) -> str:
    chained = f", chained to {association.target_role_arn}" if association.target_role_arn else ""
    return association.role_arn + chained


def _owned_by(association: Association) -> str:
    """The owner: an add-on, or the caller who made the association directly."""
    return f"owned by the add-on {association.owner_addon}" if association.owner_addon else "not owned by an add-on"


def _other_mechanism_note(snapshot: Snapshot) -> str:
    """Pods that have the right role by web identity, which the SDKs use before the association."""
    older = [pod for pod in _by_source(snapshot).get(CredentialSource.WEB_IDENTITY, ()) if pod.role_arn == snapshot.desired_role]
    if not older or refuses_irsa(snapshot):
        return ""
    uses = pluralize(len(older), "pod uses", "pods use")
    return f"{uses} the role by web identity (IRSA), which SDKs use before the association, until replaced"


def missing_association(snapshot: Snapshot) -> Finding | None:
    """The binding asks for an association, or pods rely on one that no longer exists; None where neither is shown.

    With another binding or an annotation, IRSA gives the role, and such pods are stale.
    """
    if wants_association(snapshot.binding):
        return _wanted_association(snapshot, snapshot.binding)
    account = snapshot.service_account
    by_irsa = isinstance(snapshot.binding, Binding) or (
        isinstance(account, ServiceAccountFacts) and account.role_annotations.get(ROLE_ANNOTATION) is not None
    )
    orphaned = sort_by_age(pod for pod in reachable_pods(snapshot) if credential_source(pod) is CredentialSource.ASSOCIATION)
    if by_irsa or not orphaned or not isinstance(snapshot.associations, tuple):
        return None
    return broken(
        Link.MECHANISM,
        Verdict.ASSOCIATION_MISSING,
        f"{pluralize(len(orphaned), 'pod was', 'pods were')} admitted with a pod identity association that no longer exists.",
        *(_source_evidence(pod) for pod in orphaned[:MOST_EVIDENCE]),
        severity=Severity.CRITICAL,
        remedies=(Remedy("create the association again, where it is declared", create_association(snapshot, "<role ARN>")),),
    )


def _wanted_association(snapshot: Snapshot, binding: Binding) -> Finding | None:
    if not isinstance(snapshot.associations, tuple):
        return None
    served = sum(map(role_check(snapshot), reachable_pods(snapshot)))
    meanwhile = f"; {pluralize(served, 'pod has', 'pods have')} the role by web identity (IRSA)" if served else ""
    agent = agent_finding(snapshot, "no association exists")
    return broken(
        Link.MECHANISM,
        Verdict.ASSOCIATION_MISSING,
        f"The binding says {Mechanism.POD_IDENTITY}, and the ServiceAccount has no association{meanwhile}."
        + (f" {agent.sentence}" if agent.is_broken else ""),
        Evidence(f"parameter {binding.path}", "mechanism", binding.mechanism or ""),
        *agent.evidence,
        severity=identity_severity(snapshot),
        remedies=(*agent.remedies, _create_wanted(snapshot, binding)),
    )


def _create_wanted(snapshot: Snapshot, binding: Binding) -> Remedy:
    """The creation, which comes after the agent. EKS passes only roles of the cluster's account."""
    account = binding.role_arn.split(":")[4]
    if account != snapshot.account:
        return Remedy(f"bind a role of account {snapshot.account}, and name the role of account {account} as target_role")
    return Remedy(
        "create the association, where it is declared",
        create_association(snapshot, quote(binding.role_arn)) + settings_options(desired_settings(binding, None)),
    )


# --- role, trust and permissions ---------------------------------------------------------------------------------------------------------


def associated_role_link(snapshot: Snapshot) -> Finding:
    """Link 4: the role exists. Without a binding, it is the association's."""
    if isinstance(snapshot.role, Missing) and not isinstance(snapshot.binding, Binding):
        arn = snapshot.desired_role or ""
        return broken(
            Link.ROLE,
            Verdict.POD_IDENTITY_NOT_TRUSTED,
            f"The role of the pod identity association does not exist: {arn}",
            Evidence("IAM", "role", "none"),
            remedies=(Remedy(f"create the role {role_name(arn)}, or give the association another role"),),
        )
    if isinstance(snapshot.role, RoleFacts):
        return ok(Link.ROLE, "exists", Evidence("IAM", "role", snapshot.role.arn))
    return role_link(snapshot)


def associated_trust_link(snapshot: Snapshot) -> Finding:
    """Link 6: the role's trust policy lets EKS assume the role and tag the session for this ServiceAccount."""
    role = snapshot.role
    if isinstance(role, Unknown):
        return unknown(Link.TRUST, f"role not read: {role.reason}")
    if isinstance(snapshot.binding, Binding) and snapshot.binding.mechanism is Mechanism.IRSA:
        return not_applicable(Link.TRUST, "the binding says irsa, and an association decides")
    if not isinstance(role, RoleFacts) or not isinstance(snapshot.cluster, ClusterFacts):
        return not_applicable(Link.TRUST, "no role to check")
    identity = _identity(snapshot, snapshot.cluster)
    match evaluate_association(role.trust, identity):
        case Refused(reason=reason):
            return _not_trusted(role, identity, reason)
        case Undecided(reason=reason):
            return unknown(Link.TRUST, reason)
        case Allowed() if snapshot.target_role_arn:
            return target_trust(snapshot, role, identity)
        case Allowed():
            return ok(Link.TRUST, f"lets {POD_IDENTITY} in for {snapshot.target.namespace}/{snapshot.target.name}")


def _identity(snapshot: Snapshot, cluster: ClusterFacts) -> AssociationIdentity:
    """The request of EKS for the association as the binding asks for it, else as it is."""
    association = snapshot.association
    wanted = wanted_settings(snapshot) or (association.settings if association else None)
    return AssociationIdentity(
        cluster_arn=cluster.arn,
        namespace=snapshot.target.namespace,
        service_account=snapshot.target.name,
        association_arn=association.arn if association else "",
        has_session_tags=wanted is None or wanted.has_session_tags,
    )


def _not_trusted(role: RoleFacts, identity: AssociationIdentity, reason: str) -> Finding:
    name = role_name(role.arn)
    better = correct_for_association(role.trust, identity)
    works = isinstance(evaluate_association(better, identity), Allowed)
    found = broken(
        Link.TRUST,
        Verdict.POD_IDENTITY_NOT_TRUSTED,
        f"The trust policy of {name} does not let {POD_IDENTITY} in for {identity.namespace}/{identity.service_account}: {reason}",
        Evidence(f"role {role.arn}", "AssumeRolePolicyDocument", reason),
        remedies=(
            _trust_remedy(role, better)
            if works
            else Remedy(f"remove {POD_IDENTITY} from the Deny statements of the trust policy of {name}"),
        ),
    )
    return replace(found, corrected=json.dumps(better, ensure_ascii=False) if works else "")


def _trust_remedy(role: RoleFacts, better: Mapping[str, object]) -> Remedy:
    command, diff = trust_change(role, better)
    return Remedy(f"allow {POD_IDENTITY} sts:AssumeRole and sts:TagSession in the trust policy of {role_name(role.arn)}", command, diff)


def associated_permissions_link(snapshot: Snapshot) -> Finding:
    """Link 7: the role of the credentials may make the needed calls. A session policy restricts it further and is not simulated.

    A target role is assumed with a permission of the association's role.

    Source: https://docs.aws.amazon.com/eks/latest/APIReference/API_PodIdentityAssociation.html (policy)
    """
    found, association = permissions_link(snapshot), snapshot.association
    chained = target_permission(snapshot, _identity(snapshot, snapshot.cluster)) if isinstance(snapshot.cluster, ClusterFacts) else None
    if chained and not found.is_broken:
        return chained
    wanted = wanted_settings(snapshot) or (association.settings if association else None)
    if found.state is State.OK and wanted and wanted.policy:
        where = f"the session policy of association {association.id}" if association else "the session policy of the binding"
        return unknown(Link.PERMISSIONS, f"the role allows the calls; whether {where} does was not checked")
    return found


# --- the add-on record, the annotation and the pods --------------------------------------------------------------------------------------


def associated_record_link(snapshot: Snapshot) -> Finding:
    """Link 8: no update is running, and the add-on reports no other fault. EKS ignores the role of the record while it has associations.

    Source: https://docs.aws.amazon.com/eks/latest/userguide/add-ons-iam.html
    """
    if fault := addon_fault(snapshot):
        return fault
    if snapshot.association is None:
        return not_applicable(Link.ADDON_RECORD, "no association exists")
    if not isinstance(snapshot.addon, AddonFacts):
        return not_applicable(Link.ADDON_RECORD, "no EKS add-on owns this ServiceAccount")
    addon, association = snapshot.addon, snapshot.association
    left = f"; its role {addon.role_arn} has no effect" if addon.role_arn else ""
    if association.owner and addon.arn == association.owner:
        return ok(Link.ADDON_RECORD, f"{addon.status}, owns the association{left}")
    return not_applicable(Link.ADDON_RECORD, f"{addon.status}; does not own the association{left}")


def left_over_annotation_link(snapshot: Snapshot) -> Finding:
    """Link 9: the annotation has no effect on new pods while an association exists.

    Source: https://github.com/aws/amazon-eks-pod-identity-webhook/blob/HEAD/pkg/handler/handler.go (buildPodPatchConfig)
    """
    account = snapshot.service_account
    value = account.role_annotations.get(ROLE_ANNOTATION) if isinstance(account, ServiceAccountFacts) else None
    if snapshot.association is None:
        return not_applicable(Link.ANNOTATION, f"{value or 'none'}; the binding asks for a pod identity association")
    effect = f"{value} has no effect" if value else "none"
    return not_applicable(Link.ANNOTATION, f"{effect}: the pod identity association decides")


def credentials_link(snapshot: Snapshot) -> Finding:
    """Link 10: every pod was admitted with the credentials of the association. The webhook injects them at admission only.

    Source: https://docs.aws.amazon.com/eks/latest/userguide/pod-id-association.html
    """
    if isinstance(snapshot.pods, Unknown):
        return unknown(Link.PODS, snapshot.pods.reason)
    severity = identity_severity(snapshot)
    if snapshot.association is None:
        waits = not_applicable(Link.PODS, f"{pluralize(len(snapshot.pods), 'pod')}; no association exists")
        return not_created(snapshot) or stuck(snapshot, severity) or waits
    fault = not_created(snapshot) or without_credentials(snapshot, severity) or stuck(snapshot, severity)
    if fault:
        return fault
    pods = reachable_pods(snapshot)
    if not pods:
        return no_pod(snapshot)
    if not association_matches(snapshot):
        return not_applicable(Link.PODS, f"{pluralize(len(pods), 'pod')}; the association gives another role than the binding")
    shares = ", ".join(f"{len(found)} by {source}" for source, found in _by_source(snapshot).items())
    return too_few(snapshot) or ok(Link.PODS, f"{len(pods)} of {pluralize(len(pods), 'pod has', 'pods have')} the role: {shares}")


def without_credentials(snapshot: Snapshot, severity: Severity) -> Finding | None:
    """Pods that do not use the association: admitted before it, missed by the webhook, or with credentials that the SDKs use before it."""
    lacking = tuple(pod for pod in stale_pods(snapshot) if credential_source(pod) is not CredentialSource.ASSOCIATION)
    if not lacking:
        return None
    if in_template := _in_template(snapshot, lacking, severity):
        return in_template
    total = len(reachable_pods(snapshot))
    sources = {source: len(found) for source, found in _by_source(snapshot, lacking).items()}
    shares = ", ".join(f"{count} {'uses' if count == 1 else 'use'} {source}" for source, count in sources.items())
    untrusted = any(credential_source(pod) is CredentialSource.WEB_IDENTITY for pod in lacking) and refuses_irsa(snapshot)
    shares += f"; the trust policy of {role_name(snapshot.desired_role or '')} no longer lets web identity in" if untrusted else ""
    return broken(
        Link.PODS,
        Verdict.PODS_WITHOUT_CREDENTIALS,
        f"{len(lacking)} of {pluralize(total, 'pod')} {'does' if len(lacking) == 1 else 'do'} not use the credentials of the pod identity"
        f" association: {shares}.",
        *(_source_evidence(pod) for pod in lacking[:MOST_EVIDENCE]),
        severity=severity,
        remedies=(
            Remedy(
                "replace these pods one at a time, since new pods get the credentials",
                f"kubectl -n {snapshot.target.namespace} delete pod {object_name(lacking[0].name)}",
            ),
            *((Remedy(f"the others are: {', '.join(object_name(pod.name) for pod in lacking[1:10])}"),) if len(lacking) > 1 else ()),
        ),
    )


def _in_template(snapshot: Snapshot, lacking: Sequence[PodFacts], severity: Severity) -> Finding | None:
    """The pod template itself sets credentials that the SDKs use before the association, so a new pod would have them, too."""
    workload = snapshot.workload
    both = [pod for pod in lacking if pod.container_credentials or pod.has_static_keys]  # the webhook sets no access keys
    if not both or not isinstance(workload, WorkloadFacts):
        return None
    subject, source = f"{workload.kind} {workload.name}", credential_source(both[0])
    variable = "AWS_ACCESS_KEY_ID" if source is CredentialSource.STATIC_KEYS else "AWS_ROLE_ARN"
    return broken(
        Link.PODS,
        Verdict.ROLE_IN_POD_TEMPLATE,
        f"The pod template of {subject} sets {variable}. SDKs use {source} before the association, so new pods do not use it either.",
        *(_source_evidence(pod) for pod in both[:MOST_EVIDENCE]),
        severity=severity,
        remedies=(
            Remedy(
                f"remove {variable} and the variables beside it from the code that declares the workload, and from the workload",
                f"kubectl -n {snapshot.target.namespace} set env {workload.kind.lower()}/{object_name(workload.name)} {variable}-",
            ),
        ),
    )


def _by_source(snapshot: Snapshot, pods: Sequence[PodFacts] | None = None) -> dict[CredentialSource, list[PodFacts]]:
    """The reachable pods, or these, by the source of their credentials, in the order of the SDKs' chain."""
    chosen = reachable_pods(snapshot) if pods is None else pods
    found = {source: [pod for pod in chosen if credential_source(pod) is source] for source in CredentialSource}
    return {source: members for source, members in found.items() if members}


def _source_evidence(pod: PodFacts) -> Evidence:
    source = credential_source(pod)
    detail = f" as {pod.role_arn}" if source is CredentialSource.WEB_IDENTITY else ""
    return Evidence(f"Pod {pod.name}", "credentials", f"{source}{detail}", pod.created_at)


POD_IDENTITY_RULES: Final[Mapping[Link, Callable[[Snapshot], Finding]]] = {
    Link.ROLE: associated_role_link,
    Link.OIDC_PROVIDER: lambda _: not_applicable(Link.OIDC_PROVIDER, "a pod identity association decides"),
    Link.TRUST: associated_trust_link,
    Link.PERMISSIONS: associated_permissions_link,
    Link.ADDON_RECORD: associated_record_link,
    Link.ANNOTATION: left_over_annotation_link,
    Link.PODS: credentials_link,
}
"""The rules that replace those of IRSA while an association exists."""
