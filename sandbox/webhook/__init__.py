"""The pod identity webhook: adds credentials to a pod at its admission."""
