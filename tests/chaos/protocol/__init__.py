"""Exhaustive search of the incident protocol with the real code."""
