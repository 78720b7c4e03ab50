"""A submission held to its board, and its claims computed again, level by level."""
