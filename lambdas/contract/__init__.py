"""What deployment and run time promise each other. Standard library only."""
