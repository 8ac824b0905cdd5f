"""Runs scenarios: the environment, the steps, the triggering events and the result."""
