"""One module per part of the identity chain, from a snapshot to a finding for each link. Pure."""
