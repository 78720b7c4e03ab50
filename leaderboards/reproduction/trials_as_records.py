"""What a file of trials keeps of its records, in their form: to be run again and compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leaderboards.reproduction.table import Record


def trials_as_records(trials: Mapping[str, Any]) -> list[Record]:
    """A record of each run of each trial. trials: as `read_trials` gives them."""
    cases = {(of["scenario"], of["seed"]): of for of in trials["original"]}
    shared = {name: trials[name] for name in ("benchmark", "method", "scope", "options")}
    return [
        {
            **trials["made"][0],
            **shared,
            **cases[run["scenario"], run["seed"]],
            **run,
            "hyperparameters": {**trials["start"], **trial["settings"]},
            "tuning": _told(trials, trial, run),
        }
        for trial in trials["trials"]
        for run in trial["runs"]
    ]


def _told(
    trials: Mapping[str, Any], trial: Mapping[str, Any], run: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "trial": trial["trial"],
        "score": run["score"],
        "passes": trials["budget"]["passes"],
        **{name: trials[name] for name in ("draw_seed", "fraction", "retain_scored")},
    }
