"""Admission policies that keep the role annotation of a ServiceAccount, or warn of its removal.

The guard is a MutatingAdmissionPolicy (GA since Kubernetes 1.36): where a request removes the role, or creates the ServiceAccount without
one, the API server sets it again before it stores the object. The warning is a ValidatingAdmissionPolicy (GA since 1.30) that refuses
nothing: it answers the writer with a warning, and adds an annotation to the audit record, which the node watcher reads.

Both hold the role as a literal. A `paramKind` may be stale or missing after a restart of the API server.
Sources: https://kubernetes.io/docs/reference/access-authn-authz/mutating-admission-policy/
https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
https://github.com/kubernetes/kubernetes/issues/133827 (parameters)
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from lambdas.contract.names import ADMISSION_API, FIELD_MANAGER, LEFT_OUT_BY, MANAGED_BY, PROJECT, ROLE_ANNOTATION
from lambdas.contract.policy_kinds import PolicyKind, policy_name

ROLE_KEY: Final = f"{PROJECT}/role"
"""On a policy: the role that it keeps. The spec remains what the API server evaluates."""
ACCOUNT_KEY: Final = f"{PROJECT}/service-account"
"""On a policy: its ServiceAccount as `namespace/name`."""
LONGEST_NAME: Final = 253
"""Maximum length of the name of a policy.

Source: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-subdomain-names
"""
AUDIT_ANNOTATION: Final = "validation.policy.admission.k8s.io/validation_failure"
"""The audit annotation of a request that a policy with the action `Audit` reports. Its value is a JSON list.

Source: https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/#validation-actions
"""
ROLE_CHANGED, ROLE_KEPT = 0, 1
"""Positions of the validations of the warning: the role was removed or replaced, or the guard kept it."""


def manifests(kind: PolicyKind, namespace: str, service_account: str, role_arn: str, path: str) -> list[dict[str, Any]]:
    """The policy and its binding, ready to apply in this order.

    Args:
        kind: guard or warning.
        namespace: of the ServiceAccount.
        service_account: its name.
        role_arn: the role of the binding.
        path: the parameter of the binding, which the warning names.
    """
    spec = _guard(service_account, role_arn) if kind is PolicyKind.GUARD else _warning(service_account, role_arn, path)
    name = policy_name(kind, namespace, service_account)
    labels = {**MANAGED_BY, "app.kubernetes.io/component": str(kind)}
    declared = {ROLE_KEY: role_arn, ACCOUNT_KEY: f"{namespace}/{service_account}"}
    spec["matchConstraints"]["namespaceSelector"] = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    policy = {
        "apiVersion": ADMISSION_API,
        "kind": kind.policy,
        "metadata": {"name": name, "labels": labels, "annotations": declared},
        "spec": spec,
    }
    actions = {} if kind is PolicyKind.GUARD else {"validationActions": ["Warn", "Audit"]}
    binding = {
        "apiVersion": ADMISSION_API,
        "kind": kind.policy_binding,
        "metadata": {"name": name, "labels": labels},
        "spec": {"policyName": name, **actions},
    }
    return [policy, binding]


def declared_role(policy: Mapping[str, Any]) -> str:
    """The role that an installed policy declares; empty where it declares none. `is_installed` compares the specs."""
    return str((policy["metadata"].get("annotations") or {}).get(ROLE_KEY, ""))


def declared_account(policy: Mapping[str, Any]) -> str:
    """The ServiceAccount that an installed policy declares, as `namespace/name`; empty where it declares none."""
    return str((policy["metadata"].get("annotations") or {}).get(ACCOUNT_KEY, ""))


def _guard(service_account: str, role_arn: str) -> dict[str, Any]:
    role, was = _annotation("object", ROLE_ANNOTATION), _annotation("oldObject", ROLE_ANNOTATION)
    kept = f"{_text(ROLE_ANNOTATION)}: {_text(role_arn)}, {_text(LEFT_OUT_BY)}: request.userInfo.username"
    return {
        "failurePolicy": "Ignore",
        "reinvocationPolicy": "IfNeeded",
        "matchConstraints": {"resourceRules": [_rule(["CREATE", "UPDATE"], [service_account])]},
        "matchConditions": [
            # The roll-back of a repair may restore a ServiceAccount without a role.
            {"name": "not-the-remediator", "expression": f'request.options.?fieldManager.orValue("") != {_text(FIELD_MANAGER)}'},
            # Only the request that removes the role: after a roll-back to no role, later writes of others leave that as it is.
            {
                "name": "role-left-out",
                "expression": f'{role} == "" && (request.operation == "CREATE" || {was} == {_text(role_arn)})',
            },
        ],
        "mutations": [
            {
                "patchType": "ApplyConfiguration",
                "applyConfiguration": {"expression": f"Object{{metadata: Object.metadata{{annotations: {{{kept}}}}}}}"},
            }
        ],
    }


def _warning(service_account: str, role_arn: str, path: str) -> dict[str, Any]:
    def value(key: str) -> dict[str, str]:
        return {name: f'{item} == null ? "" : {_annotation(item, key)}' for name, item in (("now", "object"), ("was", "oldObject"))}

    role, user = value(ROLE_ANNOTATION), value(LEFT_OUT_BY)
    bound = f"(object == null ? oldObject : object).metadata.?name.orValue('') == {_text(service_account)}"
    variables = {"now": role["now"], "was": role["was"], "kept": user["now"], "keptBefore": user["was"]}
    wrong = (
        f'"{PROJECT}: the role of " + {_text(service_account)} + " after this " + request.operation + " is \\"" + variables.now'
        f' + "\\", and was \\"" + variables.was + "\\"; the binding " + {_text(path)} + " names " + {_text(role_arn)}'
    )
    kept = (
        f'"{PROJECT}: this " + request.operation + " left out the role of " + {_text(service_account)}'
        f' + ", and the guard kept it; the binding is " + {_text(path)}'
    )
    return {
        "failurePolicy": "Ignore",
        # Without resourceNames, which match no DELETECOLLECTION.
        "matchConstraints": {"resourceRules": [_rule(["CREATE", "UPDATE", "DELETE"])]},
        "matchConditions": [{"name": "bound", "expression": bound}],
        "variables": [{"name": name, "expression": expression} for name, expression in variables.items()],
        "validations": [  # in the order of ROLE_CHANGED and ROLE_KEPT
            {
                "expression": f'variables.now == {_text(role_arn)} || (request.operation == "UPDATE" && variables.now == variables.was)',
                "messageExpression": wrong,
            },
            {"expression": 'variables.kept == "" || variables.kept == variables.keptBefore', "messageExpression": kept},
        ],
    }


def _rule(operations: list[str], names: list[str] | None = None) -> dict[str, Any]:
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["serviceaccounts"], "operations": operations}
    return rule | ({"resourceNames": names} if names else {})


def _annotation(item: str, key: str) -> str:
    return f'{item}.metadata.?annotations[{_text(key)}].orValue("")'


def _text(value: str) -> str:
    """A CEL string literal."""
    return json.dumps(value)
