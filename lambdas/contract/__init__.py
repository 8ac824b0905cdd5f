"""Declarations that deployment and run time share. Standard library only."""
