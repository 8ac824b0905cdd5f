"""A pod identity webhook: which credentials a pod is given when it is admitted."""
