"""Scenarios over the fakes: the world of a file, its story and its event, through the real checker and remediator in milliseconds."""
