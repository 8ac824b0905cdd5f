"""Every promise about speed, memory, size and requests, measured beside a rival in the same run."""
