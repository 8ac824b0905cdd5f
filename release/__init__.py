"""What is handed out with a version: built from a commit, the same bytes every time."""
