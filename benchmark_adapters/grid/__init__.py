"""A benchmark's grid of scenarios x methods x seeds: planned, run cell by cell, as a table."""
