"""Messages for people, in chat and mail, and the events that the stack publishes. Pure."""
