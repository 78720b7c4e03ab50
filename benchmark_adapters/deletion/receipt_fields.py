"""The fields of a receipt, every one of them; what does not fit is refused with the field's name.

To add a field: write it where `receipt.facts_of` makes its part, and give it one line in the
table of that part here, with what it must be. An option of `DataOptions` needs no line, its type
says it. Every field is there in every receipt, so that a dropped one is noticed: use `or_null`
and write null where there is nothing to say. Once a release has been made since FORMAT was last
raised, raise it with the field, since older receipts lack it. A field that a run decides belongs
into `record`; one that request and data decide into the other parts, which `receipt_check` makes
again from original and data and compares.
"""

from __future__ import annotations

from typing import Any, get_args

from benchmark_adapters.deletion.judgement import EARLIER_CLASSES, EARLIER_IDS, UNSEEN, VERDICTS
from benchmark_adapters.deletion.measures import KeptClass
from benchmark_adapters.deletion.options import DataOptions
from benchmark_adapters.deletion.places import SetName
from benchmark_adapters.originals.checkpoints import WEIGHTS
from benchmark_adapters.records.json_fields import (
    COMMIT,
    COUNT,
    FLAG,
    JSON,
    MOMENT,
    NULL,
    NUMBER,
    SECONDS,
    SHA256,
    TEXT,
    Check,
    an_object,
    listed,
    named,
    of_dataclass,
    one_of,
    or_null,
)
from benchmark_adapters.records.provenance import LIBRARIES
from benchmark_adapters.records.record import SCHEMA_VERSION
from benchmark_adapters.splits.copies import Duplicate
from suli_plugin.history import HistoryEntry
from suli_plugin.registry import Origin
from suli_plugin.unlearner import RESOURCES, SCOPES

# 3: a receipt names its parent's hash and what came back. 2 has all of it but these, and is read.
FORMAT = "suli-receipt/3"
WITHOUT_PARENT = "suli-receipt/2"
# Those that read and write data, beside the record's.
DATA_LIBRARIES = ("suli-plugin", "datasets", "huggingface-hub", "pillow", "safetensors")
SETS: tuple[str, ...] = get_args(SetName)

