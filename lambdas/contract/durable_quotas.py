"""The quotas of a durable execution, and what counts against them."""

from typing import Final

MAX_OPERATIONS: Final = 3_000
"""Durable operations of one execution, fixed. A step counts 1 + its retries, a wait for a condition 1 + its polls, a wait 1, a callback 1.

That the quota counts as the price does is inferred: the page of the quotas links to the table of the metering.
Source: https://docs.aws.amazon.com/lambda/latest/dg/durable-execution-sdk.html#durable-operations-checkpoint-consumption
"""
MAX_PAYLOAD_BYTES: Final = 100 * 1024 * 1024
"""Payload of all operations of one execution, fixed. Each poll adds the state that it returns.

Source: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""
MAX_CHECKPOINT_BYTES: Final = 256 * 1024
"""Payload of one operation.

Source: https://github.com/aws/aws-durable-execution-sdk-python/issues/342 (the service's refusal of a larger one)
"""
HAND_OVER_AT: Final = 0.5
"""The used part of a quota from which on a fresh execution continues. The longest iteration of the workflow fits into the rest."""
HAND_OVER_AFTER_S: Final = 2 * 24 * 3600
"""Age of an execution from which on a fresh one continues; the longest iteration fits into the rest of the execution time-out."""
EXECUTION_TIMEOUT_S: Final = 16 * 24 * 3600
"""How long one execution may take. The remediator hands its incident to a fresh execution before that."""
