"""From a snapshot to findings and a verdict. Pure."""
