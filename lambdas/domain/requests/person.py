"""A direct invocation of the checker by a person, without an event envelope.

    {"cluster": "prod-blue", "namespace": "kube-system", "serviceAccount": "aws-node", "requestedBy":
    "arn:aws:iam::111122223333:user/dana"}

`cluster` is required; null requests every bound cluster. The other fields are optional.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from lambdas.domain.requests.request import Actor, CheckRequest, Trigger
from lambdas.domain.untrusted_json import cluster_name, label, service_account


def parse(event: Mapping[str, Any], *, arrived_at: datetime) -> CheckRequest:
    """The request of the person.

    Raises:
        MalformedEvent: a name is not valid.
    """
    cluster, who = event.get("cluster"), label(event.get("requestedBy"))
    return CheckRequest(
        trigger=Trigger.PERSON,
        occurred_at=arrived_at,
        event_id="",
        cluster=None if cluster is None else cluster_name(cluster, "cluster"),
        service_account=service_account(event.get("namespace"), event.get("serviceAccount")),
        actor=Actor(who=who, what="asked for a check", at=arrived_at) if who else None,
    )
