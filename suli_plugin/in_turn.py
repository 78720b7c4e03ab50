"""Several runs that followed one another, each from the result of the one before, as one result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import nn

from suli_plugin.cost import Seconds
from suli_plugin.history import HistoryEntry
from suli_plugin.unlearned import Unlearned
from suli_plugin.unlearner import Unlearner


def joined(model: nn.Module, unlearner: Unlearner, parts: Sequence[Mapping[str, Any]]) -> Unlearned:
    """What all of them come to. model: the last result. parts: `Unlearned.as_dict()` of each.

    Steps are counted on, seconds and passes added; each run's reason to stop is named, and its
    notes are under `in_turn` where any has some.
    """
    last, notes = parts[-1], [part["notes"] for part in parts]
    reasons = (f"{number}: {part['stop_reason']}" for number, part in enumerate(parts, 1))
    return Unlearned(
        model=model,
        unlearner=unlearner,
        scope=last["scope"],
        seed=last["seed"],
        stop_reason="; ".join(reasons),
        history=_counted_on(parts),
        seconds=Seconds(*(sum(part["seconds"][of] for part in parts) for of in _CLOCKS)),
        passes={way: _sum(part["passes"][way] for part in parts) for way in last["passes"]},
        precision=last["precision"],
        processes=last["processes"],
        device=last["device"],
        notes={"in_turn": notes} if any(notes) else {},
        compiled=last.get("compiled"),
    )


_CLOCKS = ("update", "total")


def _counted_on(parts: Sequence[Mapping[str, Any]]) -> tuple[HistoryEntry, ...]:
    found: list[HistoryEntry] = []
    for part in parts:
        before = found[-1].step if found else 0
        entries = (HistoryEntry(**entry) for entry in part["history"])
        found += [replace(entry, step=before + entry.step) for entry in entries]
    return tuple(found)


def _sum(counts: Any) -> dict[str, int]:
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return dict(total)
