"""Verify a receipt: compute again what can be had, and name what does not match."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from accelerate import Accelerator

from benchmark_adapters.deletion.data import DeletionData, load_deletion_data
from benchmark_adapters.deletion.forgotten_before import ForgottenBefore
from benchmark_adapters.deletion.measures import answers_of, metrics_of
from benchmark_adapters.deletion.receipt import (
    RECEIPT,
    check_receipt,
    file_hashes,
    options_of,
    read_receipt,
)
from benchmark_adapters.images.sample_names import OtherContent
from benchmark_adapters.originals.checkpoints import WEIGHTS
from benchmark_adapters.originals.load import LoadedOriginal, load_original
from benchmark_adapters.records.provenance import state_hash
from benchmark_adapters.splits.split import SplitMismatch
from suli_plugin.failure import Gone

State = Literal["matches", "differs", "not checked"]
# Another processor may turn a prediction or two, and the attack's regression a little.
TOLERANCE = {"mia_accuracy": 0.02, "mia_auc": 0.02}
ACCURACY_TOLERANCE = 0.002


@dataclass(frozen=True)
class Check:
    """One thing that a receipt says: what, whether it holds, and the detail."""

    what: str
    state: State
    detail: str = ""


def verify_receipt(
    folder: Path,
    *,
    model: str | None = None,
    dataset: str | None = None,
    accelerator: Accelerator | None = None,
) -> list[Check]:
    """Check a checkpoint's files, its weights, the original, the data, and the metrics on them.

    model, dataset: where original and data are, if not where the receipt says; for folders they
    must be given. Raises ValueError if the folder holds no receipt that can be read.
    """
    receipt = read_receipt(folder)
    checks = [_receipt(receipt), *_files(folder, receipt)]
    result, said = _result(folder, receipt)
    checks.append(said)
    original, said = _original(receipt, model, result)
    checks.append(said)
    data, more = _data(receipt, dataset, result, accelerator)
    checks += more
    for name, loaded, claimed in (
        ("metrics of the unlearned model", result, receipt["record"].get("metrics")),
        ("metrics of the original", original, receipt["original_metrics"]),
    ):
        checks.append(_metrics(name, loaded, claimed, data, receipt, accelerator))
    return checks


def _receipt(receipt: Mapping[str, Any]) -> Check:
    try:
        check_receipt(receipt)
    except (KeyError, TypeError, ValueError) as error:
        return Check(RECEIPT, "differs", str(error))
    return Check(RECEIPT, "matches", "whole, and in agreement with its record")


def _files(folder: Path, receipt: Mapping[str, Any]) -> Iterator[Check]:
    wanted = {WEIGHTS: receipt["result"]["sha256"], **receipt["files"]}
    found = file_hashes(folder, besides=(RECEIPT,))
    for name, promised in wanted.items():
        if name not in found:
            yield Check(name, "differs", "the file is missing")
        else:
            yield _hashes(name, promised, found[name])
    for name in sorted(found.keys() - wanted.keys()):
        yield Check(name, "not checked", "the receipt does not name this file")


def _hashes(what: str, promised: object, found: str, of: str = "sha256") -> Check:
    if promised == found:
        return Check(what, "matches", f"{of} {found[:12]}...")
    return Check(what, "differs", f"{of} is {found[:12]}..., the receipt has {promised!s:.12}...")


def _result(folder: Path, receipt: Mapping[str, Any]) -> tuple[LoadedOriginal | None, Check]:
    what = "weights as loaded"
    try:
        loaded = load_original(folder)
    except ValueError as error:
        return None, Check(what, "differs", str(error))
    promised = receipt["result"]["state_hash"]
    return loaded, _hashes(what, promised, state_hash(loaded.model), "state hash")


def _original(
    receipt: Mapping[str, Any], model: str | None, result: LoadedOriginal | None
) -> tuple[LoadedOriginal | None, Check]:
    told, what = receipt["original"], "original"
    if model is None and told["folder"]:
        return None, _unknown(what, f"it is a folder {told['source']!r}; say where with --model")
    place = model or f"{told['source']}@{told['commit']}"
    try:
        loaded = load_original(place, **told["given"])
    except (TypeError, ValueError) as error:
        return None, _unknown(what, str(error))
    if loaded.sha256 == told["sha256"]:
        return loaded, _hashes(what, told["state_hash"], state_hash(loaded.model), "state hash")
    return None, _hashes(f"{what} ({loaded.weights_file})", told["sha256"], loaded.sha256)


def _data(
    receipt: Mapping[str, Any],
    dataset: str | None,
    result: LoadedOriginal | None,
    accelerator: Accelerator | None,
) -> tuple[DeletionData | None, list[Check]]:
    """The data, if they are those of the receipt, and what was found out about each set."""
    told = receipt["dataset"]
    if dataset is None and told["folder"]:
        name = told["options"].get("dataset")
        return None, [_unknown("forget set", f"it is a folder {name!r}; say where with --dataset")]
    if result is None:
        return None, [_unknown("forget set", "the checkpoint could not be loaded")]
    config = result.config
    try:
        data = load_deletion_data(
            options_of(receipt, dataset),
            mean=config.mean,
            std=config.std,
            classes=config.classes,
            before=ForgottenBefore.from_list(receipt["forgotten_before"]),
            accelerator=accelerator,
        )
    except Gone as error:
        return None, [_unknown("forget set", f"these data are gone: {error}")]
    except (SplitMismatch, OtherContent) as error:
        return None, [Check("forget set", "differs", str(error))]
    except (OSError, TypeError, ValueError) as error:
        return None, [_unknown("forget set", str(error))]
    checks = [
        _hashes(f"{name} set", of["sha256"], data.hashes[name])
        if name in data.hashes
        else Check(f"{name} set", "differs", "these data have no such set")
        for name, of in told["sets"].items()
    ]
    whole = all(check.state == "matches" for check in checks)
    return data if whole else None, checks


def _metrics(
    what: str,
    loaded: LoadedOriginal | None,
    claimed: Any,
    data: DeletionData | None,
    receipt: Mapping[str, Any],
    accelerator: Accelerator | None,
) -> Check:
    if loaded is None or data is None:
        missing = "the model" if loaded is None else "the data"
        return _unknown(what, f"{missing} could not be had, or differ")
    accelerator = accelerator or Accelerator()
    answers = answers_of(loaded.model, data, accelerator)
    found = metrics_of(answers, data, seed=receipt["record"]["seed"])
    return compared(what, claimed, found)


def compared(what: str, claimed: Any, found: Mapping[str, float]) -> Check:
    """Whether claimed metrics are those that were found, within what hardware explains."""
    if not isinstance(claimed, Mapping):
        return Check(what, "differs", "the receipt has none")
    wrong = [
        f"{name} is {found.get(name, 'not measurable')}, the receipt has "
        f"{claimed.get(name, 'none')}"
        for name in sorted({*claimed, *found})
        if not _close(name, claimed.get(name), found.get(name))
    ]
    if wrong:
        return Check(what, "differs", "; ".join(wrong))
    return Check(what, "matches", ", ".join(f"{name} {value:.4f}" for name, value in found.items()))


def _close(name: str, claimed: object, found: float | None) -> bool:
    if found is None or not isinstance(claimed, (int, float)):
        return False
    return abs(claimed - found) <= TOLERANCE.get(name, ACCURACY_TOLERANCE)


def _unknown(what: str, why: str) -> Check:
    return Check(what, "not checked", why)
