"""Boards: what a submission must be about, and which values of a metric are good."""
