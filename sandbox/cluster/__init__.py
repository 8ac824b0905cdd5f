"""An embedded double of a Kubernetes API server: TLS, tokens, RBAC, storage and the answers that clients rely on."""
