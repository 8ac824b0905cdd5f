"""One module for each benchmark case. Each defines `run(run: Run) -> list[Row]`."""
