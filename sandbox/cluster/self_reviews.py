"""Reviews that a caller asks about itself: who it is, and whether it may make a call. Nothing is stored.

Kubernetes allows both to every authenticated user, by the role `system:basic-user`.
Source: https://kubernetes.io/docs/reference/access-authn-authz/rbac/#discovery-roles
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sandbox.cluster import request_options
from sandbox.cluster.http_messages import AUTHENTICATED, json_response
from sandbox.cluster.request_info import RequestInfo

if TYPE_CHECKING:
    from sandbox.cluster.http_messages import Identity, Request, Response
    from sandbox.cluster.rbac import Authorizer

_REVIEWS: Final = {
    ("authentication.k8s.io", "v1", "selfsubjectreviews"): "SelfSubjectReview",
    ("authorization.k8s.io", "v1", "selfsubjectaccessreviews"): "SelfSubjectAccessReview",
}


def self_review(request: Request, info: RequestInfo, identity: Identity, authorizer: Authorizer) -> Response | None:
    """The answer to a review; None for another request, and for a caller that is not authenticated."""
    kind = _REVIEWS.get((info.group, info.version, info.plural))
    if kind is None or info.verb != "create" or AUTHENTICATED not in identity.groups:
        return None
    body = request_options.parsed(request.body)
    status = _who(identity) if kind == "SelfSubjectReview" else {"allowed": _allowed(body, identity, authorizer)}
    answer = {"kind": kind, "apiVersion": f"{info.group}/{info.version}", "metadata": {}, "status": status}
    return json_response(201, answer | ({"spec": body["spec"]} if "spec" in body else {}))


def _who(identity: Identity) -> dict[str, Any]:
    return {"userInfo": {"username": identity.username, "groups": list(identity.groups)}}


def _allowed(body: dict[str, Any], identity: Identity, authorizer: Authorizer) -> bool:
    asked = body["spec"]["resourceAttributes"]
    return authorizer.allows(
        identity,
        RequestInfo(
            verb=asked["verb"],
            path="",
            group=asked.get("group", ""),
            plural=asked["resource"],
            namespace=asked.get("namespace", ""),
            name=asked.get("name", ""),
            subresource=asked.get("subresource", ""),
        ),
    )