_GIVEN = an_object(
    {},
    {
        "architecture": TEXT,
        "num_classes": COUNT,
        "classes": listed(TEXT),
        "mean": listed(NUMBER),
        "std": listed(NUMBER),
    },
)
_ORIGINAL = {
    "source": TEXT,
    "commit": or_null(COMMIT),
    "folder": FLAG,
    "weights_file": TEXT,
    "sha256": SHA256,
    "state_hash": SHA256,
    "license": or_null(TEXT),
    "given": _GIVEN,
}
_DATASET = {
    "source": TEXT,
    "commit": or_null(COMMIT),
    "folder": FLAG,
    "config": or_null(TEXT),
    "class_order": or_null(named(COUNT)),
    "options": of_dataclass(DataOptions),
    "sets": named(an_object({"split": TEXT, "count": COUNT, "sha256": SHA256}), among=SETS),
    "stored_split": or_null(an_object({"name": TEXT, "sha256": SHA256})),
}
_FORGET_SET = {
    "count": COUNT,
    "sha256": SHA256,
    "classes": listed(COUNT),
    "class_names": listed(TEXT),
    "ids": listed(TEXT),
    "contents": named(SHA256),
    "copies": or_null(listed(of_dataclass(Duplicate))),
}
_EARLIER = {
    "method": TEXT,
    "count": COUNT,
    "sha256": SHA256,
    "classes": listed(COUNT),
    "class_names": listed(TEXT),
    "ids": or_null(listed(TEXT)),
}
_CHANGE = {"original": NUMBER, "unlearned": NUMBER}
_JUDGEMENT = {
    "at_most": NUMBER,
    "unseen": or_null(NUMBER),
    "unseen_set": or_null(one_of(*UNSEEN)),
    "verdict": one_of(*VERDICTS),
}
_RESULT = {"weights_file": one_of(WEIGHTS), "sha256": SHA256, "state_hash": SHA256}
_RECORD = {
    "schema_version": one_of(SCHEMA_VERSION),
    "benchmark": TEXT,
    "scenario": TEXT,
    "method": TEXT,
    "control": FLAG,
    "hyperparameters": named(JSON),
    "scope": one_of(*SCOPES),
    "seed": COUNT,
    "metrics": named(NUMBER),
    "history": listed(of_dataclass(HistoryEntry)),
    "stop_reason": TEXT,
    "seconds": an_object({"update": SECONDS, "total": SECONDS}),
    "passes": an_object({"forward": named(COUNT), "backward": named(COUNT)}),
    "notes": named(JSON),
    "precision": one_of("no", "bf16", "fp16"),
    "processes": COUNT,
    "device": TEXT,
    "hardware": TEXT,
    "case": SHA256,
    "cell": SHA256,
    "original": an_object(
        {
            "kind": one_of("published"),
            "source": TEXT,
            "commit": or_null(COMMIT),
            "weights_file": TEXT,
            "sha256": SHA256,
        }
    ),
    "options": an_object({}),
    "sizes": named(COUNT, among=SETS),
    "set_hashes": named(SHA256, among=SETS),
    "forget_set_hash": SHA256,
    "original_hash": SHA256,
    "unlearned_hash": SHA256,
    # A request has no Retrain to compare with, and the checkpoint is its evidence.
    "compared_with": NULL,
    "same_recipe": NULL,
    "evidence": NULL,
    "plugin": of_dataclass(Origin),
    "versions": an_object(dict.fromkeys(("python", *LIBRARIES), TEXT)),
    "git_commit": or_null(TEXT),
    "command": TEXT,
    "created": MOMENT,
    "digest": SHA256,
}
# Said where it is so; that it is not dropped is in the cell's hash.
_SOMETIMES = {"compiled": TEXT}
_OLDER = {
    "format": one_of(WITHOUT_PARENT),
    "original": an_object(_ORIGINAL),
    "dataset": an_object(_DATASET),
    "forget_set": an_object(_FORGET_SET),
    "result": an_object(_RESULT),
    "card": SHA256,
    "files": named(SHA256),
    "original_metrics": named(NUMBER),
    "forgotten_before": listed(an_object(_EARLIER)),
    "kept_classes": listed(of_dataclass(KeptClass)),
    "judgement": an_object(_JUDGEMENT),
    "not_measured": named(TEXT),
    "reads": listed(one_of(*RESOURCES)),
    "record": an_object(_RECORD, _SOMETIMES),
    "versions": an_object(dict.fromkeys(DATA_LIBRARIES, TEXT)),
    "digest": SHA256,
}
_REQUEST = {
    "name": TEXT,
    "date": TEXT,
    "count": COUNT,
    "sha256": SHA256,
    "classes": listed(COUNT),
    "class_names": listed(TEXT),
    "ids": listed(TEXT),
}
_RATE = {
    "request": TEXT,
    "forget_accuracy": NUMBER,
    "test_forget_accuracy": or_null(NUMBER),
}
_AFTER = {
    "state_hash": SHA256,
    "stop_reason": TEXT,
    "seconds": an_object({"update": SECONDS, "total": SECONDS}),
    "metrics": named(NUMBER),
    "measured": listed(an_object(_RATE)),
    "came_back": named(an_object(_CHANGE)),
}
_RECEIPT = {
    **_OLDER,
    "format": one_of(FORMAT),
    "parent": or_null(SHA256),
    "came_back": named(an_object(_CHANGE), among=(*EARLIER_CLASSES, EARLIER_IDS)),
    "requests": listed(an_object(_REQUEST)),
    "after_each": listed(an_object(_AFTER)),
}
_CHECKS: dict[str, Check] = {FORMAT: an_object(_RECEIPT), WITHOUT_PARENT: an_object(_OLDER)}


def check_fields(receipt: Any) -> None:
    """Raise ValueError, which names the field, unless all fields are there and as they must be.

    Another format is told first: its fields would be misread.
    """
    found = receipt.get("format") if isinstance(receipt, dict) else None
    found = found if isinstance(found, str) else ""
    if found.startswith("suli-receipt/") and found not in _CHECKS:
        raise ValueError(
            f"it has the format {found!r}, this version reads {FORMAT!r} and {WITHOUT_PARENT!r}; "
            f"verify it with the version of suli-plugin that wrote it"
        )
    _CHECKS.get(found, _CHECKS[FORMAT])(receipt, "")
