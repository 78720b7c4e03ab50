"""A small board of digits, one honest run for it, and stores made of that run."""

import shutil
from dataclasses import replace

import pytest
from accelerate import Accelerator
from altered_store import REGISTRY, Store
from made_once import made_once
from run_of_digits import METHODS, brief_relearning

from benchmark_adapters.benchmarks.digits import Digits
from benchmark_adapters.grid.plan import plan
from benchmark_adapters.grid.run import run_grid
from leaderboards.board.board import load_board, write_board
from leaderboards.board.measure import measured
from leaderboards.store.folder import put_submissions
from leaderboards.submission.run_folder import found_submissions
from leaderboards.verification.cases import BoardCases
from suli_plugin import SULI

# Under the method's own name, so that a test may submit other settings; they reach 0 %.
SETTINGS = {"suli": SULI.preset("tuned", "class-wise").hyperparameters()}
SEEDS = (0, 1)


@pytest.fixture(scope="module", autouse=True)
def relearning_is_brief():
    """In these rooms alone, so that no other test measures by it."""
    with brief_relearning():
        yield


@pytest.fixture(scope="session")
def benchmark():
    return Digits()


@pytest.fixture(scope="session")
def accelerator():
    return Accelerator()


@pytest.fixture(scope="session")
def board_file(benchmark, accelerator, tmp_path_factory):
    """The board `digits.class-wise` with two seeds of one class, in a file."""

    def make(folder):
        folder.mkdir()
        shipped = replace(load_board("digits.class-wise"), seeds=SEEDS)
        with brief_relearning():
            write_board(measured(shipped, benchmark, accelerator), folder / "small.json")

    return made_once(tmp_path_factory, "board", make) / "small.json"


@pytest.fixture(scope="session")
def board(board_file):
    return load_board(board_file)


@pytest.fixture(scope="session")
def runs(benchmark, accelerator, tmp_path_factory):
    """A run folder with every method of METHODS."""
    cells = plan(benchmark, REGISTRY, scenarios=["class-3"], methods=METHODS, seeds=SEEDS,
                 changes=SETTINGS, accelerator=accelerator)  # fmt: skip

    def make(folder):
        with brief_relearning():
            assert not run_grid(cells, benchmark, REGISTRY, folder, accelerator).failed

    return made_once(tmp_path_factory, "runs-for-the-board", make)


@pytest.fixture(scope="session")
def cases(board, benchmark, accelerator):
    return BoardCases(board, benchmark, accelerator)


@pytest.fixture(scope="session")
def honest(runs, board, tmp_path_factory):
    """A store in a folder with everything as ada ran it."""
    root = tmp_path_factory.mktemp("honest") / "store"
    put_submissions(root, *found_submissions(runs, board, REGISTRY, submitter="ada"))
    return root


@pytest.fixture
def store(honest, cases, tmp_path):
    return Store(shutil.copytree(honest, tmp_path / "store"), cases, tmp_path / "again")
