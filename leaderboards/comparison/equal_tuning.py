"""What equal tuning came to, as Markdown tables: a row a method, start and choice side by side."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from benchmark_adapters.records.record import total_passes
from benchmark_adapters.tuning.trial_file import read_trials
from benchmark_adapters.tuning.trial_table import METRICS
from leaderboards.comparison.paper import markdown_table

Trials = Mapping[str, Any]
EDGE = "\\*"


def equal_tuning_tables(folder: Path) -> dict[str, str]:
    """Markdown by name, `tuning.BENCHMARK.class-wise` and `.instance-wise`.

    folder: of files of trials, see `write_trials`; none if there is no such folder. Raises
    ValueError for a broken file.
    """
    groups: dict[str, list[Trials]] = {}
    for path in sorted(folder.rglob("*.jsonl")):
        trials = read_trials(path)
        groups.setdefault(f"tuning.{trials['benchmark']}.{trials['scope']}", []).append(trials)
    return {name: _table(found) for name, found in groups.items()}


def _table(methods: Sequence[Trials]) -> str:
    shown = METRICS[methods[0]["scope"]]
    titles = ["Method", "Settings", "Score as published", "Score chosen",
              *map(str.capitalize, shown), "Trials", "Ended", "Passes of all trials"]  # fmt: skip
    rows = sorted(methods, key=lambda of: (-_score(_chosen(of)), of["method"]))
    table = markdown_table(titles, [list(_row(of, list(shown.values()))) for of in rows])
    edges = [f"`{of['method']}` {', '.join(of['at_edge'])}" for of in rows if of["at_edge"]]
    if not edges:
        return table
    return f"{table}\n\n{EDGE} At the edge of what was tried: {'; '.join(edges)}."


def _row(of: Trials, metrics: Sequence[str]) -> Iterator[object]:
    chosen = _chosen(of)
    start = next((trial for trial in of["trials"] if trial["trial"] == 0), None)
    ended = [trial["ended"] for trial in of["trials"] if trial["ended"]]
    yield f"`{of['method']}`" + (EDGE if of["at_edge"] else "")
    yield "no choice" if chosen is None else _settings(chosen["settings"])
    yield _told(start)
    yield _told(chosen)
    for name in metrics:
        values = [run["metrics"][name] for run in chosen["runs"]] if chosen else []
        yield f"{100 * mean(values):.1f}" if values else "-"
    yield len(of["trials"])
    yield ", ".join(f"{ended.count(why)} {why}" for why in dict.fromkeys(ended)) or "-"
    yield sum(total_passes(run) for trial in of["trials"] for run in trial["runs"])


def _chosen(of: Trials) -> Trials | None:
    return next((trial for trial in of["trials"] if trial["trial"] == of["chosen"]), None)


def _score(trial: Trials | None) -> float:
    return -1.0 if trial is None else float(trial["score"])


def _told(trial: Trials | None) -> str:
    if trial is None:
        return "-"
    return trial["ended"] or f"{trial['score']:.3f}"


def _settings(settings: Mapping[str, Any]) -> str:
    said = ", ".join(f"{name}={json.dumps(value)}" for name, value in settings.items())
    return f"`{said}`" if said else "as published"
