"""The Retrains of a board as one row: mean and deviation over all models of one submitter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmark_adapters.grid.retrains import RETRAIN, is_retrain, is_yardstick
from leaderboards.claims.submission import Submission, record_name
from leaderboards.store.spreads import Record, Values, by_scenario, spreads

# From what nobody looked at to what was run again.
_STATES = ("refuted", "claimed", "re-scored", "reproduced")


@dataclass(frozen=True)
class Looked:
    """A submission with its state, and its values as claimed and as they are believed."""

    submission: Submission
    state: str
    claims: Mapping[str, Values]
    values: Mapping[str, Values]


def with_retrains(
    rows: Sequence[Mapping[str, Any]], looked: Sequence[Looked]
) -> list[dict[str, Any]]:
    """The rows, with `retrains` in each row of Retrain: the figures of all trainings by its recipe.

    rows, looked: of the same submissions. A further training's own row says `part_of` then, so
    that a table may leave it out. One that is verified less than the first is not taken in.
    """
    groups: dict[tuple[str, str], list[Looked]] = {}
    for each in looked:
        if is_retrain(each.submission.method):
            key = (each.submission.board, each.submission.submitter)
            groups.setdefault(key, []).append(each)
    taken = {key: _taken(group) for key, group in groups.items()}
    parts = {id(each): group[0] for group in taken.values() for each in group[1:]}
    found = []
    for row, each in zip(rows, looked, strict=True):
        key = (each.submission.board, each.submission.submitter)
        if each.submission.method == RETRAIN and len(taken.get(key, [])) > 1:
            found.append({**row, "retrains": _joined(taken[key])})
        elif id(each) in parts:
            found.append({**row, "part_of": parts[id(each)].submission.id})
        else:
            found.append(dict(row))
    return found


def _taken(group: Sequence[Looked]) -> list[Looked]:
    """Retrain, then what joins it; none where there is no first of the original's recipe."""
    first = next((each for each in group if each.submission.method == RETRAIN), None)
    if first is None or first.state == "refuted" or not _is_yardstick(first):
        return []
    least = _STATES.index(first.state)
    more = [
        each
        for each in group
        if each is not first and _STATES.index(each.state) >= least and _is_yardstick(each)
    ]
    return [first, *more]


def _is_yardstick(looked: Looked) -> bool:
    return all(map(is_yardstick, looked.submission.claimed))


def _joined(group: Sequence[Looked]) -> dict[str, Any]:
    """Over the models, each once: a further Retrain may be one model for several seeds."""
    records, values = [], {}
    models: dict[tuple[str, ...], int] = {}
    for looked in group:
        for seed, own in _by_seed(looked.submission.claimed).items():
            weights = tuple(record["unlearned_hash"] for record in own)
            if weights in models:
                continue
            models[weights] = len(models)
            for record in own:
                model = {**record, "seed": models[weights]}
                records.append(model)
                values[record_name(model)] = looked.values[f"{record['scenario']}/{seed}"]
    joined = {
        "methods": [looked.submission.method for looked in group],
        "models": len(models),
        "metrics": spreads(records, values),
    }
    if records[0]["scope"] == "instance-wise":
        joined["by_scenario"] = by_scenario(records, values)
    return joined


def _by_seed(records: Sequence[Record]) -> dict[int, list[Record]]:
    found: dict[int, list[Record]] = {}
    for record in records:
        found.setdefault(record["seed"], []).append(record)
    return found
