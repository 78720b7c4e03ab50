"""Starts the test hub before any test module imports the client libraries."""

from hub_fixture_example import hub

__all__ = ["hub"]
