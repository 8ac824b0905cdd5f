"""One record of the Kubernetes audit log, read without trusting its shape.

    {"kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "RequestResponse", "auditID": "…", "stage": "ResponseComplete",
     "requestURI": "/api/v1/namespaces/kube-system/serviceaccounts/aws-node?fieldManager=kubectl-annotate", "verb": "patch",
     "user": {"username": "kubernetes-admin", "groups": ["system:masters", "system:authenticated"],
              "extra": {"arn": ["arn:aws:sts::111122223333:assumed-role/ci-deploy/run-42"],
                        "canonicalArn": ["arn:aws:iam::111122223333:role/ci-deploy"], "sessionName": ["run-42"]}},
     "sourceIPs": ["203.0.113.7"], "userAgent": "kubectl/v1.33.1 (linux/amd64) kubernetes/…",
     "objectRef": {"resource": "serviceaccounts", "namespace": "kube-system", "name": "aws-node", "apiVersion": "v1"},
     "responseStatus": {"metadata": {}, "code": 200}, "requestObject": {…}, "responseObject": {…},
     "requestReceivedTimestamp": "2026-09-27T21:06:47.355378Z", …}

Sources: https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/
https://repost.aws/knowledge-center/eks-get-control-plane-logs
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from lambdas.contract.audit import READING_VERBS
from lambdas.domain.untrusted_json import inside, label, member, moment, text

_FIRST_FAILURE: Final = 400
_NO_WRITES: Final = frozenset({"", *READING_VERBS})


@dataclass(frozen=True, kw_only=True)
class Write:
    """A write that the API server applied. The writer's fields are read on demand, because most writes are of nodes."""

    verb: str
    resource: str
    subresource: str
    namespace: str
    name: str
    at: datetime
    record: Mapping[str, Any]

    @property
    def username(self) -> str:
        return text(self.record, "user", "username")

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups that the API server assigned."""
        return _texts(inside(self.record, "user", "groups"))

    @property
    def iam_arns(self) -> tuple[str, ...]:
        """The ARNs of role and session that the authenticator reports."""
        extra = inside(self.record, "user", "extra")
        return _texts(inside(extra, "canonicalArn")) + _texts(inside(extra, "arn"))

    @property
    def agent(self) -> str:
        return label(member(self.record, "userAgent"))

    @property
    def address(self) -> str:
        return label(next(iter(_texts(self.record.get("sourceIPs"))), ""))

    @property
    def request(self) -> Any:
        return self.record.get("requestObject")

    @property
    def response(self) -> Any:
        return self.record.get("responseObject")


def parse_write(record: object) -> Write | None:
    """The write in a record; None for reads, dry runs, failures, early stages and other JSON."""
    if not isinstance(record, dict) or member(record, "stage") not in ("", "ResponseComplete"):
        return None
    verb, reference = member(record, "verb"), record.get("objectRef")
    if verb in _NO_WRITES or _failed(record) or _dry_run(record):
        return None
    at = moment(member(record, "requestReceivedTimestamp"))
    if at is None:
        return None
    return Write(
        verb=verb,
        resource=member(reference, "resource"),
        subresource=member(reference, "subresource"),
        namespace=member(reference, "namespace"),
        # The URL of a creation has no name. The server adds it where the audit policy logs bodies.
        name=member(reference, "name")
        or text(record.get("responseObject"), "metadata", "name")
        or text(record.get("requestObject"), "metadata", "name"),
        at=at,
        record=record,
    )


def _failed(record: Mapping[str, Any]) -> bool:
    code = inside(record, "responseStatus", "code")
    return isinstance(code, int) and code >= _FIRST_FAILURE


def _dry_run(record: Mapping[str, Any]) -> bool:
    uri = member(record, "requestURI")
    return "dryRun=" in uri and "dryRun=" in uri.partition("?")[2]


def _texts(value: object) -> tuple[str, ...]:
    return tuple(item for item in value[:64] if isinstance(item, str)) if isinstance(value, list) else ()
