"""The controllers of a cluster, its kubelets, and the permissions that the network plug-in needs."""
