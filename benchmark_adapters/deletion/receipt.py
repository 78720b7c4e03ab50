"""`unlearning.json`, the receipt of an unlearned checkpoint: what was done to what, with hashes.

format           the version of this layout
original         where it is from, at which commit, sha256 of its file, state_hash of its weights
dataset          the same of the data, and split, count and sha256 of every set
forget_set       count, sha256, and the classes or the ids; where those are rows, the SHA-256 of
                 each encoded image by its id (contents)
result           sha256 of the file of weights, state_hash
card             sha256 of README.md without its last section, which names its place
files            sha256 of every other file of the checkpoint
reads            the resources that the method read
original_metrics the original's, on the same data as the record's `metrics`
parent           sha256 of the file of the original's own receipt, null where it has none
forgotten_before what earlier requests made the original forget, the oldest first
came_back        of that, the accuracies that rose, before and after
requests         where several share the forget set: each one's name, date and forget set
after_each       what was measured after each of them, on it and on those before it
kept_classes     the accuracy on each class that was kept, before and after
judgement        what was accepted, and whether the outcome is that (`judgement`)
not_measured     what was not measured, and why
record           the run's record, as a benchmark's (`record.KEYS`)
versions         of the libraries that read and write data
digest           SHA-256 over everything else

`receipt_fields` has every field of every part, and how to add one.
Folders are named by their last part alone, since receipts are published.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmark_adapters.deletion.checkpoint_files import (
    AUDIT,
    CARD,
    RECEIPT,
    RECEIPT_LIMIT,
    SIGNATURE,
    file_hashes,
)
from benchmark_adapters.deletion.contradictions import contradictions
from benchmark_adapters.deletion.data import DeletionData
from benchmark_adapters.deletion.judgement import judgement_of, risen
from benchmark_adapters.deletion.options import DataOptions
from benchmark_adapters.deletion.places import source_and_split
from benchmark_adapters.deletion.receipt_fields import DATA_LIBRARIES, FORMAT, check_fields
from benchmark_adapters.deletion.request import DeletionRequest, Fulfilled
from benchmark_adapters.images.base_data import BaseData
from benchmark_adapters.images.sample_names import HASH
from benchmark_adapters.originals.checkpoints import WEIGHTS
from benchmark_adapters.records.record import check_record, completed, digest, write_atomically
from benchmark_adapters.records.strict_json import strict_json
from benchmark_adapters.splits.split import Split

# Files with a hash elsewhere in the receipt, and those that it can't have one of.
BY_THEMSELVES = (WEIGHTS, RECEIPT, CARD, SIGNATURE, AUDIT)


def facts_of(
    request: DeletionRequest,
    outcome: Fulfilled,
    options: DataOptions,
    *,
    given: Mapping[str, Any],
    command: str,
) -> dict[str, Any]:
    """All of a receipt but the hashes of files. given: said about the original."""
    facts = {
        "format": FORMAT,
        **parts_of(request, options, given, outcome.record["original_hash"]),
        "result": {"weights_file": WEIGHTS, "state_hash": outcome.record["unlearned_hash"]},
        "original_metrics": outcome.original_metrics,
        "kept_classes": [vars(each) for each in outcome.kept],
        "parent": request.data.before.receipt,
        "after_each": outcome.after_each,
        "came_back": risen(outcome.original_metrics, outcome.record["metrics"]),
        "judgement": {"at_most": request.at_most},
        "record": _record(request, outcome, command),
        "versions": {name: version(name) for name in DATA_LIBRARIES},
    }
    return facts | {"judgement": judgement_of(facts)}


def parts_of(
    request: DeletionRequest, options: DataOptions, given: Mapping[str, Any], original_hash: str
) -> dict[str, Any]:
    """The parts of a receipt that request and data decide, whatever the run does."""
    return {
        "original": _original(request, given, original_hash),
        "dataset": _dataset(request, options),
        "forget_set": _forget_set(request),
        "requests": [step.as_dict() for step in request.data.steps],
        "forgotten_before": request.data.before.as_list(),
        "not_measured": request.not_measured,
        "reads": list(request.reads),
    }


def write_receipt(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write the receipt of a checkpoint whose other files are all there."""
    receipt = {**facts, "files": file_hashes(folder, besides=BY_THEMSELVES)}
    receipt["digest"] = digest(receipt)
    text = json.dumps(receipt, indent=1, allow_nan=False, ensure_ascii=False)
    write_atomically(folder / RECEIPT, text + "\n")


