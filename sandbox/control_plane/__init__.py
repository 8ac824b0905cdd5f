"""A real Kubernetes control plane on this machine: API server, controllers, scheduler, simulated nodes and the login of EKS."""
