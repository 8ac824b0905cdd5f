"""Every trigger becomes a `CheckRequest`. Pure."""
