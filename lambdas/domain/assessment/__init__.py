"""The small form of an assessment that checkpoints and messages hold. Pure."""
