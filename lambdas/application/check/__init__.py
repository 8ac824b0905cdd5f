"""The checker's use case: from an event to a plan."""
