"""IAM trust policies: whether one lets a pod assume the role, the reason if not, and the smallest correction."""

from lambdas.domain.trust.breadth import Breadth, breadth
from lambdas.domain.trust.document import MalformedPolicyError
from lambdas.domain.trust.evaluation import POD_IDENTITY, correct, evaluate, evaluate_pod_identity, is_allowed
from lambdas.domain.trust.identity import WebIdentity
from lambdas.domain.trust.pod_identity import AssociationIdentity, correct_for_association, evaluate_association
from lambdas.domain.trust.results import Allowed, Answer, Refused, TrustFault, Undecided
from lambdas.domain.trust.terraform import as_terraform, changed_lines

__all__ = [
    "POD_IDENTITY",
    "Allowed",
    "Answer",
    "AssociationIdentity",
    "Breadth",
    "MalformedPolicyError",
    "Refused",
    "TrustFault",
    "Undecided",
    "WebIdentity",
    "as_terraform",
    "breadth",
    "changed_lines",
    "correct",
    "correct_for_association",
    "evaluate",
    "evaluate_association",
    "evaluate_pod_identity",
    "is_allowed",
]
