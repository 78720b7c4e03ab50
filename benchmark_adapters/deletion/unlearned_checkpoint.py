"""Write an unlearned checkpoint: weights, config, model card, evaluation results, receipt."""

from __future__ import annotations

import dataclasses
import os
import re
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmark_adapters.command_line.without_tokens import without_tokens
from benchmark_adapters.deletion.forgotten_before import block_of
from benchmark_adapters.deletion.model_card import card
from benchmark_adapters.deletion.options import DataOptions
from benchmark_adapters.deletion.receipt import RECEIPT, facts_of, short_name, write_receipt
from benchmark_adapters.deletion.request import DeletionRequest, Fulfilled
from benchmark_adapters.originals.checkpoints import (
    CheckpointConfig,
    whole_folder,
    write_checkpoint,
)
from benchmark_adapters.originals.layouts import PROCESSOR

CARD = "README.md"
LICENCE = "LICENSE"
EVAL_RESULTS = ".eval_results"


def write_unlearned(
    folder: Path,
    request: DeletionRequest,
    outcome: Fulfilled,
    options: DataOptions,
    *,
    given: Mapping[str, Any] | None = None,
    place: str | None = None,
    force: bool = False,
) -> dict[str, Any]:
    """Write the checkpoint whole or not at all; the facts of its receipt.

    given: what was said about the original beyond its name. place: the repository that it will
    be pushed to. Raises ValueError if something is there and is not to be replaced, and where
    writing fails.
    """
    with whole_folder(folder, force=force) as unfinished:
        config = _config(request, outcome)
        sha256 = write_checkpoint(unfinished, outcome.unlearned.model, config)
        facts = facts_of(
            request,
            outcome,
            options,
            given=given or {},
            command=publishable_command(sys.argv),
            weights_sha256=sha256,
        )
        if request.original.licence_text is not None:
            (unfinished / LICENCE).write_text(request.original.licence_text, encoding="utf-8")
        if request.original.processor_text is not None:
            (unfinished / PROCESSOR).write_text(request.original.processor_text, encoding="utf-8")
        (unfinished / CARD).write_text(card(facts, place or folder.name), encoding="utf-8")
        _write_eval_results(unfinished, facts)
        write_receipt(unfinished, facts)
    return facts


def publishable_command(arguments: list[str]) -> str:
    """The command line without tokens, and of each path that leads elsewhere only its name."""

    def shortened(argument: str) -> str:
        option, equals, value = argument.partition("=")
        if equals and option.startswith("--"):
            return f"{option}={shortened(value)}"
        path = Path(argument).expanduser()
        return path.name if path.is_absolute() or ".." in path.parts else argument

    program, *rest = arguments
    named = [Path(program).name, *map(shortened, rest)]
    return without_tokens(shlex.join(named))


def _config(request: DeletionRequest, outcome: Fulfilled) -> CheckpointConfig:
    original, record = request.original, outcome.record
    names = request.data.base.class_names
    return dataclasses.replace(
        original.config,
        classes=original.config.classes or (names or None),
        unlearning={
            "method": record["method"],
            "hyperparameters": record["hyperparameters"],
            "scope": record["scope"],
            "seed": record["seed"],
            "forget_classes": list(request.data.forget_classes),
            "forget_count": len(request.data.forget),
            "forget_set_hash": record["forget_set_hash"],
            "original": {
                "source": short_name(original.source)
                if original.commit is None
                else original.source,
                "commit": original.commit,
                "sha256": original.sha256,
            },
            "suli_plugin": record["versions"]["suli-plugin"],
            "receipt": RECEIPT,
            "forgotten_before": block_of({"forgotten_before": request.data.before.as_list()}),
        },
    )


def _write_eval_results(folder: Path, facts: Mapping[str, Any]) -> None:
    """The Hub's own evaluation results, which name a dataset of the Hub; none for a folder's."""
    data, record = facts["dataset"], facts["record"]
    if data["commit"] is None:
        return
    try:
        from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml
    except ImportError:
        return  # a client older than these entries; the receipt has all of it
    from huggingface_hub.utils import yaml_dump  # type: ignore[attr-defined]  # lazily exported

    what = (
        ", ".join(facts["forget_set"]["class_names"]) or f"{facts['forget_set']['count']} samples"
    )
    entries = [
        EvalResultEntry(
            dataset_id=data["source"],
            task_id=name,
            value=value,
            dataset_revision=data["commit"],
            date=record["created"],
            notes=f"after {record['method']} was to forget {what}; a fraction; "
            f"{facts['original_metrics'][name]:.4f} before",
        )
        for name, value in record["metrics"].items()
    ]
    name = re.sub(r"[^\w.-]", "-", data["source"].partition("/")[2])
    path = folder / EVAL_RESULTS / f"{name}.yaml"
    os.makedirs(path.parent)
    path.write_text(yaml_dump(eval_result_entries_to_yaml(entries)), encoding="utf-8")
