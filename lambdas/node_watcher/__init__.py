"""The node watcher: from the audit log of a control plane to events about nodes and identities."""
