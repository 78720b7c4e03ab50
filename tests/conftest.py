"""Settings for all tests; starts the loopback Hub before any test imports the client libraries."""

import json
import os
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loopback_hub import hub  # isort: skip  # sets what the clients read at import

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, GradientState
from hypothesis import settings
from made_once import made_once
from process_state import process_state
from seeds import seed_of

from suli_plugin.randomness import seeded

__all__ = ["hub"]
if "PYTEST_XDIST_WORKER" not in os.environ:
    # Decoded images and the like are the run's own, and all its processes'.
    _CACHE = tempfile.TemporaryDirectory(prefix="suli-cache-")
    os.environ["SULI_CACHE"] = _CACHE.name
# The first call of a torch operator is slow; a deadline would test the machine.
settings.register_profile("suli", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("suli")
# Small networks gain nothing by threads, parallel processes lose by them, and sums in another
# order would be another result on another machine. It holds in subprocesses too.
os.environ["OMP_NUM_THREADS"] = "1"
torch.set_num_threads(1)
# What they compare bit by bit is computed on the CPU, also where there is an accelerator.
os.environ["ACCELERATE_USE_CPU"] = "true"


def pytest_configure(config):
    # pytest-randomly sets the seed of a run; what is drawn from it is said here alone.
    config.option.randomly_reset_seed = False


def pytest_collection_modifyitems(config, items):
    """Files with most slow tests first: `-n` deals out file after file, and ends on quick ones."""
    if config.getoption("randomly_seed", None) is None:
        slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
        items.sort(key=lambda item: -slow[item.path])


@pytest.fixture(autouse=True)
def seed_of_the_test(request):
    """Every test draws from a seed of its own, whatever ran before it."""
    with seeded(seed_of(request.config, request.node.nodeid), torch.device("cpu")):
        yield


@pytest.fixture(autouse=True)
def process_as_it_was():
    """A test leaves the process as it found it: whatever comes next must not depend on it."""
    before = process_state()
    yield
    # Accelerate has one state a process, whose device and precision are the first caller's.
    AcceleratorState._reset_state(True)
    GradientState._reset_state()
    Accelerator()
    assert process_state() == before


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


@dataclass(frozen=True)
class AuditOfCifar10:
    """said: exit code and text of the README's commands for it. found: the audit's `audit.json`,
    empty where there is none.
    """

    said: list[tuple[int, str]]
    found: dict[str, Any]


@pytest.fixture(scope="session")
def audit_of_cifar10(real_data, tmp_path_factory):
    """The README's audit of real CIFAR-10, which takes minutes, for all tests that look at it."""
    from readme import tagged, walked, with_cifar10

    def make(folder):
        unlearn, audit = tagged("real-audit")
        said = walked(with_cifar10(folder, real_data), [unlearn, f"{audit} --output audit"])
        (folder / "said.json").write_text(json.dumps(said))

    folder = made_once(tmp_path_factory, "audit-of-cifar10", make)
    said = [tuple(each) for each in json.loads((folder / "said.json").read_text())]
    found = folder / "audit" / "audit.json"
    return AuditOfCifar10(said, json.loads(found.read_text()) if found.is_file() else {})


@pytest.fixture(scope="session")
def digits(tmp_path_factory):
    """A folder of digits as images, in the layout of `uoft-cs/cifar10`."""
    from digits_as_images import digits_folder

    return made_once(tmp_path_factory, "digits", digits_folder)


@pytest.fixture(scope="session")
def original(tmp_path_factory):
    """The folder of a small original that was trained on `digits`."""
    from digits_as_images import trained_original

    return made_once(tmp_path_factory, "original", trained_original)
