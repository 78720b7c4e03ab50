"""Tables of requests that follow one another: after each of them, and against all at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmark_adapters.grid.aligned import aligned_lines, with_deviation

Record = Mapping[str, Any]
_AFTER = {
    "forget_accuracy": "forget %",
    "earlier_accuracy": "earlier %",
    "test_forget_accuracy": "test-forget so far %",
    "retain_accuracy": "retain %",
    "test_retain_accuracy": "test-retain %",
    "test_accuracy": "test %",
}
_DISTANCES = ("js_divergence", "same_answers")


def sequence_tables(records: Sequence[Record]) -> str:
    """Both tables of one scenario, mean ± deviation over seeds; empty without such records."""
    by_label: dict[str, list[Mapping[str, Any]]] = {}
    for record in records:
        found = record.get("notes", {}).get("sequence")
        if found is not None:
            by_label.setdefault(record["method"], []).append(found)
    if not by_label:
        return ""
    return "\n".join(
        [
            "after each request (earlier: what the requests before it forgot):",
            *aligned_lines(_after_each(by_label)),
            "drift from the same method on everything at once (JS divergence; the same answer):",
            *aligned_lines(_drift(by_label)),
        ]
    )


def _after_each(by_label: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[list[str]]:
    there = {name for all_seeds in by_label.values() for after in all_seeds[0]["after_each"]
             for name in after}  # fmt: skip
    # Class-wise the whole test set would hold what was forgotten.
    shown = [name for name in _AFTER if name in there]
    if "test_retain_accuracy" in shown:
        shown.remove("test_accuracy")
    cells = [["method", "request", *(_AFTER[name] for name in shown)]]
    for label, seeds in by_label.items():
        for number in range(len(seeds[0]["after_each"])):
            rows = [found["after_each"][number] for found in seeds]
            values = [[100 * row[name] for row in rows if name in row] for name in shown]
            texts = (with_deviation(each, 1) for each in values)
            cells.append([label if number == 0 else "", str(number + 1), *texts])
    return cells


def _drift(by_label: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[list[str]]:
    sets = list(next(iter(by_label.values()))[0]["drift"])
    titles = [f"{name} {what}" for name in sets for what in ("JS", "same %")]
    cells = [["method", *titles]]
    for label, seeds in by_label.items():
        texts = []
        for name in sets:
            distance, same = ([found["drift"][name][of] for found in seeds] for of in _DISTANCES)
            texts += [with_deviation(distance, 3), with_deviation([100 * of for of in same], 1)]
        cells.append([label, *texts])
    return cells
