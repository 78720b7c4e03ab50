"""Boards about a published original and images in a folder, as those of CIFAR-10 are."""

import json
import shutil

import pytest
from accelerate import Accelerator
from altered_store import REGISTRY
from click.testing import CliRunner
from digits_as_images import digits_folder

from benchmark_adapters.benchmarks.cifar10 import Cifar10ResNet20
from benchmark_adapters.grid.plan import plan
from benchmark_adapters.grid.run import run_grid
from leaderboards.command import leaderboard


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SULI_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def published(digits, original, tmp_path_factory):
    """A board's file, measured from digits as images, and a run of two methods for it."""
    folder = tmp_path_factory.mktemp("published")
    suli("measure", "cifar10-resnet20.class-wise", "--scenarios", "class-3", "--seeds", "0",
         "--retain-scored", 100, "--data", digits, "--original", original,
         "--output", folder / "board.json")  # fmt: skip
    benchmark = Cifar10ResNet20(data=str(digits), original=str(original), retain_scored=100)
    cells = plan(benchmark, REGISTRY, scenarios=["class-3"], methods=["original", "su"], seeds=[0],
                 changes={"su": {"epochs": 1}}, accelerator=Accelerator())  # fmt: skip
    assert not run_grid(cells, benchmark, REGISTRY, folder / "runs", Accelerator()).failed
    return folder


def suli(*arguments, code=0):
    done = CliRunner().invoke(leaderboard, [str(each) for each in arguments])
    assert done.exit_code == code, (done.output, done.exception)
    return done.output


@pytest.fixture
def submitted(published, tmp_path):
    board = published / "board.json"
    suli("submit", published / "runs", "--board", board, "--to", tmp_path / "store", "--as", "ada",
         "--yes")  # fmt: skip
    return ["verify", tmp_path / "store", "--board", board, "--as", "bob"]


def test_the_board_names_the_original_by_its_hash_and_not_by_a_folder(published, original):
    board = json.loads((published / "board.json").read_text())
    told = board["original"]
    assert told["kind"] == "published" and len(told["sha256"]) == 64
    assert str(original) not in json.dumps(board) and "akamaster" in told["source"]
    assert board["options"]["retain_scored"] == 100
    assert board["scenarios"]["class-3"]["sizes"]["retain"] == 100


def test_the_submission_says_no_folder_and_passes_every_level(
    submitted, digits, original, tmp_path
):
    for path in (tmp_path / "store" / "submissions").iterdir():
        assert str(digits) not in path.read_text() and str(original) not in path.read_text()
    said = suli(*submitted, "--level", "rerun", "--data", digits, "--original", original)
    assert said.count("reproduced") == 2 and "1 of 1 models were made again bit by bit" in said


def test_without_the_original_verify_says_which_one_it_is(submitted, digits):
    said = suli(*submitted, "--data", digits, code=2)
    assert "name it with --original: akamaster/pytorch_resnet_cifar10" in " ".join(said.split())


def test_other_images_are_the_verifiers_mistake_and_no_verdict(submitted, original, tmp_path):
    other = digits_folder(tmp_path / "other", train=380)
    said = suli(*submitted, "--data", other, "--original", original, code=2)
    assert "set of class-3/0 here is not that of cifar10-resnet20.class-wise" in said
    assert not (tmp_path / "store" / "verdicts").exists()


def test_other_images_are_found_before_methods_run_again_without_evidence(
    submitted, digits, original, tmp_path
):
    suli(*submitted, "--data", digits, "--original", original)
    suli("drop-evidence", tmp_path / "store", "--above", 0)
    other = digits_folder(tmp_path / "other", train=380)
    again = [*submitted, "--level", "rerun", "--original", original, "--data"]
    assert "set of class-3/0 here is not that of cifar10-resnet20" in suli(*again, other, code=2)
    said = suli(*again, digits)
    assert said.count("run again only") == 2 and "1 of 1 models were made again bit by bit" in said


def test_another_published_original_is_refused(submitted, digits, original, tmp_path):
    from benchmark_adapters.records.record import digest

    [path] = (tmp_path / "store" / "submissions").glob("*-su-*.json")
    submission = json.loads(path.read_text())
    [record] = submission["claimed"]
    record["original_hash"] = "3" * 64
    record["digest"] = digest(record)
    path.write_text(json.dumps(submission))
    shutil.rmtree(tmp_path / "store" / "verdicts", ignore_errors=True)
    said = suli(*submitted, "--data", digits, "--original", original, code=1)
    assert "the original has the hash 333333333333, the board's has" in said
