"""Snapshots of each link in each of its states: the snapshot, the link, its state and its verdict, one module for each link."""
