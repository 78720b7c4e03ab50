"""Write an unlearned checkpoint: weights, config, model card, evaluation results, receipt."""

from __future__ import annotations

import dataclasses
import hashlib
import re
import shlex
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmark_adapters.command_line.without_tokens import without_tokens
from benchmark_adapters.deletion.checkpoint_files import CARD, EVAL_RESULTS, LICENCE, RECEIPT
from benchmark_adapters.deletion.forgotten_before import block_of
from benchmark_adapters.deletion.model_card import card, said
from benchmark_adapters.deletion.options import DataOptions
from benchmark_adapters.deletion.receipt import facts_of, write_receipt
from benchmark_adapters.deletion.request import DeletionRequest, Fulfilled
from benchmark_adapters.deletion.wording import forgotten_named
from benchmark_adapters.originals.checkpoints import CheckpointConfig, write_checkpoint
from benchmark_adapters.originals.layouts import PROCESSOR
from benchmark_adapters.originals.load import LoadedOriginal
from benchmark_adapters.originals.whole_folder import whole_folder


def write_unlearned(
    folder: Path,
    request: DeletionRequest,
    outcome: Fulfilled,
    options: DataOptions,
    *,
    given: Mapping[str, Any] | None = None,
    place: str | None = None,
    sign: Callable[[Path], None] = lambda folder: None,
    force: bool = False,
) -> dict[str, Any]:
    """Write the checkpoint whole or not at all; the facts of its receipt.

    given: what was said about the original beyond its name. place: the repository that it will
    be pushed to. sign: adds a signature to the folder, which is otherwise whole. Raises
    ValueError if something is there and is not to be replaced, and where writing fails.
    """
    with whole_folder(folder, force=force) as unfinished:
        facts = facts_of(
            request, outcome, options, given=given or {}, command=publishable_command(sys.argv)
        )
        config = unlearned_config(request, facts)
        facts["result"]["sha256"] = write_checkpoint(unfinished, outcome.unlearned.model, config)
        for name, text in {**handed_on(request.original), **eval_results(facts)}.items():
            (unfinished / name).parent.mkdir(exist_ok=True)
            (unfinished / name).write_text(text, encoding="utf-8")
        (unfinished / CARD).write_text(card(facts, place or folder.name), encoding="utf-8")
        facts["card"] = hashlib.sha256(said(facts).encode()).hexdigest()
        write_receipt(unfinished, facts)
        sign(unfinished)
    return facts


def handed_on(original: LoadedOriginal) -> dict[str, str]:
    """The original's own files that go with its weights wherever they go, by name."""
    texts = {LICENCE: original.licence_text, PROCESSOR: original.processor_text}
    return {name: text for name, text in texts.items() if text is not None}


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


def unlearned_config(request: DeletionRequest, facts: Mapping[str, Any]) -> CheckpointConfig:
    """config.json of the unlearned checkpoint: the original's, and what was done to it."""
    config, names = request.original.config, request.data.base.class_names
    return dataclasses.replace(
        config, classes=config.classes or (names or None), unlearning=unlearning_block(facts)
    )


def unlearning_block(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What config.json says of the unlearning, from a receipt's facts."""
    original, record, forgotten = facts["original"], facts["record"], facts["forget_set"]
    return {
        "method": record["method"],
        "hyperparameters": record["hyperparameters"],
        "scope": record["scope"],
        "seed": record["seed"],
        "forget_classes": forgotten["classes"],
        "forget_count": forgotten["count"],
        "forget_set_hash": forgotten["sha256"],
        "original": {key: original[key] for key in ("source", "commit", "sha256")},
        "suli_plugin": record["versions"]["suli-plugin"],
        "receipt": RECEIPT,
        "forgotten_before": block_of(facts),
    }


def eval_results(facts: Mapping[str, Any]) -> dict[str, str]:
    """The Hub's own evaluation results by their file's name; none for a dataset in a folder."""
    data, record = facts["dataset"], facts["record"]
    if data["commit"] is None:
        return {}
    try:
        from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml
    except ImportError:
        return {}  # a client older than these entries; the receipt has all of it
    from huggingface_hub.utils import yaml_dump  # type: ignore[attr-defined]  # lazily exported

    after = f"after {record['method']} was to forget {forgotten_named(facts['forget_set'])}"
    entries = [
        EvalResultEntry(
            dataset_id=data["source"],
            task_id=name,
            value=value,
            dataset_revision=data["commit"],
            date=record["created"],
            notes=f"{after}; a fraction; {facts['original_metrics'][name]:.4f} before",
        )
        for name, value in record["metrics"].items()
    ]
    name = re.sub(r"[^\w.-]", "-", data["source"].partition("/")[2])
    return {f"{EVAL_RESULTS}/{name}.yaml": yaml_dump(eval_result_entries_to_yaml(entries))}
