"""Keys and expiry of the incidents table."""

from typing import Final

PARTITION_KEY: Final = "pk"
SORT_KEY: Final = "sk"
"""Both keys are strings. Open incidents, history and bindings share the table and have different key prefixes."""

EXPIRES_AT: Final = "expires_at"
"""Attribute with the epoch seconds after which DynamoDB removes an item. An item without the attribute does not expire.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html
"""
