"""Fill a board's file from its benchmark: sizes and hashes of all sets, and of the originals."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from typing import Any

from accelerate import Accelerator

from benchmark_adapters.grid.scored_case import ScoredCase
from leaderboards.board.board import SETS, Board, BoardScenario
from leaderboards.board.metrics import board_metrics
from suli_plugin.benchmark import Benchmark, Case, scope_of
from suli_plugin.evaluation import evaluate


def measured(board: Board, benchmark: Benchmark, accelerator: Accelerator) -> Board:
    """The board with what its benchmark gives for each scenario and seed; noise is dropped.

    Raises ValueError for a scenario of the other scope, or another benchmark.
    """
    if benchmark.name != board.benchmark:
        raise ValueError(f"{board.name} is about {board.benchmark}, got {benchmark.name}")
    hashes: dict[str, str] = {}
    scenarios = {}
    for scenario in board.scenarios:
        if scope_of(scenario) != board.scope:
            raise ValueError(f"{board.name} is {board.scope}, but {scenario} is not")
        cases = {seed: ScoredCase(benchmark, scenario, seed, accelerator) for seed in board.seeds}
        hashes |= {str(seed): scored.original_hash for seed, scored in cases.items()}
        scenarios[scenario] = _scenario(cases)
        last = cases[board.seeds[-1]]
    smallest = {name: min(each.sizes[name] for each in scenarios.values()) for name in SETS}
    return dataclasses.replace(
        board,
        options=board_options(benchmark.options()),
        original=_original(board.original, last.case, hashes),
        scenarios=scenarios,
        outputs=_outputs(last.case, accelerator),
        metrics=board_metrics(board.scope, smallest),
        noise=None,
        not_measured="",
    )


def board_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """A benchmark's fields without where its data and its original are on one machine."""
    return {name: value for name, value in options.items() if name not in ("data", "original")}


def _scenario(cases: Mapping[int, ScoredCase]) -> BoardScenario:
    some = next(iter(cases.values()))
    return BoardScenario(
        {name: len(images) for name, images in some.sets.items()},
        {str(seed): scored.set_hashes for seed, scored in cases.items()},
    )


def _original(declared: Mapping[str, Any], case: Case, hashes: Mapping[str, str]) -> dict[str, Any]:
    """The declared source, since the case's may be a folder of this machine."""
    found = case.original_source
    # Where each seed has an original of its own, no file is that of all.
    one = ("weights_file", "sha256") if len(set(hashes.values())) == 1 else ()
    names = ("kind", "recipe", *one)
    facts = {name: found[name] for name in names if name in found}
    return {**declared, **facts, "hashes": dict(sorted(hashes.items()))}


def _outputs(case: Case, accelerator: Accelerator) -> int:
    original = copy.deepcopy(case.original).to(accelerator.device)
    return int(evaluate(original, case.test.subset([0]), accelerator).logits.shape[1])
