"""`irsa-remediator`: the same domain, workflow and adapters, for a person at a terminal."""
