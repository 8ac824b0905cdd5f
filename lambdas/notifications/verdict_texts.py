"""What a verdict means to people: a few words for the title, and a sentence on what fails, what still works, and since when it matters."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from lambdas.domain.diagnosis.verdict import Verdict


@dataclass(frozen=True, kw_only=True)
class Meaning:
    """`title` and `sentence` while something fails; `latent_title` and `latent` while nothing does yet.

    Places in the templates: `workload` (the ServiceAccount's name), `addon`, `loss` and `calm` (as of `Loss`), and `some`, `pods`, `run`
    for how many pods run without their role.
    """

    title: str
    sentence: str
    latent_title: str = ""
    latent: str = ""


@dataclass(frozen=True, kw_only=True)
class Loss:
    """What stops without the role, and what goes on for a while where pods stay ready without it.

    `calm` is all that may be said of the latter: only the CNI reports refused calls, and makes nodes NotReady when it fails.
    """

    failing: str
    latent: str
    calm: str = "pods still ready"


LOSSES: Final[Mapping[tuple[str, str], Loss]] = {
    ("kube-system", "aws-node"): Loss(
        failing="Running pods keep their network. New nodes stay NotReady, and new pods may get no address.",
        latent="aws-node lives on the permissions of the node role, and stops working when the CNI policy is taken off that role.",
        calm="nothing fails yet",
    ),
    ("kube-system", "ebs-csi-controller-sa"): Loss(
        failing="Mounted volumes stay mounted. No volume can be created, attached, detached or resized, so pods that move wait for theirs.",
        latent="Mounted volumes stay mounted, but creating or attaching one works only where the node role happens to allow it.",
    ),
    ("kube-system", "aws-load-balancer-controller"): Loss(
        failing="Load balancers go on serving what they know. Changes to Ingresses, Services and targets are not applied.",
        latent="Load balancers go on serving, but changes to Ingresses and targets are applied only where the node role allows it.",
    ),
}
ANY_LOSS: Final = Loss(
    failing="Its pods fail, and what they call in AWS is refused or runs under the node's role.",
    latent="Its pods are ready, but what they call in AWS is refused or runs under the node's role.",
)


def loss_of(namespace: str, service_account: str) -> Loss:
    """What the workload of a ServiceAccount cannot do without its role."""
    return LOSSES.get((namespace, service_account), ANY_LOSS)


_WITHOUT_ROLE: Final = Meaning(
    title="{workload} lost its AWS permissions",
    sentence="{loss}",
    latent_title="{workload} runs without its role, {calm}",
    latent="{loss}",
)
_NOT_LET_IN: Final = Meaning(
    title="the role of {workload} does not let this cluster in",
    sentence="AWS refuses this role to every pod of the cluster, so putting it in would help nobody.",
)
_SOUND: Final = Meaning(title="{workload} is well", sentence="Nothing is wrong.")

MEANINGS: Final[Mapping[Verdict, Meaning]] = {
    Verdict.HEALTHY: _SOUND,
    Verdict.NOT_APPLICABLE: Meaning(title="{workload} is not wanted here", sentence="Nothing runs under this ServiceAccount."),
    Verdict.POD_IDENTITY_IN_USE: Meaning(
        title="pod identity for {workload} is incomplete",
        sentence="Until that is corrected pods get no credentials, and an annotation would change nothing.",
    ),
    Verdict.NO_ACCESS: Meaning(
        title="the remediator cannot look into the cluster",
        sentence="Whether {workload} is well cannot be known without access.",
    ),
    Verdict.CLUSTER_GONE: Meaning(
        title="the cluster is not there, but a parameter still binds a role in it",
        sentence="Nothing fails by this. It was deleted, or the parameter has a wrong name in its path.",
    ),
    Verdict.CLUSTER_INITIALIZING: Meaning(
        title="the cluster is still being made",
        sentence="EKS does not answer for its add-ons yet. This usually ends by itself within minutes.",
    ),
    Verdict.ADDON_NOT_INSTALLED: Meaning(
        title="nodes wait for a CNI that is not installed",
        sentence="No pod gets a network on these nodes until a CNI runs. No role would change that.",
    ),
    Verdict.BINDING_INVALID: Meaning(
        title="the role configured for {workload} cannot be used",
        sentence="The remediator puts in no role that would not work, so what stands in the cluster stays as it is.",
    ),
    Verdict.OIDC_PROVIDER_MISSING: Meaning(
        title="IAM does not accept tokens of this cluster",
        sentence="Every IRSA role in this cluster is affected, not only that of {workload}.",
    ),
    Verdict.TRUST_OTHER_ISSUER: _NOT_LET_IN,
    Verdict.TRUST_CONDITION_WRONG: Meaning(
        title="the role of {workload} does not let it in",
        sentence="AWS refuses this role to {workload}, so putting it in would help nobody.",
    ),
    Verdict.PERMISSIONS_MISSING: Meaning(
        title="the role of {workload} lacks permissions",
        sentence="The role is the right one and may do too little; restarting pods does not change that.",
    ),
    Verdict.UPDATE_IN_PROGRESS: Meaning(
        title="an update has not ended",
        sentence="It runs for longer than the remediator waits; until it ends nothing is changed.",
    ),
    Verdict.ADDON_DEGRADED: Meaning(
        title="the {addon} add-on is unwell, and its role is not the cause",
        sentence="A change of the role would not make it well.",
    ),
    Verdict.ADDON_ROLE_MISSING: Meaning(
        title="the next {addon} update would take the role of {workload} away",
        sentence="The pods carry their role today; what fails is the next update of the add-on.",
    ),
    Verdict.ANNOTATION_MISSING: _WITHOUT_ROLE,
    Verdict.ANNOTATION_WIPED: _WITHOUT_ROLE,
    Verdict.ANNOTATION_KEY_MISSPELT: _WITHOUT_ROLE,
    Verdict.PODS_STALE: _WITHOUT_ROLE,
    Verdict.WEBHOOK_MISSED: _WITHOUT_ROLE,
    Verdict.ANNOTATION_DIFFERS: Meaning(
        title="{workload} has a wrong role and fails",
        sentence="{loss}",
        latent_title="{workload} has another role than configured, {calm}",
        latent="Pods that start from now on get the other role.",
    ),
    Verdict.STS_UNREACHABLE: Meaning(
        title="{workload} cannot reach STS",
        sentence="The identity is right, and the way to STS is closed: every pod with an IAM role on these nodes is affected.",
    ),
    Verdict.NODES_NOT_READY: Meaning(
        title="nodes are NotReady, and the role of {workload} is not the cause",
        sentence="A change of the role or a restart of {workload} would not make them Ready.",
    ),
    Verdict.FLAPPING: Meaning(
        title="something takes the role of {workload} away again and again",
        sentence="Two writers disagree. Another repair would only be undone, so the remediator has stopped.",
    ),
}

STILL_CARRIED: Final = Meaning(
    title="the next pod of {workload} will start without its role",
    sentence="The pods that run carry the role still; each one that starts from now on does not.",
)
"""What counts where the annotation is wrong and every pod is older than that."""

PARTLY: Final = Meaning(
    title="{some} of {pods} of {workload} {run}",
    sentence="The pods that carry the role are well; what the others do in AWS is refused.",
    latent_title="{some} of {pods} of {workload} {run}, {calm}",
    latent="The pods that carry the role are well; the others live on the permissions of the node role.",
)
"""What counts where some pods carry the role and some do not."""

WITHOUT_ROLE: Final = _WITHOUT_ROLE
"""What counts where the add-on record is the first broken link and pods lack their role already."""
