"""Means and deviations over seeds, of records whose values are claimed or were found again."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from benchmark_adapters.grid.columns import unreached
from leaderboards.claims.submission import record_name

Record = Mapping[str, Any]
Spread = dict[str, float | int | None]
Values = Mapping[str, float]


def spreads(records: Sequence[Record], values: Mapping[str, Values]) -> dict[str, Spread]:
    """Mean, deviation and number of seeds of each metric, over the means of each seed."""
    names = dict.fromkeys(metric for each in values.values() for metric in each)
    found = {
        metric: spread(records, {k: v.get(metric) for k, v in values.items()}) for metric in names
    }
    if "relearn_updates" in found:
        found["relearn_updates"] = _relearn_spread(records, values)
    return {metric: own for metric, own in found.items() if own is not None}


def _relearn_spread(records: Sequence[Record], values: Mapping[str, Values]) -> Spread | None:
    """Over the seeds of which relearning came to its end in every scenario, with the bound."""
    bounds = {name: unreached(each) for name, each in values.items()}
    cut = {record["seed"] for record in records if bounds.get(record_name(record)) is not None}
    whole = [record for record in records if record["seed"] not in cut]
    updates = {name: each.get("relearn_updates") for name, each in values.items()}
    known = spread(whole, updates)
    own = (bounds.get(record_name(record)) for record in records)
    above = max((bound for bound in own if bound is not None), default=None)
    if above is None:
        return known
    return {**(known or {"mean": None, "std": None, "n": 0}), "above": above}


def spread(records: Sequence[Record], values: Mapping[str, float | None]) -> Spread | None:
    """Mean, deviation and number of seeds of one metric, None without a value."""
    by_seed: dict[int, list[float]] = {}
    for record in records:
        value = values.get(record_name(record))
        if value is not None:
            by_seed.setdefault(record["seed"], []).append(value)
    means = [statistics.fmean(each) for _, each in sorted(by_seed.items())]
    if not means:
        return None
    std = statistics.stdev(means) if len(means) > 1 else None
    return {"mean": statistics.fmean(means), "std": std, "n": len(means)}


def by_scenario(
    records: Sequence[Record], values: Mapping[str, Values]
) -> dict[str, dict[str, Spread]]:
    """Each scenario's spreads of its own records."""
    scenarios = dict.fromkeys(record["scenario"] for record in records)
    return {
        scenario: spreads([r for r in records if r["scenario"] == scenario], values)
        for scenario in scenarios
    }
