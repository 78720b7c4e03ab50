"""Settings for all tests; starts the loopback Hub before any test imports the client libraries."""

import os
from pathlib import Path

from loopback_hub import hub  # isort: skip  # sets what the clients read at import

import pytest
import torch
from hypothesis import settings
from seeds import seed_of

from suli_plugin.randomness import seeded

__all__ = ["hub"]
# The first call of a torch operator is slow; a deadline would test the machine.
settings.register_profile("suli", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("suli")
# Tests run in parallel processes; each with one thread is faster than all with all.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    torch.set_num_threads(1)


def pytest_configure(config):
    # pytest-randomly sets the seed of a run; what is drawn from it is said here alone.
    config.option.randomly_reset_seed = False


@pytest.fixture(autouse=True)
def seed_of_the_test(request):
    """Every test draws from a seed of its own, whatever ran before it."""
    with seeded(seed_of(request.config, request.node.nodeid), torch.device("cpu")):
        yield


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef, request):
    """What tests share is drawn from a seed of its own too, whichever of them asks first."""
    if fixturedef.scope == "function":
        return (yield)
    name = f"{fixturedef.baseid}::{fixturedef.argname}::{getattr(request, 'param_index', 0)}"
    with seeded(seed_of(request.config, name), torch.device("cpu")):
        return (yield)


@pytest.fixture(scope="session")
def real_data():
    """The folder of real CIFAR-10 and real originals, or a skip that says what to set."""
    folder = os.environ.get("SULI_DATA")
    if not folder:
        pytest.skip("SULI_DATA is unset; point it at the folder of real data")
    return Path(folder)


@pytest.fixture(scope="session")
def digits(tmp_path_factory):
    """A folder of digits as images, in the layout of `uoft-cs/cifar10`."""
    from digits_as_images import digits_folder

    return digits_folder(tmp_path_factory.mktemp("data") / "digits")


@pytest.fixture(scope="session")
def original(tmp_path_factory):
    """The folder of a small original that was trained on `digits`."""
    from digits_as_images import trained_original

    return trained_original(tmp_path_factory.mktemp("original") / "net")
