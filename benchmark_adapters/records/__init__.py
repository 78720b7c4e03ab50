"""What a run leaves behind: its record, the evidence beside it, and where both come from."""
