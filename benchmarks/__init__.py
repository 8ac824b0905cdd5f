"""Benchmarks of speed, memory, size and requests. Each value is measured in the same run as its baseline."""
