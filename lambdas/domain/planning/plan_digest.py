"""The digest of a plan, to which an approval is bound. Pure.

It covers everything that a person approves: target, binding, kinds of the actions, mechanism, full ARNs and workload. Resource versions,
time stamps, tokens, and names and numbers of pods change by themselves and are left out.
"""

import hashlib
import json
from collections.abc import Sequence
from typing import assert_never

from lambdas.contract.approval import PLAN_DIGEST_LENGTH
from lambdas.domain.planning.actions import (
    Action,
    AnnotateServiceAccount,
    CreateAssociation,
    ReplaceCanaryPod,
    ReplaceStalePods,
    RestartWorkload,
    RestoreAnnotation,
    UpdateAddonRole,
    UpdateAssociation,
)
from lambdas.domain.planning.planned_binding import PlannedBinding
from lambdas.domain.snapshot.snapshot import AssociationSettings


def plan_digest(target: str, binding: PlannedBinding, actions: Sequence[Action]) -> str:
    """The digest of a plan for this target, `cluster/namespace/name`."""
    approved = [target, binding.path, binding.version, binding.role_arn, [_approved(action) for action in actions]]
    return hashlib.sha256(json.dumps(approved).encode()).hexdigest()[:PLAN_DIGEST_LENGTH]


def _approved(action: Action) -> list[str | int | None]:
    match action:
        case AnnotateServiceAccount():
            return [action.kind, action.role_arn, action.old_value]
        case ReplaceCanaryPod():
            return [action.kind, action.role_arn, action.mechanism, *_strictness(action)]
        case RestartWorkload():
            return [action.kind, action.role_arn, action.mechanism, action.workload, action.name, action.at_a_time, *_strictness(action)]
        case ReplaceStalePods():
            return [action.kind, action.role_arn, action.mechanism, action.at_a_time, *_strictness(action)]
        case UpdateAddonRole():
            return [action.kind, action.role_arn, action.old_role_arn, action.addon]
        case RestoreAnnotation():
            return [action.kind, action.value, action.ours]
        case CreateAssociation():
            return [action.kind, *_settings(action.wanted)]
        case UpdateAssociation():
            change = [*_settings(action.wanted), *_settings(action.old)]
            return [action.kind, action.association_id, action.addon, *change, action.is_rollback]
        case _:
            assert_never(action)


def _strictness(action: ReplaceCanaryPod | RestartWorkload | ReplaceStalePods) -> list[str]:
    """Whether pods of IRSA are replaced as well. Nothing where they are not, so that a pending approval of an older version stays valid."""
    return ["refuses-irsa"] if action.refuses_irsa else []


def _settings(settings: AssociationSettings) -> list[str | int | None]:
    return [settings.role_arn, settings.target_role_arn, settings.has_session_tags, settings.policy]
