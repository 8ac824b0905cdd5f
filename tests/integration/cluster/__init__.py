"""The embedded cluster, and the contract tests that it shares with a real API server."""
