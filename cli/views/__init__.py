"""Results as terminal tables, as JSON documents and as an HTML page."""
