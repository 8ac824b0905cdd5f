"""The checker: from an event to a plan, with no write but its own incident row. A healthy cluster ends here."""
