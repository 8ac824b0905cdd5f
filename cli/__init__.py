"""`irsa-remediator`: the domain, workflow and adapters of the functions, run from a terminal."""