def read_receipt(folder: Path) -> dict[str, Any]:
    """A receipt whose fields are all there; whether they are true is `check_receipt`'s to say.

    Raises ValueError that names the file, the field and what is wrong.
    """
    path = folder / RECEIPT
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{folder} holds no receipt ({RECEIPT}): {error.strerror}") from error
    return checked_fields(data, str(path))


def checked_fields(data: bytes, name: str) -> dict[str, Any]:
    """The receipt in a file's bytes, if its fields are all there. name: of the file.

    Raises ValueError.
    """
    receipt: dict[str, Any] = strict_json(data, name, limit=RECEIPT_LIMIT, hidden=True)
    try:
        check_fields(receipt)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    return receipt


def check_receipt(receipt: Mapping[str, Any]) -> None:
    """Raise ValueError if the receipt was altered or contradicts itself."""
    if receipt["digest"] != digest(dict(receipt)):
        raise ValueError("its digest does not match: it was cut or altered")
    check_record(receipt["record"])
    found = list(contradictions(receipt))
    if found:
        raise ValueError("; ".join(found))


def options_of(receipt: Mapping[str, Any], dataset: str | None = None) -> DataOptions:
    """The options that find the receipt's data again. dataset: another place of the same."""
    values = dict(receipt["dataset"]["options"])
    if receipt["dataset"]["stored_split"] is None:
        values["forget_ids"] = [] if values["forget_where"] else _named_ids(receipt["forget_set"])
    return DataOptions.from_dict({**values, "dataset": dataset or values["dataset"]})


def _named_ids(forget_set: Mapping[str, Any]) -> list[str]:
    """The ids as a list of names has them, with the hashes of their contents where there are."""
    contents = forget_set["contents"]
    return [
        f"{name}\t{HASH}{contents[name]}" if name in contents else name
        for name in forget_set["ids"]
    ]


def short_name(source: str) -> str:
    """A repository as it is, of a folder only its name."""
    return Path(source).resolve().name if Path(source).exists() else source


def _original(
    request: DeletionRequest, given: Mapping[str, Any], original_hash: str
) -> dict[str, Any]:
    original = request.original
    return {
        **original.provenance(),
        "source": _source(request),
        "folder": original.commit is None,
        "state_hash": original_hash,
        "license": original.config.license,
        "given": dict(given),
    }


def _record(request: DeletionRequest, outcome: Fulfilled, command: str) -> dict[str, Any]:
    """The run's record with this command line; of a folder it names the last part alone."""
    named = {**outcome.record["original"], "source": _source(request)}
    return completed({**outcome.record, "command": command, "original": named})


def _source(request: DeletionRequest) -> str:
    original = request.original
    return short_name(original.source) if original.commit is None else original.source


def _dataset(request: DeletionRequest, options: DataOptions) -> dict[str, Any]:
    data = request.data
    base, split = data.base, data.split
    folder = (base.revision if split is None else split.revision) is None
    return {
        "source": base.source if base.revision else short_name(base.source),
        "commit": base.revision,
        "folder": folder,
        "config": base.config,
        "class_order": data.class_order,
        "options": _options(data, options),
        "sets": {
            name: {
                "split": place.base.split,
                "count": len(place.rows),
                "sha256": data.hashes[name],
            }
            for name, place in data.places.items()
        },
        "stored_split": None if split is None else {"name": split.name, "sha256": split.sha256},
    }


def _options(data: DeletionData, options: DataOptions) -> dict[str, Any]:
    """What finds the data again, with `options_of`."""
    return {
        **options.as_dict(),
        "dataset": _place(options, data.base, data.split),
        # By name, which outlives a place among the names.
        "forget_classes": data.class_names if data.split is None else [],
        # They are in the forget set, once.
        "forget_ids": [],
    }


def _place(options: DataOptions, base: BaseData, split: Split | None) -> str:
    """What finds the data again: `org/name@commit`, of a stored split with `:NAME`, or a folder."""
    if split is None:
        return base.pinned if base.revision else short_name(base.source)
    place, _ = source_and_split(options.dataset)
    if split.revision is None:
        return short_name(place)
    return f"{place.partition('@')[0]}@{split.revision}:{split.name}"


def _forget_set(request: DeletionRequest) -> dict[str, Any]:
    data = request.data
    copies = None if data.copies is None else [vars(copy) for copy in data.copies]
    return {
        "count": len(data.forget),
        "sha256": data.hashes["forget"],
        "classes": list(data.forget_classes),
        "class_names": data.class_names,
        "ids": [] if data.forget_classes else sorted(data.places["forget"].ids()),
        "contents": {} if data.forget_classes else data.places["forget"].contents(),
        "copies": copies,
    }
