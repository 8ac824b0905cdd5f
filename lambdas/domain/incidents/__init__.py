"""Incidents, their history, and the check lease. Pure."""
