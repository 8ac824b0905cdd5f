"""What is typed: each command's arguments, help and example. What it does loads when it is run."""
