"""The texts of each verdict: a few words for the title, and a sentence about what fails and what still works."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from lambdas.domain.diagnosis.verdict import Verdict


@dataclass(frozen=True, kw_only=True)
class VerdictText:
    """`title` and `sentence` apply while something fails, `latent_title` and `latent_sentence` while nothing fails yet.

    The cleared texts replace them where the assessment shows that the role is not the cause. Only they may say so.

    Fields of the templates: `workload` (the ServiceAccount's name), `addon`, `impact` and `status` (from `Impact`), `some`, `pods` and
    `run` for the number of pods without their role, and `unproven` for what was not shown about the role.
    """

    title: str
    sentence: str
    latent_title: str = ""
    latent_sentence: str = ""
    cleared_title: str = ""
    cleared_sentence: str = ""


WITHOUT_ROLE: Final = VerdictText(
    title="{workload} lost its AWS permissions",
    sentence="{impact}",
    latent_title="{workload} runs without its role, {status}",
    latent_sentence="{impact}",
)
"""Also applies where the add-on record is the first broken link and pods already lack their role."""

GONE_WITHOUT_BINDING: Final = VerdictText(
    title="the cluster does not exist any more", sentence="Nothing fails, and no parameter binds a role in it."
)
"""Replaces the text of `CLUSTER_GONE` where the binding was deleted, too."""

ROLE_LOST_ON_RESTART: Final = VerdictText(
    title="the next pod of {workload} will start without its role",
    sentence="Running pods still have the role. Pods that start from now on do not get it.",
)
"""Replaces `WITHOUT_ROLE` where the annotation is wrong and every pod is older than that."""

SOME_PODS_WITHOUT_ROLE: Final = VerdictText(
    title="{some} of {pods} of {workload} {run}",
    sentence="Pods with the role keep it. AWS refuses the calls of the other pods.",
    latent_title="{some} of {pods} of {workload} {run}, {status}",
    latent_sentence="Pods with the role keep it. The other pods use the permissions of the node role.",
)
"""Replaces `WITHOUT_ROLE` where some pods have the role and some do not."""

SOME_PODS_REFUSED_WITH_ROLE: Final = VerdictText(
    title="{some} of {pods} of {workload} {run}, and the role lacks permissions",
    sentence="AWS refuses calls of pods with the role, too. The other pods do not get the role before it allows these calls.",
)
"""Replaces `SOME_PODS_WITHOUT_ROLE` where AWS refuses calls of the pods that have the role."""

VERDICT_TEXTS: Final[Mapping[Verdict, VerdictText]] = {
    Verdict.HEALTHY: VerdictText(title="{workload} is healthy", sentence="Every link of the identity chain is correct."),
    Verdict.NO_FAULT_FOUND: VerdictText(
        title="no fault of {workload} was found", sentence="Not every link was checked. Not checked: {unproven}."
    ),
    Verdict.NOT_APPLICABLE: VerdictText(title="{workload} is not used in this cluster", sentence="No pod uses this ServiceAccount."),
    Verdict.POD_IDENTITY_IN_USE: VerdictText(
        title="{workload} gets its role from EKS Pod Identity", sentence="No fault was found. A role annotation would have no effect."
    ),
    Verdict.ASSOCIATION_MISSING: VerdictText(
        title="{workload} has no pod identity association",
        sentence="Pods that start from now on do not get the role from EKS Pod Identity. A role annotation would be another mechanism.",
    ),
    Verdict.ASSOCIATION_DIFFERS: VerdictText(
        title="the pod identity association of {workload} is not the configured one",
        sentence="The association decides the role of new pods. A role annotation would have no effect.",
    ),
    Verdict.POD_IDENTITY_AGENT_MISSING: VerdictText(
        title="{workload} needs the Pod Identity agent, which is not installed",
        sentence="Pods that rely on the association get no credentials until the agent runs. A role annotation would have no effect.",
    ),
    Verdict.POD_IDENTITY_AGENT_NOT_ON_NODE: VerdictText(
        title="the Pod Identity agent is not ready on nodes of {workload}",
        sentence="Pods on these nodes get no credentials until the agent is ready there. Replacing them does not help.",
    ),
    Verdict.POD_IDENTITY_NOT_TRUSTED: VerdictText(
        title="the role of {workload} does not trust EKS Pod Identity",
        sentence="Pods that rely on the association get no credentials. Neither a role annotation nor a restart changes that.",
    ),
    Verdict.NO_ACCESS: VerdictText(
        title="the remediator cannot access the cluster", sentence="Without access, the state of {workload} is unknown."
    ),
    Verdict.CLUSTER_GONE: VerdictText(
        title="the cluster does not exist, but a parameter still binds a role in it",
        sentence="Nothing fails. The cluster was deleted, or the path of the parameter names it wrongly.",
    ),
    Verdict.CLUSTER_INITIALIZING: VerdictText(
        title="the cluster is still being created", sentence="EKS does not report its add-ons yet. This usually ends within minutes."
    ),
    Verdict.ADDON_NOT_INSTALLED: VerdictText(
        title="nodes wait for a CNI that is not installed",
        sentence="Pods on these nodes get no network until a CNI is installed. A role would not change that.",
    ),
    Verdict.BINDING_INVALID: VerdictText(
        title="the role configured for {workload} cannot be used",
        sentence="The remediator never sets a role that would not work, so it changes nothing.",
    ),
    Verdict.OIDC_PROVIDER_MISSING: VerdictText(
        title="IAM does not accept tokens of this cluster",
        sentence="Every IRSA role in this cluster is affected, not only the role of {workload}.",
    ),
    Verdict.TRUST_OTHER_ISSUER: VerdictText(
        title="the role of {workload} does not trust this cluster",
        sentence="STS refuses this role to every pod of the cluster. Setting the annotation would not fix it.",
    ),
    Verdict.TRUST_CONDITION_WRONG: VerdictText(
        title="the role of {workload} does not trust its ServiceAccount",
        sentence="STS refuses this role to {workload}. Setting the annotation would not fix it.",
    ),
    Verdict.PERMISSIONS_MISSING: VerdictText(
        title="the role of {workload} lacks permissions",
        sentence="The role is the right one, and AWS refuses calls that the installed release of {workload} needs.",
    ),
    Verdict.UPDATE_IN_PROGRESS: VerdictText(
        title="an update has not finished",
        sentence="The update takes longer than the remediator waits for it. Nothing is changed before the update ends.",
    ),
    Verdict.ADDON_DEGRADED: VerdictText(
        title="the {addon} add-on is degraded",
        sentence="Whether the role of {workload} works was not shown. Not checked: {unproven}.",
        cleared_title="the {addon} add-on is degraded, and its role is not the cause",
        cleared_sentence="A change of the role would not fix it.",
    ),
    Verdict.ADDON_ROLE_MISSING: VerdictText(
        title="the next {addon} update can remove the role of {workload}",
        sentence="Pods have their role now. The add-on does not keep it for them.",
    ),
    Verdict.ANNOTATION_MISSING: WITHOUT_ROLE,
    Verdict.ANNOTATION_WIPED: WITHOUT_ROLE,
    Verdict.ANNOTATION_KEY_MISSPELT: WITHOUT_ROLE,
    Verdict.PODS_STALE: WITHOUT_ROLE,
    Verdict.ANNOTATION_UNCLAIMED: VerdictText(
        title="an update without a role would remove the annotation of {workload}",
        sentence="Nothing fails. The annotation is correct, and the remediator does not own it yet.",
    ),
    Verdict.GUARD_DIFFERS: VerdictText(
        title="an admission policy of {workload} does not follow its binding",
        sentence="Nothing fails now. Only an administrator of the cluster can change the admission policies.",
    ),
    Verdict.ROLE_KEPT: VerdictText(
        title="the guard kept the role of {workload}, which {who} left out",
        sentence="Nothing fails. A change left out the role, and the API server set it again.",
    ),
    Verdict.WEBHOOK_MISSED: WITHOUT_ROLE,
    Verdict.ANNOTATION_DIFFERS: VerdictText(
        title="{workload} has a wrong role and fails",
        sentence="{impact}",
        latent_title="{workload} has a different role than configured, {status}",
        latent_sentence="Pods that start from now on get the different role.",
    ),
    Verdict.STS_UNREACHABLE: VerdictText(
        title="{workload} cannot reach STS",
        sentence="Pods have the role, but calls to STS time out. Every pod with an IAM role on these nodes is affected.",
    ),
    Verdict.STS_ERROR: VerdictText(
        title="STS gives {workload} no credentials",
        sentence="STS answers the calls of the pods with an error that no change of the annotation fixes.",
    ),
    Verdict.NODES_WAITING_FOR_CNI: VerdictText(
        title="nodes wait for the CNI, and the cause is not known",
        sentence="Running pods keep their network. The role of {workload} may be the cause. Not checked: {unproven}.",
        cleared_title="nodes wait for the CNI, and the role of {workload} is not the cause",
        cleared_sentence="The cause is not known. Running pods keep their network. A change of the role would not help.",
    ),
    Verdict.NODES_NOT_READY: VerdictText(
        title="nodes are NotReady, and they do not wait for the CNI",
        sentence="The nodes report another cause. Neither a change of the role nor a restart of {workload} makes them Ready.",
    ),
    Verdict.SERVICE_ACCOUNT_MISMATCH: VerdictText(
        title="the workload uses another ServiceAccount than {workload}",
        sentence="The annotation of {workload} has no effect on its pods. Whether they have AWS permissions was not checked.",
    ),
    Verdict.ROLE_IN_POD_TEMPLATE: VerdictText(
        title="the pod template of {workload} sets the role itself",
        sentence="Every new pod is created like this, so neither the annotation nor a restart changes it.",
    ),
    Verdict.PODS_NOT_CREATED: VerdictText(
        title="pods of {workload} are not created",
        sentence="The controller cannot create pods. Their role cannot be checked before they exist.",
    ),
    Verdict.PODS_WITHOUT_CREDENTIALS: VerdictText(
        title="pods of {workload} started without Pod Identity credentials",
        sentence="Replacing these pods is the fix: pods that start from now on get the credentials of the association.",
    ),
    Verdict.PODS_STUCK: VerdictText(
        title="pods of {workload} are stuck",
        sentence="A stuck pod neither starts nor ends without help. The role cannot be checked on it.",
    ),
    Verdict.PODS_NOT_READY: VerdictText(
        title="pods of {workload} do not become ready, and the cause is not known",
        sentence="The role of {workload} may be the cause. Not checked: {unproven}.",
        cleared_title="pods of {workload} do not become ready, and its role is not the cause",
        cleared_sentence="The cause is not known. A change of the role would not help.",
    ),
    Verdict.FLAPPING: VerdictText(
        title="the role of {workload} is removed again and again",
        sentence="Two writers overwrite each other. Another repair would be undone, so the remediator has stopped.",
    ),
}
