"""The play: a scenario's world on this machine, what happens in it, and what came of it."""
