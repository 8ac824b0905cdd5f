"""The steps of the remediation workflow, over the ports."""
