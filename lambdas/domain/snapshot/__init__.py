"""What was read about one ServiceAccount at one time. Pure."""
