"""All input and output: one file per outside system, one method per call."""
