"""Clients with the caller's own rights: AWS session, cluster login, deployed stack, incident table, trigger sources."""
