"""What an audit is asked about: what was said, and the rest from the checkpoint's receipt."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from benchmark_adapters.deletion.checkpoint_files import RECEIPT, RECEIPT_LIMIT
from benchmark_adapters.deletion.options import DataOptions
from benchmark_adapters.deletion.places import source_and_split
from benchmark_adapters.deletion.receipt import options_of
from benchmark_adapters.deletion.receipt_fields import check_fields
from benchmark_adapters.deletion.unlearn_options import data_options_of, given_of
from benchmark_adapters.images.base_data import load_base
from benchmark_adapters.originals.places import opened, optional
from benchmark_adapters.records.strict_json import strict_json
from benchmark_adapters.splits.stored import split_names

if TYPE_CHECKING:
    from accelerate import Accelerator

Receipt = Mapping[str, Any]
FORGET = ("classes", "forget_ids", "conditions")
TEST = "test"


@dataclass(frozen=True)
class Asked:
    """original: its source. given: said of it beyond what its files say. receipt: None without.

    notes: lines on what was not said and taken from elsewhere, for a person.
    """

    original: str
    given: Mapping[str, Any]
    data: DataOptions
    receipt: Receipt | None = None
    notes: tuple[str, ...] = ()


def asked(
    checkpoint: str, options: dict[str, Any], said: Collection[str], accelerator: Accelerator
) -> Asked:
    """What the command line says, filled in from the receipt beside the checkpoint.

    options: of the command by name, with said: those that stood on the command line. Raises
    ValueError where neither says it.
    """
    receipt, notes = _receipt(checkpoint)
    data, filled = _data(options, said, receipt)
    data, splits = _with_splits(data, accelerator)
    original = options["original"] or _place(receipt, "original", checkpoint)
    told = given_of(options)
    given = told if told or receipt is None else dict(receipt["original"]["given"])
    if options["original"] is None:
        filled = ["original", *filled]
    if filled:
        notes.append(f"its receipt says: {', '.join(filled)}")
    return Asked(original, given, data, receipt, (*notes, *splits))


def _receipt(checkpoint: str) -> tuple[Receipt | None, list[str]]:
    """The receipt beside a checkpoint, None where there is none that can be read, and notes."""
    files, _ = opened(checkpoint, None, None)
    content = optional(files, RECEIPT)
    if content is None:
        return None, []
    try:
        receipt = strict_json(content, RECEIPT, limit=RECEIPT_LIMIT, hidden=True)
        check_fields(receipt)
    except ValueError as error:
        return None, [f"its receipt is not used: {error}"]
    return receipt, []


def _data(
    options: dict[str, Any], said: Collection[str], receipt: Receipt | None
) -> tuple[DataOptions, list[str]]:
    """The options that find the data, and which of them are the receipt's."""
    dataset = options["dataset"] or _place(receipt, "dataset", "the checkpoint")
    own = data_options_of({**options, "dataset": dataset})
    stored = bool(split_names(source_and_split(dataset)[0]))
    if receipt is None or stored != (receipt["dataset"]["stored_split"] is not None):
        return own, []
    told = options_of(receipt, dataset)
    forget = ("forget_classes", "forget_ids", "forget_where")
    filled = [] if options["dataset"] else ["dataset"]
    changes = {name: getattr(own, name) for name in said if hasattr(own, name)}
    if any(options[name] for name in FORGET):
        changes |= {name: getattr(own, name) for name in forget}
    else:
        filled.append("what was forgotten")
    names = ("retain", "reference", "test")
    filled += [name for name in names if getattr(told, name) and name not in said]
    return replace(told, **changes), filled


def _place(receipt: Receipt | None, part: str, checkpoint: str) -> str:
    """Where the receipt says that original or dataset are. Raises ValueError."""
    if receipt is None:
        raise ValueError(f"say which {part} with --{part}; no receipt ({RECEIPT}) is there to say")
    told = receipt[part]
    if told["folder"]:
        name = told["source"] if part == "original" else told["options"]["dataset"]
        raise ValueError(f"its receipt names a folder {name!r}: say where it is with --{part}")
    if part == "dataset":
        return str(told["options"]["dataset"])
    return f"{told['source']}@{told['commit']}"


def _with_splits(data: DataOptions, accelerator: Accelerator) -> tuple[DataOptions, list[str]]:
    """The options with retained and unseen images, where none are named and the data have them."""
    missing = [name for name in ("retain", "test") if getattr(data, name) is None]
    if not missing or split_names(source_and_split(data.dataset)[0]):
        return data, []
    found: dict[str, Any] = {}
    if "retain" in missing:
        found["retain"] = data.train_split
    if "test" in missing and TEST not in (data.train_split, data.reference):
        names = ("config", "image_column", "label_column", "id_column")
        base = load_base(
            data.dataset,
            split=data.train_split,
            accelerator=accelerator,
            **{name: getattr(data, name) for name in names},
        )
        found |= {"test": TEST} if TEST in base.splits else {}
    told = {
        "retain": f"retained images are the rest of split {data.train_split!r} (--retain)",
        "test": f"unseen images are split {TEST!r} (--test)",
    }
    return replace(data, **found), ["; ".join(told[name] for name in found)] * bool(found)
