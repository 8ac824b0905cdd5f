"""One module per promise; each has `run(run: Run) -> list[Row]`."""
