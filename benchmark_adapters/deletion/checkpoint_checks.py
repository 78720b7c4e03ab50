"""What can be checked of an unlearned checkpoint by itself: its files, and what they say."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmark_adapters.deletion.check import Check, hashes, same_text, unknown
from benchmark_adapters.deletion.checkpoint_files import (
    AUDIT,
    CARD,
    EVAL_RESULTS,
    RECEIPT,
    SIGNATURE,
    checkpoint_files,
    file_hashes,
)
from benchmark_adapters.deletion.judgement import accepted, outcome
from benchmark_adapters.deletion.model_card import parted, said
from benchmark_adapters.deletion.quoted_audit import audit_check, quotes_as_it_is, without_quote
from benchmark_adapters.deletion.receipt import BY_THEMSELVES, check_receipt, read_receipt
from benchmark_adapters.deletion.unlearned_checkpoint import eval_results, unlearning_block
from benchmark_adapters.originals.checkpoints import CONFIG, WEIGHTS
from benchmark_adapters.originals.load import LoadedOriginal, load_original
from benchmark_adapters.records.provenance import state_hash
from benchmark_adapters.records.record import canonical

Receipt = Mapping[str, Any]


def receipt_check(receipt: Receipt) -> Check:
    """Whether the receipt is whole, and at one with itself."""
    try:
        check_receipt(receipt)
    except (TypeError, ValueError) as error:
        return Check(RECEIPT, "differs", str(error))
    return Check(RECEIPT, "matches", "whole, and in agreement with itself")


def file_checks(folder: Path, receipt: Receipt, place: str | None = None) -> Iterator[Check]:
    """Each file by its hash, and what is there besides. place: the repository that this is."""
    wanted = {WEIGHTS: receipt["result"]["sha256"], **receipt["files"]}
    found = file_hashes(folder, besides=(RECEIPT, CARD, SIGNATURE, AUDIT))
    for name, promised in wanted.items():
        if name not in found:
            yield Check(name, "differs", "the file is missing")
        else:
            yield hashes(name, promised, found[name])
    yield _card(folder, receipt, place)
    yield from _eval_results(folder, receipt)
    audit = audit_check(folder, receipt)
    if audit is not None:
        yield audit
    for name in sorted(found.keys() - wanted.keys()):
        yield unknown(name, "the receipt does not name this file")


def result_check(folder: Path, receipt: Receipt) -> tuple[LoadedOriginal | None, list[Check]]:
    """The unlearned model, whether it is that of the receipt, and what its config says of it."""
    what = "weights as loaded"
    try:
        loaded = load_original(folder)
    except ValueError as error:
        return None, [Check(what, "differs", str(error))]
    promised = receipt["result"]["state_hash"]
    found, wanted = loaded.config.unlearning, unlearning_block(receipt)
    block = same_text(f"unlearning in {CONFIG}", canonical(wanted), canonical(found), receipt)
    return loaded, [hashes(what, promised, state_hash(loaded.model), "state hash"), block]


def checked_checkpoint(folder: Path) -> dict[str, Any]:
    """The receipt of a folder that is as its receipt says. Raises ValueError if it is not."""
    receipt = read_receipt(folder)
    whole = receipt_check(receipt)
    if whole.state == "differs":
        raise ValueError(f"{folder / RECEIPT}: {whole.detail}; not published")
    if not accepted(receipt):
        raise ValueError(
            f"{folder} is {outcome(receipt)}; not published (unlearn again, and accept such an "
            f"outcome with --at-most)"
        )
    checks = [*file_checks(folder, receipt), *result_check(folder, receipt)[1]]
    foreign = {*checkpoint_files(folder)} - {*BY_THEMSELVES, *receipt["files"]}
    differing = {check.what for check in checks if check.state == "differs"} | foreign
    if differing:
        raise ValueError(
            f"{folder} is not as its receipt says: {', '.join(sorted(differing))}; not published"
        )
    return receipt


def _card(folder: Path, receipt: Receipt, place: str | None) -> Check:
    try:
        body, named = parted((folder / CARD).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        missing = isinstance(error, FileNotFoundError)
        return Check(CARD, "differs", "the file is missing" if missing else str(error))
    if place is not None and named != place:
        return Check(CARD, "differs", f"it says to load {named}, and this is {place}")
    if not quotes_as_it_is(folder, receipt, body):
        return Check(CARD, "differs", f"it quotes another audit than {AUDIT}")
    body = without_quote(body)
    by_hash = hashes(CARD, receipt["card"], hashlib.sha256(body.encode()).hexdigest())
    if by_hash.state != "matches":
        return by_hash
    return same_text(CARD, said(receipt), body, receipt)


def _eval_results(folder: Path, receipt: Receipt) -> Iterator[Check]:
    """The evaluation results, as the receipt's facts make them."""
    made = eval_results(receipt)
    there = (name for name in receipt["files"] if name.startswith(f"{EVAL_RESULTS}/"))
    for name in sorted({*made, *there}):
        try:
            found = (folder / name).read_text(encoding="utf-8")
        except (OSError, ValueError):
            found = ""
        yield same_text(f"content of {name}", made.get(name, ""), found, receipt)
