"""The remediator: a durable function that repairs the identity of one ServiceAccount, verifies the repair and notifies people."""
