"""The audit of a checkpoint's very weights, as `suli audit` found it, quoted in the model card."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmark_adapters.audit.case_audit import CaseAudit
from benchmark_adapters.audit.verdict import MODEL, verdict_of
from benchmark_adapters.deletion.check import Check
from benchmark_adapters.deletion.checkpoint_files import AUDIT, CARD
from benchmark_adapters.deletion.model_card import parted, use
from benchmark_adapters.deletion.receipt import read_receipt
from benchmark_adapters.deletion.wording import counted
from benchmark_adapters.records.record import write_atomically
from benchmark_adapters.records.strict_json import strict_json

_HEAD = "## Audit\n\n"


def audit_check(folder: Path, receipt: Mapping[str, Any]) -> Check | None:
    """Whether an audit that is there is of these very weights; None where there is none."""
    if not (folder / AUDIT).is_file():
        return None
    try:
        audit = _audit(folder, receipt)
    except ValueError as error:
        return Check(AUDIT, "differs", str(error))
    return Check(AUDIT, "matches", f"of these very weights, not run again: {audit.headline(MODEL)}")


def without_quote(body: str) -> str:
    """What a card says (see `parted`) but for the audit that it quotes at its end."""
    start = body.rfind(f"\n{_HEAD}")
    return body if start < 0 else body[: start + 1]


def quotes_as_it_is(folder: Path, receipt: Mapping[str, Any], body: str) -> bool:
    """Whether what a card says ends with a true quote of the audit that is there, or has none."""
    quote = body[len(without_quote(body)) :]
    if not quote:
        return True
    try:
        return quote == _quote(_audit(folder, receipt))
    except ValueError:
        return False


def add_audit(folder: Path, text: str) -> None:
    """Put an audit beside a checkpoint, in place of an earlier one, and quote it in the card.

    text: the file. Raises ValueError, and changes nothing, for an audit of other weights than the
    receipt's and for a card that is not the receipt's.
    """
    receipt = read_receipt(folder)
    audit = _of_these_weights(text.encode(), receipt)
    body, place = parted((folder / CARD).read_text(encoding="utf-8"))
    plain = without_quote(body)
    if hashlib.sha256(plain.encode()).hexdigest() != receipt["card"]:
        raise ValueError(f"{folder / CARD} is not the card that the receipt has the hash of")
    write_atomically(folder / AUDIT, text)
    write_atomically(folder / CARD, plain + _quote(audit) + use(place))


def _audit(folder: Path, receipt: Mapping[str, Any]) -> CaseAudit:
    try:
        data = (folder / AUDIT).read_bytes()
    except OSError as error:
        raise ValueError(f"{AUDIT} can't be read: {error.strerror}") from error
    return _of_these_weights(data, receipt)


def _of_these_weights(data: bytes, receipt: Mapping[str, Any]) -> CaseAudit:
    """The audit in the bytes of a file. Raises ValueError for another one."""
    try:
        audit = CaseAudit.of(strict_json(data, AUDIT))
        verdict_of(audit, MODEL)
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"{AUDIT} is not a whole audit: {error!r:.80}") from error
    if audit.hashes.get(MODEL) != receipt["result"]["state_hash"]:
        raise ValueError(f"{AUDIT} is an audit of other weights")
    return audit


def _quote(audit: CaseAudit) -> str:
    retrains = max((len(test.retrains) for test in audit.tests), default=0)
    controls = list(audit.roles.values()).count("control")
    beside = f"{counted(retrains, 'Retrain')} and " if retrains else "no Retrains and "
    verdict = verdict_of(audit, MODEL, "the model").sentence
    return (
        f"{_HEAD}`suli audit` compared these very weights (state hash `{audit.hashes[MODEL]}`) "
        f"with {beside}{counted(controls, 'control')} that forget nothing: "
        f"{audit.headline(MODEL)}. {_plain(verdict[:1].upper() + verdict[1:])}. `{AUDIT}` has "
        f"every test.\n\n"
    )


def _plain(text: str) -> str:
    """Text of a file, without what Markdown would read."""
    return " ".join(text.replace("`", "'").replace("<", "(").replace("[", "(").split())
