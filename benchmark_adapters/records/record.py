"""The record of one cell: a schema-versioned JSON file, written atomically, checked when read."""

from __future__ import annotations

import hashlib
import json
import math
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SCHEMA_VERSION = 2
KEYS = {
    "schema_version": int,
    "benchmark": str,
    "scenario": str,
    "method": str,
    "hyperparameters": dict,
    "seed": int,
    "metrics": dict,
    "seconds": dict,
    "passes": dict,
    "scope": str,
    "case": str,
    "original": dict,
    "options": dict,
    "sizes": dict,
    "set_hashes": dict,
    "stop_reason": str,
    "history": list,
    "precision": str,
    "processes": int,
    "device": str,
    "hardware": str,
    "cell": str,
    "forget_set_hash": str,
    "original_hash": str,
    "unlearned_hash": str,
    "plugin": dict,
    "versions": dict,
    "command": str,
    "created": str,
    "digest": str,
}
# The largest value of the metrics that are no fraction.
LIMITS = {
    "activation_distance": math.sqrt(2) + 1e-6,
    "relearn_updates": math.inf,
    "anamnesis_index": math.inf,
}


def digest(record: dict[str, Any]) -> str:
    """SHA-256 over everything in a record but its digest."""
    rest = {key: value for key, value in record.items() if key != "digest"}
    return hashlib.sha256(canonical(rest).encode()).hexdigest()


def canonical(value: Any) -> str:
    """JSON with sorted keys; raises ValueError for NaN and infinity."""
    return json.dumps(value, sort_keys=True, allow_nan=False, separators=(",", ":"))


def write_record(path: Path, record: dict[str, Any]) -> dict[str, Any]:
    """Write a record with its digest in one atomic step, and return it as a reader has it.

    Raises ValueError for a broken one, and one that a reader would not have as it is.
    """
    text = json.dumps(_with_digest(record), indent=1, allow_nan=False) + "\n"
    written: dict[str, Any] = json.loads(text)
    check_record(written)
    write_atomically(path, text)
    return written


def completed(record: dict[str, Any]) -> dict[str, Any]:
    """The record with its schema version and digest. Raises ValueError for a broken one."""
    whole = _with_digest(record)
    check_record(whole)
    return whole


def _with_digest(record: dict[str, Any]) -> dict[str, Any]:
    whole = {**record, "schema_version": SCHEMA_VERSION}
    return {**whole, "digest": digest(whole)}


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file so that others see the old state or the new one, never a part.

    Text is written as UTF-8. Who may read the file is the umask's to say.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Made by `open`, not by `tempfile`, whose files are for their owner alone.
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with unfinished.open("xb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def read_record(path: Path) -> dict[str, Any]:
    """Read and check a record. Raises ValueError that names the file and what is wrong."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is not a record: {error}") from error
    try:
        check_record(record)
    except ValueError as error:
        raise ValueError(f"{path} is not a whole record: {error}") from error
    checked: dict[str, Any] = record
    return checked


def total_passes(record: Mapping[str, Any]) -> int:
    """Samples forwarded and backwarded, stop checks included."""
    return sum(sum(kind.values()) for kind in record["passes"].values())


def check_record(record: Any) -> None:
    """Raise ValueError for a missing key, a wrong type, a metric out of range, a wrong digest."""
    if not isinstance(record, dict):
        raise ValueError(f"expected an object, got {type(record).__name__}")
    for key, kind in KEYS.items():
        if not isinstance(record.get(key), kind):
            raise ValueError(f"{key!r} must be {kind.__name__}, got {record.get(key)!r:.60}")
    if record["schema_version"] != SCHEMA_VERSION:
        raise ValueError(f"schema version {record['schema_version']}, expected {SCHEMA_VERSION}")
    for name, value in record["metrics"].items():
        limit = LIMITS.get(name, 1)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ValueError(f"metric {name!r} must be a number, got {value!r:.60}")
        if not (math.isfinite(value) and 0 <= value <= limit):
            raise ValueError(f"metric {name!r} must be in [0, {limit:.4g}], got {value!r}")
    if record["digest"] != digest(record):
        raise ValueError("the digest does not match: the file was cut or altered")
