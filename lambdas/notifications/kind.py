"""Occasions on which people are told something; one message each, in one thread per incident."""

from enum import StrEnum


class NotificationKind(StrEnum):
    """Why a message is sent."""

    ACTING = "acting"  # found, and being repaired
    ASKING = "asking"  # found; a person has to approve the plan
    NOT_APPROVED = "not-approved"  # rejected, or nobody answered
    WITHHELD = "withheld"  # found; a mode or a rule holds us back
    NEEDS_YOU = "needs-you"  # only a person can go on
    REMINDER = "reminder"  # still so
    PROVEN = "proven"  # repaired, and seen to work
    RECOVERED = "recovered"  # well again without us, after we had told
