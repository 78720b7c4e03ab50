"""One definition a metric, as plain functions on arrays."""
