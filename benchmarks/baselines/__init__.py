"""Baselines: the same work as the product does, written with common libraries in the common way."""
