"""All trials of one method in one scope as one small file: what is committed of a tuning run."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmark_adapters.records.record import canonical, digest, write_atomically
from benchmark_adapters.records.run_record import compiled_part
from benchmark_adapters.tuning.choice import budget_of
from benchmark_adapters.tuning.trial_cells import Tuning
from benchmark_adapters.tuning.trial_results import TrialResult, TunedMethod
from benchmark_adapters.tuning.trials import searched

SCHEMA_VERSION = 1
# Of how a trial's records were made; those of a run that was resumed may differ in it.
_MADE = ("hardware", "versions", "git_commit", "command", "device", "precision", "processes")
_KEPT = (
    *("scenario", "seed", "metrics", "passes", "seconds", "stop_reason", "cell", "digest"),
    "unlearned_hash",
)
# Of a case, the same for all of its trials.
_CASE = ("scenario", "seed", "original_hash", "set_hashes", "sizes")
Trials = dict[str, Any]


def write_trials(folder: Path, method: TunedMethod, tuning: Tuning) -> Path | None:
    """Write `SCOPE/METHOD.jsonl` below a folder; None, and no file, without a trial.

    What all trials share is its first line, each trial one more.
    """
    if not method.trials:
        return None
    path = folder / method.scope / f"{method.label}.jsonl"
    whole = _trials(method, tuning)
    whole["digest"] = digest(whole)
    shared = {name: value for name, value in whole.items() if name != "trials"}
    lines = [json.dumps(each, allow_nan=False) for each in (shared, *whole["trials"])]
    write_atomically(path, "".join(f"{line}\n" for line in lines))
    return path


def read_trials(path: Path) -> Trials:
    """What all trials share, and `trials`. Raises ValueError for any other file."""
    try:
        shared, *trials = map(json.loads, path.read_text(encoding="utf-8").splitlines())
        whole: Trials = {**shared, "trials": trials}
        sound = whole["schema_version"] == SCHEMA_VERSION and whole["digest"] == digest(whole)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is no file of trials: {error!r}") from error
    if not sound:
        raise ValueError(f"{path} is no whole file of trials: it was cut or altered")
    return whole


def _trials(method: TunedMethod, tuning: Tuning) -> Trials:
    records = [record for trial in method.trials for record in trial.records]
    first, chosen = records[0], method.chosen
    return {
        "schema_version": SCHEMA_VERSION,
        "benchmark": first["benchmark"],
        "method": method.label,
        "scope": method.scope,
        "scenarios": list(method.scenarios),
        "seeds": list(method.seeds),
        "options": first["options"],
        "budget": budget_of(tuning),
        "draw_seed": tuning.seed,
        **tuning.held_out,
        "searched": searched(method.start, method.set_by_hand),
        "set_by_hand": dict(method.set_by_hand),
        "start": method.start.hyperparameters(),
        "chosen": None if chosen is None else chosen.index,
        "at_edge": method.at_edge,
        "original": _distinct(
            {name: record[name] for name in _CASE} | {"accuracies": record["tuning"]["original"]}
            for record in records
        ),
        "trials": [_trial(trial) for trial in sorted(method.trials, key=lambda trial: trial.index)],
        "made": _distinct(
            {name: record[name] for name in _MADE} | compiled_part(record.get("compiled"))
            for record in records
        ),
    }


def _trial(trial: TrialResult) -> dict[str, Any]:
    return {
        "trial": trial.index,
        "settings": trial.settings,
        "score": trial.score,
        "ended": trial.ended,
        "runs": [
            {name: record[name] for name in _KEPT} | {"score": record["tuning"]["score"]}
            for record in trial.records
        ],
    }


def _distinct(found: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return list({canonical(each): each for each in found}.values())
