"""The seeds that tests draw from, each made of the run's own and of what it is for."""

from __future__ import annotations

from zlib import crc32

import pytest

# With `-p randomly` the run's seed is the plugin's, another each time, and printed.
RUN = 20_240_214


def seed_of(config: pytest.Config, name: str) -> int:
    """A seed for what has this name: a test by its id, a shared fixture by its file and name."""
    run = config.getoption("randomly_seed", None)
    return crc32(f"{RUN if run is None else run}::{name}".encode())
