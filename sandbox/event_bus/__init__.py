"""The event bus: moto matches the patterns; delivery to a function, which moto lacks, is added."""
