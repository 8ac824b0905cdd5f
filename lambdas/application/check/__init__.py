"""From an event to a plan: the checker's use case."""
