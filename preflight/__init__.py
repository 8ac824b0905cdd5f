"""Before an upgrade: would it keep the role? Readers of what is about to be applied, and the answer for a living cluster."""
