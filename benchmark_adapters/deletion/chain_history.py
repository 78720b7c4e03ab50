"""What a chain of receipts tells: what was forgotten, when, by which method, from what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmark_adapters.deletion.chain import Chain, Link
from benchmark_adapters.deletion.forgotten_before import ForgottenBefore
from benchmark_adapters.deletion.wording import counted
from benchmark_adapters.grid.aligned import aligned_lines

_OF_A_RECEIPT = ("created", "original", "checkpoint", "receipt", "parent", "verdict")
_TITLES = ("forgotten", "when", "method", "from", "checkpoint", "receipt", "parent")


def history_of(chain: Chain) -> list[dict[str, Any]]:
    """One row a request, the oldest first, JSON-able.

    request, date: as a file of several requests has them, None for one alone. forgotten, classes,
    count, method: what was forgotten, and how. created: when. original: from which weights.
    checkpoint, receipt: where it is, and the hash of its receipt. parent: the hash of its
    original's, None where it names none. verdict: how far it came. reached: False for what only
    later receipts tell of, whose other values are None.
    """
    rows = [row for link in reversed(chain.links) for row in _rows(link)]
    if chain.lost is None:
        return rows
    earlier = ForgottenBefore.from_list(chain.links[-1].receipt["forgotten_before"]).requests
    lost = [_told_later(each.words, each.as_dict()) for each in earlier]
    return lost + rows


def history_text(chain: Chain) -> str:
    """The same as a table, with what could not be reached behind it."""
    rows = history_of(chain)
    lines = aligned_lines([_TITLES, *(_cells(row) for row in rows)])
    if chain.lost is not None:
        missing = sum(not row["reached"] for row in rows)
        lines.append(
            f"not reached: the receipts of the first {counted(missing, 'request')}; {chain.lost}"
        )
    return "\n".join(lines)


def _rows(link: Link) -> list[dict[str, Any]]:
    alone = {"name": None, "date": None, **link.receipt["forget_set"]}
    return [_row(link, each) for each in link.receipt.get("requests") or [alone]]


def _row(link: Link, forgotten: Mapping[str, Any]) -> dict[str, Any]:
    receipt, record = link.receipt, link.receipt["record"]
    names = ", ".join(forgotten["class_names"])
    kind = "classes" if len(forgotten["classes"]) > 1 else "class"
    return {
        "request": forgotten["name"],
        "date": forgotten["date"],
        "forgotten": f"{kind} {names}" if names else counted(forgotten["count"], "sample"),
        "classes": forgotten["classes"],
        "count": forgotten["count"],
        "method": record["method"],
        "created": record["created"],
        "original": {key: receipt["original"][key] for key in ("source", "commit", "sha256")},
        "checkpoint": link.place,
        "receipt": link.sha256,
        "parent": receipt.get("parent"),
        "verdict": receipt["judgement"]["verdict"],
        "reached": True,
    }


def _told_later(words: str, request: Mapping[str, Any]) -> dict[str, Any]:
    known = {key: request[key] for key in ("classes", "count", "method")}
    unknown = (
        "request",
        "date",
        "created",
        "original",
        "checkpoint",
        "receipt",
        "parent",
        "verdict",
    )
    return {"forgotten": words, **known, **dict.fromkeys(unknown), "reached": False}


def _cells(row: Mapping[str, Any]) -> list[str]:
    if not row["reached"]:
        return [row["forgotten"], "-", row["method"], "-", "-", "-", "-"]
    original = row["original"]
    asked = f" ({row['request']} of {row['date']})" if row["request"] else ""
    at = f"@{original['commit'][:12]}" if original["commit"] else ""
    before = row["parent"][:12] if row["parent"] else "none"
    return [
        row["forgotten"] + asked, row["created"], row["method"], f"{original['source']}{at}",
        row["checkpoint"], row["receipt"][:12], before,
    ]  # fmt: skip
