"""The event bus: moto's own pattern matching, and the hand-over to a function that moto lacks."""
