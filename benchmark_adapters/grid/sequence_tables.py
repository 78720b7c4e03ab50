"""Tables of requests that follow one another: after each of them, and against all at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmark_adapters.grid.aligned import aligned_lines, with_deviation
from suli_plugin.scenario import scenario_of

Record = Mapping[str, Any]
Sequences = Mapping[str, Sequence[Mapping[str, Any]]]
AFTER = (
    "after each request (forget: what it asks for; earlier: what the requests before it forgot; "
    "at once: the same method, asked once for everything)"
)
DRIFT = "drift from the same method on everything at once (JS divergence; the same answer)"
_AFTER = {
    "forget_accuracy": "forget %",
    "earlier_accuracy": "earlier %",
    "test_forget_accuracy": "test-forget so far %",
    "retain_accuracy": "retain %",
    "test_retain_accuracy": "test-retain %",
    "test_accuracy": "test %",
}
_ALWAYS = ("forget_accuracy", "retain_accuracy", "test_accuracy")
_DISTANCES = ("js_divergence", "same_answers")
_SETS = ("forget", "retain", "test")


def sequence_of(record: Record) -> Mapping[str, Any] | None:
    """What `run_in_turn` noted in a record; None where the method was asked once.

    Raises ValueError for a part that is not whole: a record may come from anyone.
    """
    notes = record.get("notes")
    found = notes.get("sequence") if isinstance(notes, Mapping) else None
    if found is None:
        return None
    requests = scenario_of(record["scenario"]).requests
    if not _is_whole(found, requests):
        raise ValueError(f"'sequence' must hold accuracies after {requests} requests, and a drift")
    checked: Mapping[str, Any] = found
    return checked


def sequences(records: Sequence[Record]) -> dict[str, list[Mapping[str, Any]]]:
    """Of the methods that were asked request after request, what was noted under each seed.

    Raises ValueError as `sequence_of` does.
    """
    found: dict[str, list[Mapping[str, Any]]] = {}
    for record in records:
        own = sequence_of(record)
        if own is not None:
            found.setdefault(record["method"], []).append(own)
    return found


def sequence_tables(records: Sequence[Record]) -> str:
    """Both tables of one scenario, mean ± deviation over seeds; empty without such records."""
    found = sequences(records)
    if not found:
        return ""
    titles, *lines = after_each(found)
    named_once = [[label if at == "1" else "", at, *cells] for label, at, *cells in lines]
    return "\n".join(
        [
            f"{AFTER}:",
            *aligned_lines([titles, *named_once]),
            f"{DRIFT}:",
            *aligned_lines(drift(found)),
        ]
    )


def after_each(found: Sequences) -> list[list[str]]:
    """Titles, and for each method a line after each request and one for all of them at once."""
    there = {name for seeds in found.values() for after in seeds[0]["after_each"] for name in after}
    # Class-wise the whole test set would hold what was forgotten.
    shown = [name for name in _AFTER if name in there]
    if "test_retain_accuracy" in shown:
        shown.remove("test_accuracy")
    cells = [["method", "request", *(_AFTER[name] for name in shown)]]
    for label, seeds in found.items():
        asked = zip(*(each["after_each"] for each in seeds), strict=True)
        for number, rows in enumerate(asked, 1):
            cells.append([label, str(number), *_accuracies(rows, shown)])
        cells.append([label, "at once", *_accuracies([each["at_once"] for each in seeds], shown)])
    return cells


def drift(found: Sequences) -> list[list[str]]:
    """Titles, and for each method how far its answers are from those of all at once, by set."""
    titles = [f"{name} {what}" for name in _SETS for what in ("JS", "same %")]
    cells = [["method", *titles]]
    for label, seeds in found.items():
        texts = []
        for name in _SETS:
            distance, same = ([each["drift"][name][of] for each in seeds] for of in _DISTANCES)
            texts += [with_deviation(distance, 3), with_deviation([100 * of for of in same], 1)]
        cells.append([label, *texts])
    return cells


def _accuracies(rows: Sequence[Mapping[str, float]], shown: Sequence[str]) -> list[str]:
    values = ([100 * row[name] for row in rows if name in row] for name in shown)
    return [with_deviation(each, 1) for each in values]


def _is_whole(found: Any, requests: int) -> bool:
    if not isinstance(found, Mapping):
        return False
    after, away = found.get("after_each"), found.get("drift")
    if not (isinstance(after, list) and len(after) == requests and isinstance(away, Mapping)):
        return False
    later = (_are_fractions(each, ("earlier_accuracy",)) for each in after[1:])
    asked = (_are_fractions(each, _ALWAYS) for each in [*after, found.get("at_once")])
    return all([*asked, *later, *(_are_fractions(away.get(name), _DISTANCES) for name in _SETS)])


def _are_fractions(values: Any, names: Iterable[str]) -> bool:
    """Whether these are there, and what else is shown of the kind is in [0, 1], too."""
    if not (isinstance(values, Mapping) and values.keys() >= set(names)):
        return False
    shown = [values[name] for name in {*names, *_AFTER} if name in values]
    return all(type(each) in (int, float) and -1e-9 <= each <= 1 + 1e-9 for each in shown)
