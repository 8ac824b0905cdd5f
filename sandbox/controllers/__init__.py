"""What lives in a cluster beside its API server: controllers, kubelets, and the network plug-in's need for a role."""
