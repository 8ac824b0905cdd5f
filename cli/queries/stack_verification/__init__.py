"""The checks of `verify`: each module answers those of one part of the deployed stack."""
