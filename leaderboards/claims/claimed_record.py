"""A record as a stranger claims it: of the right form, with evidence that it names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmark_adapters.records.evidence import FEATURES_SUFFIX, LOGITS_SUFFIX, MODEL_SUFFIX
from benchmark_adapters.records.record import KEYS, check_record
from leaderboards.claims.forms import check_form
from suli_plugin.registry import CHOSEN

SUFFIX = {"model": MODEL_SUFFIX, "logits": LOGITS_SUFFIX, "features": FEATURES_SUFFIX}
# Features are for an audit, which older records have none of.
NEEDED = {"model", "logits"}
_PRECISIONS = ("no", "bf16", "fp16")
# What `--compile` asks for; records that were not compiled don't say so.
_COMPILERS = ("inductor",)
# What a record may hold beyond the keys that it must.
_FURTHER = {
    "control", "notes", "git_commit", "compared_with", "same_recipe", "evidence", "compiled",
    "choice",
}  # fmt: skip


def checked_record(record: Any, number: int) -> Mapping[str, Any]:
    """The record, if it is one whole. number: in its submission, for the message of ValueError."""
    try:
        check_record(record)
        _check_parts(record)
    except ValueError as error:
        raise ValueError(f"record {number} of {_said_to_be(record)}: {error}") from error
    checked: Mapping[str, Any] = record
    return checked


def _said_to_be(record: Any) -> str:
    """What a record says it is of, for messages, as far as it can be told."""
    if not isinstance(record, Mapping):
        return "nothing"
    return f"{record.get('scenario')!a:.40}, seed {record.get('seed')!a:.40}"


def _check_parts(record: Mapping[str, Any]) -> None:
    unknown = record.keys() - KEYS.keys() - _FURTHER
    if unknown:
        raise ValueError(f"it has the unknown keys {sorted(unknown)!a:.200}")
    check_form("scenario", record["scenario"])
    check_form("method", record["method"])
    if record["precision"] not in _PRECISIONS:
        raise ValueError(f"precision must be one of {_PRECISIONS}, got {record['precision']!a:.40}")
    if "compiled" in record and record["compiled"] not in _COMPILERS:
        raise ValueError(f"compiled must be one of {_COMPILERS}, got {record['compiled']!a:.40}")
    if isinstance(record["seed"], bool) or record["seed"] < 0:
        raise ValueError(f"seed must be a whole number from 0, got {record['seed']!r:.40}")
    _check_numbers(record["seconds"], "seconds", ("update", "total"))
    for kind in ("forward", "backward"):
        passes = record["passes"].get(kind)
        _check_numbers(passes, f"passes.{kind}", passes if isinstance(passes, dict) else ())
    for name in ("cell", "original_hash", "unlearned_hash", "forget_set_hash"):
        check_form("sha256", record[name])
    if record.get("compared_with") is not None:
        check_form("sha256", record["compared_with"])
    if set(record["plugin"]) != {"plugin", "distribution", "version"}:
        raise ValueError("plugin must name plugin, distribution and version")
    for texts in (record["plugin"], record["versions"], record["set_hashes"]):
        if not all(isinstance(value, str) for value in texts.values()):
            raise ValueError("plugin, versions and set_hashes must hold texts")
    for name in ("control", "same_recipe"):
        if not isinstance(record.get(name) or False, bool):
            raise ValueError(f"{name} must be true or false")
    _check_choice(record)
    _check_evidence(record)


def _check_choice(record: Mapping[str, Any]) -> None:
    """Records of `METHOD@chosen` and no others say which choice their settings are."""
    if record["method"].endswith(f"@{CHOSEN}"):
        if not isinstance(record.get("choice"), dict):
            raise ValueError(f"choice must be an object, got {record.get('choice')!a:.40}")
    elif "choice" in record:
        raise ValueError(f"it has a choice, but is of {record['method']}")


def _check_evidence(record: Mapping[str, Any]) -> None:
    evidence, stem = record.get("evidence"), f"{record['seed']}-{record['cell'][:12]}"
    if not isinstance(evidence, dict) or not NEEDED <= evidence.keys() <= SUFFIX.keys():
        raise ValueError("it has no evidence: run without --no-evidence")
    for key, entry in evidence.items():
        if not isinstance(entry, dict) or entry.keys() != {"file", "sha256"}:
            raise ValueError(f"evidence.{key} must name file and sha256")
        if entry["file"] != stem + SUFFIX[key]:
            raise ValueError(
                f"evidence.{key}.file must be {stem + SUFFIX[key]}, got {entry['file']!a:.80}"
            )
        check_form("sha256", entry["sha256"])


def _check_numbers(values: Any, what: str, names: Any) -> None:
    if not isinstance(values, dict):
        raise ValueError(f"{what} must be an object")
    for name in names:
        value = values.get(name)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
            raise ValueError(f"{what}.{name:.40} must be a number from 0, got {value!a:.40}")
