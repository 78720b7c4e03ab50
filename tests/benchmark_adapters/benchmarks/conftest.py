"""What the tests of benchmarks share."""

import pytest

from benchmark_adapters.benchmarks import real_images


@pytest.fixture(autouse=True)
def read_anew():
    """No test sees what another has loaded, perhaps for a recipe that it changed."""
    real_images.forget_what_was_read()
    yield
    real_images.forget_what_was_read()
