"""The command that makes a record again, as a reader can paste it."""

from __future__ import annotations

import shlex

from benchmark_adapters.grid.again import differing_fields
from benchmark_adapters.grid.benchmark_options import option_arguments
from benchmark_adapters.grid.choices import settings_with_choices
from benchmark_adapters.grid.options import setting_arguments
from benchmark_adapters.grid.retrains import RETRAIN
from benchmark_adapters.tuning.trial_cells import Tuning
from leaderboards.reproduction.place import Place, benchmark_of
from leaderboards.reproduction.table import Record, Recorded
from suli_plugin.benchmark import Benchmark
from suli_plugin.registry import Registry


def command_line(own: Recorded, registry: Registry, place: Place) -> str:
    """`suli bench run ...`, or `suli bench tune ...` of a trial, for this record's cell alone.

    Data and original are where the record had them, unless `place` says otherwise. Raises
    ValueError or TypeError for settings that today's code can't be given.
    """
    record = own.record
    benchmark = benchmark_of(record, registry, place)
    words = ["suli", "bench", "tune" if own.is_trial else "run", record["benchmark"]]
    words += option_arguments(benchmark)
    if record["precision"] != "no":
        words += ["--mixed-precision", record["precision"]]
    if record.get("compiled"):
        words.append("--compile")
    words += ["--scenarios", record["scenario"], "--seeds", str(record["seed"])]
    words += ["--methods", ",".join(labels(own))]
    if RETRAIN in labels(own) and not own.is_audited:
        words.append("--no-audit")
    settings = settings_with_choices(benchmark, record["scope"])
    fields = differing_fields(record, settings, registry)
    words += setting_arguments(record["method"], fields)
    more = _trial_arguments(tuning_of(record), benchmark) if own.is_trial else []
    return shlex.join([*words, *more])


def labels(own: Recorded) -> list[str]:
    """The methods that a record's command runs: what stands beside it, and its own."""
    return list(dict.fromkeys([*own.beside, own.record["method"]]))


def tuning_of(record: Record) -> Tuning:
    """How a trial was drawn and scored, of this one alone: its settings are given."""
    told = record["tuning"]
    return Tuning(
        trials=1,
        # Some records are older than the limit.
        passes=told.get("passes"),
        seed=told["draw_seed"],
        fraction=told["fraction"],
        retain_scored=told["retain_scored"],
    )


def _trial_arguments(tuning: Tuning, benchmark: Benchmark) -> list[str]:
    words = ["--trials", str(tuning.trials)]
    if tuning.passes != benchmark.tuning_passes:
        words += ["--passes", str(tuning.passes or 0)]
    if tuning.retain_scored is not None:
        words += ["--retain-scored", str(tuning.retain_scored)]
    if tuning.fraction != Tuning().fraction:
        words += ["--held-out", str(tuning.fraction)]
    return words
