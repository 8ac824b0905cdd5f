"""The remediator's workflow and its steps."""
