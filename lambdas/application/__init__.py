"""Use cases over ports: collect a snapshot, assess it, run the check loop and the remediation workflow."""
