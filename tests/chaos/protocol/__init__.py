"""The protocol of incidents, explored exhaustively over the real code."""
