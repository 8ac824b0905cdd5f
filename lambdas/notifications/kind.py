"""Occasions on which people are told something; one message each, in one thread per incident."""

from enum import StrEnum


class NotificationKind(StrEnum):
    """Why a message is sent."""

    REPAIRING = "repairing"  # found, and being repaired
    APPROVAL_REQUESTED = "approval-requested"  # found; a person has to approve the plan
    NOT_APPROVED = "not-approved"  # rejected, or nobody answered
    BLOCKED = "blocked"  # found; a mode or a rule holds us back
    NEEDS_ACTION = "needs-action"  # only a person can go on
    REMINDER = "reminder"  # still so
    VERIFIED = "verified"  # repaired, and seen to work
    RECOVERED = "recovered"  # well again without us, after we had told
