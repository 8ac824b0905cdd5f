"""The remediator: a durable function that repairs one ServiceAccount, proves it and tells people."""
