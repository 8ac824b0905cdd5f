"""One module per stretch of the identity chain: from an observation to what was found at each link. Pure."""
