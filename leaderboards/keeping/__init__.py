"""What a board's keeper does: measure its sets and its noise, and drop old evidence."""
