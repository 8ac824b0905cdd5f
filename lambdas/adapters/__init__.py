"""All input and output: one module for each outside system, one method for each API call."""
