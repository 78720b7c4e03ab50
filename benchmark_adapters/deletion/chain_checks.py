"""Verify a chain of receipts: every link that is reachable; the others are named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from accelerate import Accelerator

from benchmark_adapters.deletion.chain import Chain, Link, chain_of
from benchmark_adapters.deletion.check import Check, unknown
from benchmark_adapters.deletion.forgotten_before import ForgottenBefore
from benchmark_adapters.deletion.receipt_check import Level, verify_receipt
from benchmark_adapters.deletion.signature import Signer
from benchmark_adapters.deletion.wording import counted


def verify_chain(
    source: str,
    *,
    places: Sequence[str] = (),
    dataset: str | None = None,
    level: Level = "rescore",
    signer: Signer | None = None,
    accelerator: Accelerator | None = None,
) -> list[Check]:
    """What `verify_receipt` checks of every checkpoint of the chain, the newest first.

    Behind the newest's own, each check names its checkpoint. places: see `chain_of`. dataset: of
    the newest, and of those whose data have the same name. Requests whose checkpoint can't be
    reached are not checked, each by itself. Raises as `verify_receipt` does.
    """
    chain = chain_of(source, places)
    found = []
    for link in chain.links:
        checks = verify_receipt(
            link.place,
            model=chain.original_of(link),
            dataset=dataset if _same_data(link, chain.links[0]) else None,
            level=level,
            signer=signer,
            accelerator=accelerator,
        )
        of = "" if link is chain.links[0] else f"{link.name}: "
        found += [replace(check, what=f"{of}{check.what}") for check in checks]
    return [*found, *_lost(chain), _length(chain)]


def _same_data(link: Link, other: Link) -> bool:
    mine, theirs = (each.receipt["dataset"]["options"]["dataset"] for each in (link, other))
    return bool(mine == theirs)


def _lost(chain: Chain) -> list[Check]:
    return [unknown(f"request of {each.words} ({each.method})", chain.lost or "")
            for each in _unreached(chain)]  # fmt: skip


def _unreached(chain: Chain) -> Sequence[Any]:
    if chain.lost is None:
        return ()
    return ForgottenBefore.from_list(chain.links[-1].receipt["forgotten_before"]).requests


def _length(chain: Chain) -> Check:
    """How far back it goes."""
    reached, lost = len(chain.links), len(_unreached(chain))
    first = chain.links[-1].receipt["original"]["source"]
    detail = f"{counted(reached, 'receipt')}, back to the original {first}"
    if lost:
        detail = f"{reached} of {counted(reached + lost, 'receipt')} could be reached"
    return unknown("chain", detail) if lost else Check("chain", "matches", detail)
