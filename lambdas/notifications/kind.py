"""The kinds of notifications."""

from enum import StrEnum


class NotificationKind(StrEnum):
    """The reason of a notification. Published as the message attribute `outcome`."""

    REPAIRING = "repairing"  # a fault was found, and the repair has started
    APPROVAL_REQUESTED = "approval-requested"  # a fault was found, and a person has to approve the plan
    NOT_APPROVED = "not-approved"  # the plan was rejected, or the request timed out
    BLOCKED = "blocked"  # a fault was found, and a mode or a policy blocks the repair
    NEEDS_ACTION = "needs-action"  # only a person can fix the fault
    REMINDER = "reminder"  # the fault still exists
    VERIFIED = "verified"  # the repair was applied and verified
    RECOVERED = "recovered"  # the fault ended without a repair, after a notification
