"""Shared parts of the benchmark cases: measurement, the systems under test and their fixtures, result rows and tables."""
