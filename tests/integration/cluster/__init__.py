"""The embedded cluster, and the contract it shares with a real API server."""
