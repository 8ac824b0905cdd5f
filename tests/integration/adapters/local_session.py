"""Our AWS session against the local AWS."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from lambdas.adapters.aws_session import AwsSession
from lambdas.contract.incidents import PARTITION_KEY, SORT_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.aws.local_aws import LocalAws

TABLE = "incidents"


@contextmanager
def as_principal(local: LocalAws, principal: str) -> Iterator[AwsSession]:
    """A session that finds its credentials and endpoint in the environment, as in a function."""
    with patch.dict(os.environ, {**local.environment(principal), "AWS_EC2_METADATA_DISABLED": "true"}):
        yield AwsSession(local.region)


def create_table(client: Any) -> None:
    keys = [{"AttributeName": PARTITION_KEY, "KeyType": "HASH"}, {"AttributeName": SORT_KEY, "KeyType": "RANGE"}]
    kinds = [{"AttributeName": name, "AttributeType": "S"} for name in (PARTITION_KEY, SORT_KEY)]
    client.create_table(TableName=TABLE, KeySchema=keys, AttributeDefinitions=kinds, BillingMode="PAY_PER_REQUEST")
