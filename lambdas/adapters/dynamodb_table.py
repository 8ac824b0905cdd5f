"""One DynamoDB table: conditional updates, transactions, queries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lambdas.adapters.aws_errors import from_client_error, translated
from lambdas.domain.errors import TransientError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lambdas.adapters.aws_session import AwsSession

_BATCH: Final = 100
_ATTEMPTS: Final = 3

Row = dict[str, dict[str, Any]]
"""An item as DynamoDB returns it: attribute -> {type: value}. Empty if there is none."""


class Table:
    """Only the calls that `contract.access` grants."""

    def __init__(self, session: AwsSession, name: str) -> None:
        self._session = session
        self._name = name

    def get(self, attempt: str, key: Row) -> Row:
        """The current item, by a consistent read."""
        with translated(attempt):
            answer = self._dynamodb.get_item(TableName=self._name, Key=key, ConsistentRead=True)
        return dict(answer.get("Item", {}))

    def update(self, attempt: str, key: Row, change: str, condition: str, values: Row) -> tuple[Row, bool]:
        """Change an item under a condition. Returns the resulting item, and whether the condition held.

        Both cases cost one call: a failed condition returns the unchanged item.
        Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html
        """
        from botocore.exceptions import ClientError

        with translated(attempt):
            try:
                answer = self._dynamodb.update_item(
                    **self.update_parameters(key, change, condition, values),
                    ReturnValues="ALL_NEW",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except ClientError as error:
                reply: dict[str, Any] = dict(error.response)
                if reply["Error"]["Code"] != "ConditionalCheckFailedException":
                    raise
                return dict(reply.get("Item", {})), False
        return dict(answer["Attributes"]), True

    def update_parameters(self, key: Row, change: str, condition: str, values: Row) -> dict[str, Any]:
        """The parameters of an update, alone or in a transaction. An empty condition means none."""
        members = {"TableName": self._name, "Key": key, "UpdateExpression": change, "ExpressionAttributeValues": values}
        return members | ({"ConditionExpression": condition} if condition else {})

    def transact(self, attempt: str, conditional: dict[str, Any], others: Sequence[dict[str, Any]]) -> Row | None:
        """Write all or nothing. Returns None if it was written, else the item whose condition failed.

        Args:
            conditional: the one update with a condition, as `update_parameters` returns it.
            others: whole entries of `TransactItems`, without conditions.

        Raises:
            TransientError: another write of the same items was in progress.
        """
        from botocore.exceptions import ClientError

        writes = [{"Update": conditional | {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}}, *others]
        with translated(attempt):
            try:
                self._dynamodb.transact_write_items(TransactItems=writes)
            except ClientError as error:
                reasons: list[dict[str, Any]] = dict[str, Any](error.response).get("CancellationReasons", [])
                if any(reason.get("Code") == "ConditionalCheckFailed" for reason in reasons):
                    return dict(reasons[0].get("Item", {}))
                if any(
                    reason.get("Code") in ("TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded") for reason in reasons
                ):
                    raise TransientError(str(from_client_error(attempt, error))) from error
                raise
        return None

    def put_entry(self, item: Row) -> dict[str, Any]:
        """An entry of `TransactItems` that puts an item."""
        return {"Put": {"TableName": self._name, "Item": item}}

    def query(self, attempt: str, condition: str, values: Mapping[str, Any]) -> Iterator[Row]:
        """Items of one partition, in descending order of the sort key."""
        parameters: dict[str, Any] = {"TableName": self._name, "KeyConditionExpression": condition, "ExpressionAttributeValues": values}
        while True:
            with translated(attempt):
                page = self._dynamodb.query(**parameters, ConsistentRead=True, ScanIndexForward=False)
            yield from page["Items"]
            if not page.get("LastEvaluatedKey"):
                return
            parameters["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def batch(self, attempt: str, keys: Sequence[Row]) -> Iterator[Row]:
        """The items of these keys, which are unique, in any order and without those that do not exist.

        Raises:
            TransientError: DynamoDB left out keys three times.

        Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
        """
        for start in range(0, len(keys), _BATCH):
            remaining: list[Any] = list(keys[start : start + _BATCH])
            for _ in range(_ATTEMPTS):
                with translated(attempt):
                    answer = self._dynamodb.batch_get_item(RequestItems={self._name: {"Keys": remaining}})
                yield from answer["Responses"].get(self._name, [])
                remaining = answer.get("UnprocessedKeys", {}).get(self._name, {}).get("Keys", [])
                if not remaining:
                    break
            else:
                raise TransientError(f"{attempt}: DynamoDB did not process {len(remaining)} keys")

    @property
    def _dynamodb(self) -> Any:
        return self._session.client("dynamodb")
