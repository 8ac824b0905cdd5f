"""Public incident reports, played over the fakes, with the expected answer and the one that the program gives."""
