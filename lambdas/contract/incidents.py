"""The incidents table: how its items are found, and when they leave."""

from typing import Final

PARTITION_KEY: Final = "pk"
SORT_KEY: Final = "sk"
"""Both are strings; open incidents, history and bindings share the table under keys of their own."""

EXPIRES_AT: Final = "expires_at"
"""Epoch seconds after which DynamoDB removes an item; an item without it stays.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html
"""
