"""Tests with the AWS emulator: what it gets right and wrong, and a deployment into it."""
