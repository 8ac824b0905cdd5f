"""IAM trust policies: whether one lets a pod assume the role, the reason if not, and the smallest correction."""

from lambdas.domain.trust.breadth import Breadth, breadth
from lambdas.domain.trust.document import MalformedPolicyError
from lambdas.domain.trust.evaluation import POD_IDENTITY, POD_IDENTITY_ACTIONS, correct, evaluate, evaluate_pod_identity, is_allowed
from lambdas.domain.trust.identity import WebIdentity
from lambdas.domain.trust.pod_identity import (
    AssociationIdentity,
    TargetIdentity,
    correct_for_association,
    correct_for_target,
    evaluate_association,
    evaluate_target,
    is_named,
)
from lambdas.domain.trust.results import Allowed, Answer, Refused, TrustFault, Undecided
from lambdas.domain.trust.terraform import as_terraform, changed_lines

__all__ = [
    "POD_IDENTITY",
    "POD_IDENTITY_ACTIONS",
    "Allowed",
    "Answer",
    "AssociationIdentity",
    "Breadth",
    "MalformedPolicyError",
    "Refused",
    "TargetIdentity",
    "TrustFault",
    "Undecided",
    "WebIdentity",
    "as_terraform",
    "breadth",
    "changed_lines",
    "correct",
    "correct_for_association",
    "correct_for_target",
    "evaluate",
    "evaluate_association",
    "evaluate_pod_identity",
    "evaluate_target",
    "is_allowed",
    "is_named",
]
