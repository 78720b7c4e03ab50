"""A store's tables for readers of any kind: one JSON file, one parquet file, and the card."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

from leaderboards.store.aggregate import rows
from leaderboards.store.files import StoreFiles

JSON_FILE = "aggregate.json"
PARQUET_FILE = "aggregate.parquet"
CARD_FILE = "README.md"
SCHEMA_VERSION = 1
_TEXTS = ("board", "scope", "method", "state", "submitter", "verified_by", "verified_at",
          "verified_level", "reason", "hardware", "command", "created", "submission", "precision",
          "source", "part_of", "not_audited", "impostor")  # fmt: skip
_FLAGS = ("control", "reference_row", "paper", "needs_only_forget", "same_recipe")
_LISTS = ("needs", "scenarios", "seeds", "verified_metrics", "notes")
# Of no fixed form, so that a table holds them as JSON.
_OBJECTS = ("hyperparameters", "plugin", "versions", "original", "by_scenario", "audit", "retrains")
_CARD = """---
license: cc0-1.0
pretty_name: Machine unlearning leaderboards
tags:
- machine-unlearning
- leaderboard
configs:
- config_name: leaderboard
  data_files: {parquet}
---
# Machine unlearning leaderboards

Written by `suli leaderboard`; what is edited here by hand is lost. {submissions} submissions.

- `submissions/<id>.json`: what a submitter claims, with every record whole; `<id>` is made of
  board, method and submitter, so that an amended submission takes the place of the first.
- `evidence/<id>/<sha256>`: the logits of each record on the board's sets (`.logits.safetensors.gz`:
  float32 tensors `forget`, `retain`, `test` and `reference`, one row an image), the unlearned
  weights (`.safetensors`), and what an audit looks at (`.features.safetensors`: features of up to
  1,200 images a set, as they are and with BatchNorm's statistics taken again, and the last layer).
- `verdicts/<id>.json`: who computed it again, when, with which versions, and every difference.
- `{json}`: the boards' rows, whole. `{parquet}`: the same as a flat table, a column each for mean,
  standard deviation and number of seeds of a metric (`forget_accuracy_mean`, `_std`, `_n`),
  `claimed_` before what was claimed only; objects are JSON texts. `relearn_updates_above`: updates
  after which relearning was given up for some seeds, which are not in the mean. `audit`: in how
  many tests with power the models are like Retrain, of how many, in all cases together;
  `not_audited` says why there is no audit, `impostor` that one can't tell the model from a control.
  `retrains`: the figures of all trainings by Retrain's recipe, whose own rows say `part_of`.

A row's `state` is `claimed` (nobody has looked), `re-scored` (its metrics were computed again from
its logits or its checkpoints), `reproduced` (the method was run again), `refuted`, or `reported`
(the paper's own figure). A seed's value is the mean over the scenarios; mean and deviation are
over the seeds. Fractions lie in [0, 1].

    suli leaderboard submit runs --board digits.class-wise --to org/results
    suli leaderboard verify org/results --pr 1 --level rerun --merge
"""


def aggregate_files(store: StoreFiles) -> dict[str, bytes]:
    """JSON, parquet and card of a store, by path; the same store gives the same bytes."""
    made = rows(store)
    submissions = sum("submission" in row for row in made)
    whole = {"schema_version": SCHEMA_VERSION, "rows": made}
    card = _CARD.format(json=JSON_FILE, parquet=PARQUET_FILE, submissions=submissions)
    return {
        JSON_FILE: (json.dumps(whole, indent=1, allow_nan=False) + "\n").encode(),
        PARQUET_FILE: parquet(made),
        CARD_FILE: card.encode(),
    }


def parquet(made: Sequence[Mapping[str, Any]]) -> bytes:
    """The rows as a flat table."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    metrics = sorted({name for row in made for name in row["metrics"]})
    columns: dict[str, Any] = {name: [row.get(name) for row in made] for name in _TEXTS}
    columns = {name: pa.array(values, pa.string()) for name, values in columns.items()}
    for name in _FLAGS:
        columns[name] = pa.array([bool(row.get(name)) for row in made], pa.bool_())
    columns["n"] = pa.array([row.get("n") for row in made], pa.int64())
    for name in (*_LISTS, *_OBJECTS):
        columns[name] = pa.array([_text(row.get(name)) for row in made], pa.string())
    spreads = {"gap_to_retrain": [row.get("gap_to_retrain") for row in made]}
    for name in metrics:
        spreads[name] = [row["metrics"].get(name) for row in made]
        spreads[f"claimed_{name}"] = [row.get("claimed_metrics", {}).get(name) for row in made]
    for name, values in spreads.items():
        for part, kind in (("mean", pa.float64()), ("std", pa.float64()), ("n", pa.int64())):
            parts = [None if value is None else value[part] for value in values]
            columns[f"{name}_{part}"] = pa.array(parts, kind)
        above = [None if value is None else value.get("above") for value in values]
        if any(bound is not None for bound in above):
            columns[f"{name}_above"] = pa.array(above, pa.float64())
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink, compression="zstd")
    return sink.getvalue()


def _text(value: Any) -> str | None:
    return None if value is None else json.dumps(value, sort_keys=True)
