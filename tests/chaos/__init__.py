"""Fault injection: exhaustive search of the incident protocol, crashes, event storms, hostile input."""
