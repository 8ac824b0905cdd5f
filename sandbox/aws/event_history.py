"""CloudTrail with its event history, which moto lacks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sandbox.aws.http_messages import Request, Response

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sandbox.aws.gateway import Backend


def cloudtrail_backend(moto: Backend, records: Sequence[dict[str, Any]]) -> Backend:
    """moto's CloudTrail, which answers LookupEvents by these records about a resource, the newest first, on one page.

    Source: https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html
    """

    def answer(request: Request) -> Response:
        if not request.header("x-amz-target").endswith(".LookupEvents"):
            return moto(request)
        names = {item["AttributeValue"] for item in json.loads(request.body)["LookupAttributes"] if item["AttributeKey"] == "ResourceName"}
        found = [record for record in records if names & {resource.get("ARN") for resource in record.get("resources", ())}]
        body = {"Events": [{"CloudTrailEvent": json.dumps(record)} for record in reversed(found)]}
        return Response(200, json.dumps(body).encode(), {"Content-Type": "application/x-amz-json-1.1"})

    return answer
