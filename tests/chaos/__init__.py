"""Faults that are injected rather than imagined: the protocol explored, crashes, storms, hostile input."""
