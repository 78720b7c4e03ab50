"""Submissions from another processor: another original, other last digits."""

import copy
from dataclasses import dataclass, replace

import pytest
import torch
from altered_store import REGISTRY, Store

from benchmark_adapters.benchmarks.digits import Digits
from benchmark_adapters.grid.plan import plan
from benchmark_adapters.grid.run import run_grid
from leaderboards.claims.verdict import Refused
from leaderboards.keeping.noise import with_noise
from leaderboards.store.folder import put_submissions
from leaderboards.submission.run_folder import found_submissions
from leaderboards.verification.cases import BoardCases


@dataclass(frozen=True, kw_only=True)
class Elsewhere(Digits):
    """Digits on a processor that rounds otherwise, so that its originals are other ones."""

    def case(self, scenario, seed):
        case = super().case(scenario, seed)
        original = copy.deepcopy(case.original)
        with torch.no_grad():
            for parameter in original.parameters():
                parameter.mul_(1 + 1e-6)
        return replace(case, original=original)


@pytest.fixture(scope="module")
def made_elsewhere(board, accelerator, benchmark, tmp_path_factory):
    folder = tmp_path_factory.mktemp("elsewhere") / "runs"
    there = Elsewhere()
    cells = plan(there, REGISTRY, scenarios=["class-3"], methods=["original", "logit_mask"],
                 seeds=board.seeds, accelerator=accelerator)  # fmt: skip
    assert not run_grid(cells, there, REGISTRY, folder, accelerator).failed
    return found_submissions(folder, board, REGISTRY, submitter="eve")


@pytest.fixture
def elsewhere(made_elsewhere, cases, tmp_path):
    put_submissions(tmp_path / "store", *made_elsewhere)
    return Store(tmp_path / "store", cases, tmp_path / "again")


@pytest.mark.parametrize("level", ["rescore", "reload"])
@pytest.mark.parametrize("method", ["original", "logit_mask"])
def test_what_starts_from_an_original_that_was_submitted_too_is_checked_with_that_one(
    method, level, elsewhere
):
    verdict = elsewhere.verdict(method, level)
    assert verdict.outcome == "re-scored" and not verdict.differences
    assert "its original was trained elsewhere, not the board's" in verdict.notes[0]


def test_without_that_original_it_is_refused(elsewhere, board, benchmark, accelerator):
    elsewhere.path("original").unlink()
    elsewhere.cases = BoardCases(board, benchmark, accelerator)
    with pytest.raises(Refused, match="submit original, too"):
        elsewhere.verdict("logit_mask")


def test_a_rerun_starts_from_the_original_that_is_made_here(elsewhere):
    verdict = elsewhere.verdict("logit_mask", "rerun")
    assert verdict.outcome == "reproduced"
    assert "0 of 2 models were made again bit by bit" in verdict.notes


def test_where_rounding_differs_a_rerun_is_only_judged_by_measured_noise(store, cases, monkeypatch):
    monkeypatch.setattr("leaderboards.verification.rerun.hardware", lambda: "another processor")
    with pytest.raises(ValueError, match="this is another processor with torch"):
        store.verdict(level="rerun")
    records = [
        {**record, "seed": number}
        for number, record in enumerate(store.read("suli")["claimed"] * 2)
    ]
    noisy = with_noise(cases.board, records, "suli leaderboard tolerances")
    store.cases = BoardCases(noisy, cases.benchmark, cases.accelerator)
    assert store.verdict(level="rerun").outcome == "reproduced"
