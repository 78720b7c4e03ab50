"""What a run leaves in its record, whether a benchmark or a deletion request asked for it."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from accelerate import Accelerator

from benchmark_adapters.records.provenance import (
    command,
    git_commit,
    hardware,
    state_hash,
    versions,
)
from benchmark_adapters.records.record import canonical
from suli_plugin.compiled import compiled_by
from suli_plugin.registry import Origin
from suli_plugin.runner import device_name
from suli_plugin.unlearned import Unlearned
from suli_plugin.unlearner import Unlearner


@dataclass(frozen=True)
class Measured:
    """What was measured on an unlearned model, and on what.

    original: where the original comes from. options: the benchmark's fields. sizes, set_hashes:
    of each scored set, by its name. case: a hash of original and data. compared_with: the hash of
    the retrained model that distances are to. same_recipe: whether Retrain has the original's
    recipe, without which nothing is compared with it; None where no Retrain is meant. evidence: see
    `write_evidence`.
    """

    metrics: Mapping[str, float]
    forget_set_hash: str
    original_hash: str
    case: str
    original: Mapping[str, Any]
    sizes: Mapping[str, int]
    set_hashes: Mapping[str, str]
    options: Mapping[str, Any] = field(default_factory=dict)
    compared_with: str | None = None
    same_recipe: bool | None = None
    evidence: Mapping[str, Any] | None = None


def cell_key(
    unlearner: Unlearner,
    origin: Origin,
    accelerator: Accelerator,
    *,
    benchmark: str,
    scenario: str,
    label: str,
    seed: int,
    case: str,
    device: str | None = None,
) -> str:
    """SHA-256 of all that decides a result. case: a hash of original and data. device: its name,
    where a cell runs on another than the accelerator's.
    """
    return _cell_hash(
        {
            "benchmark": benchmark,
            "scenario": scenario,
            "label": label,
            "hyperparameters": unlearner.hyperparameters(),
            "seed": seed,
            "case": case,
            "plugin": str(origin),
            "precision": accelerator.mixed_precision,
            "processes": accelerator.num_processes,
            "device": device or device_name(accelerator.device),
            **compiled_part(compiled_by(accelerator)),
        }
    )


def cell_of_record(record: Mapping[str, Any]) -> str:
    """The key that `cell_key` gave the cell of a record, if the record tells the truth about it.

    Raises TypeError if its `plugin` is no entry point.
    """
    same = ("benchmark", "scenario", "hyperparameters", "seed", "case", "precision", "processes",
            "device")  # fmt: skip
    origin = Origin(**record["plugin"])
    decides = {name: record[name] for name in same} | compiled_part(record.get("compiled"))
    return _cell_hash({**decides, "label": record["method"], "plugin": str(origin)})


def compiled_part(compiler: str | None) -> dict[str, str]:
    """What a record says of it: nothing where nothing was compiled, as older ones don't."""
    return {} if compiler is None else {"compiled": compiler}


def precision_told(record: Mapping[str, Any]) -> str:
    """The record's precision and compiler in words: `bf16`, `no, compiled by inductor`."""
    compiler = record.get("compiled")
    return f"{record['precision']}, compiled by {compiler}" if compiler else record["precision"]


def _cell_hash(decides: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical(decides).encode()).hexdigest()


def run_record(
    unlearned: Unlearned,
    origin: Origin,
    *,
    benchmark: str,
    scenario: str,
    label: str,
    cell: str,
    measured: Measured,
    choice: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A record without its schema version and digest, which `record.completed` adds.

    choice: where the settings come from if tuning chose them; other records say nothing of it.
    """
    return {
        "benchmark": benchmark,
        "scenario": scenario,
        **unlearned.as_dict(),
        "method": label,
        **dataclasses.asdict(measured),
        **({} if choice is None else {"choice": dict(choice)}),
        "cell": cell,
        "unlearned_hash": state_hash(unlearned.model),
        "plugin": dataclasses.asdict(origin),
        "control": unlearned.unlearner.control,
        "hardware": hardware(),
        "versions": versions(),
        "git_commit": git_commit(),
        "command": command(),
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }
