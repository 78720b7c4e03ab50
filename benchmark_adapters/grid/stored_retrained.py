"""A retrained model of an earlier cell, as a run folder keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmark_adapters.grid.retrains import RETRAIN, same_recipe
from benchmark_adapters.metrics.panel import relearned
from benchmark_adapters.metrics.relearn_time import RelearnTime
from benchmark_adapters.records.evidence import evidence_path
from benchmark_adapters.records.record import read_record


@dataclass(frozen=True)
class StoredRetrained:
    """A retrained model of an earlier cell: the hash of its weights, its relearn time, evidence."""

    hash: str
    relearn: RelearnTime | None
    logits: Path
    sha256: str
    features: Path | None = None


def find_retrained(
    folder: Path, benchmark: str, scenario: str, seed: int, case: str
) -> StoredRetrained | None:
    """The last record of Retrain on this very case below a run folder whose logits were kept.

    One that did not have the original's recipe is no yardstick and not found.
    """
    found = []
    for path in (folder / benchmark / scenario / RETRAIN).glob(f"{seed}-*.json"):
        try:
            record = read_record(path)
        except ValueError:
            continue
        logits = evidence_path(path, record, "logits")
        yardstick = same_recipe(record["original"].get("recipe"), record["hyperparameters"])
        if record["case"] == case and logits is not None and yardstick:
            features = evidence_path(path, record, "features")
            found.append((record["created"], str(path), record, logits, features))
    if not found:
        return None
    _, _, record, logits, features = max(found, key=lambda item: item[:2])
    sha256 = record["evidence"]["logits"]["sha256"]
    relearn = relearned(record["metrics"])
    return StoredRetrained(record["unlearned_hash"], relearn, logits, sha256, features)
