"""Baselines, benchmarks, metrics and harnesses around `suli_plugin`."""
