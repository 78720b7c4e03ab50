"""What `suli bench tune` chose on a benchmark, for `METHOD@chosen` (see `suli_plugin.registry`)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmark_adapters.records.record import canonical
from suli_plugin.benchmark import Benchmark
from suli_plugin.registry import CHOSEN
from suli_plugin.request import Scope

SCHEMA_VERSION = 1
Choice = Mapping[str, Any]
# What is asked of it here are its class's own.
OfBenchmark = Benchmark | type[Benchmark]
# What a record of `METHOD@chosen` repeats of its choice.
_TOLD = ("trial", "trials", "budget", "scenarios", "seeds", "score", "start_score", "at_edge")


def read_choices(path: Path) -> list[dict[str, Any]]:
    """The choices in a file; none if there is no file. Raises ValueError for another content."""
    if not path.exists():
        return []
    try:
        whole = json.loads(path.read_text(encoding="utf-8"))
        choices: list[dict[str, Any]] = list(whole["choices"])
        [(choice["method"], choice["scope"]) for choice in choices]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is no file of choices, move it away: {error!r}") from error
    return choices


def choices_of(benchmark: OfBenchmark, scope: Scope | None = None) -> dict[str, Choice]:
    """The benchmark's choices by label, `METHOD@chosen`. scope: of one alone; None for any.

    Those of presets are not among them. Raises ValueError for a broken file.
    """
    if benchmark.choices is None:
        return {}
    return {
        f"{choice['method']}@{CHOSEN}": choice
        for choice in read_choices(benchmark.choices)
        if choice["benchmark"] == benchmark.name and "@" not in choice["method"]
        if scope in (None, choice["scope"])
    }


def settings_with_choices(benchmark: OfBenchmark, scope: Scope) -> dict[str, Mapping[str, Any]]:
    """The benchmark's settings by label, and all fields of what was chosen for a method."""
    chosen = choices_of(benchmark, scope)
    return {
        **benchmark.settings,
        **{label: choice["hyperparameters"] for label, choice in chosen.items()},
    }


def provenance(
    benchmark: OfBenchmark, choice: Choice, changed: Mapping[str, Any]
) -> dict[str, Any]:
    """What a record says of the choice that it was run with. changed: fields set over it."""
    return {
        "file": benchmark.choices.name if benchmark.choices else "",
        "digest": hashlib.sha256(canonical(choice).encode()).hexdigest(),
        **{name: choice[name] for name in _TOLD},
        "changed": sorted(changed),
    }
