"""Verify a receipt: compute again what can be had, and name what does not match."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from accelerate import Accelerator

from benchmark_adapters.deletion.check import Check, unknown
from benchmark_adapters.deletion.checkpoint_checks import file_checks, receipt_check, result_check
from benchmark_adapters.deletion.data import DeletionData
from benchmark_adapters.deletion.measures import Answers, answers_of
from benchmark_adapters.deletion.receipt import read_receipt
from benchmark_adapters.deletion.remade_checks import (
    Whereabouts,
    data_checks,
    earlier_check,
    facts_checks,
    original_check,
    remade_request,
)
from benchmark_adapters.deletion.rerun import accelerator_of, rerun_checks
from benchmark_adapters.deletion.score_checks import kept_check, metrics_check, requests_check
from benchmark_adapters.deletion.signature import Signer, signature_checks
from benchmark_adapters.hub.access import HubSource, parse_source
from benchmark_adapters.hub.snapshot import snapshot
from benchmark_adapters.originals.load import LoadedOriginal
from suli_plugin.plugins import registry

Level = Literal["rescore", "rerun"]


def verify_receipt(
    source: str | Path,
    *,
    model: str | None = None,
    dataset: str | None = None,
    level: Level = "rescore",
    signer: Signer | None = None,
    accelerator: Accelerator | None = None,
) -> list[Check]:
    """Check a checkpoint's files, its weights, the original, the data, and the metrics on them.

    source: a folder, or `org/name[@revision]` on the Hub. model, dataset: where original and
    data are, if not where the receipt says; for folders they must be given. level: `rerun` runs
    the method again, too. signer: who must have signed it. Raises ValueError if there is no
    receipt that can be read, HubError where the Hub can't be used.
    """
    folder, repository = _fetched(source)
    receipt = read_receipt(folder)
    checks = [receipt_check(receipt), *file_checks(folder, receipt, repository)]
    checks += signature_checks(folder, receipt, signer)
    result, said = result_check(folder, receipt)
    checks += said
    return checks + _remade(receipt, result, Whereabouts(model, dataset), level, accelerator)


def _fetched(source: str | Path) -> tuple[Path, str | None]:
    """The folder of a checkpoint, and the repository that it is in, if any."""
    place = parse_source(source)
    if isinstance(place, HubSource):
        return snapshot(place, kind="model")[0], place.repository
    return place, None


def _remade(
    receipt: dict[str, Any],
    result: LoadedOriginal | None,
    places: Whereabouts,
    level: Level,
    accelerator: Accelerator | None,
) -> list[Check]:
    """What takes original and data."""
    accelerator = accelerator or accelerator_of(receipt["record"])
    original, said = original_check(receipt, places.model)
    before, of_before = earlier_check(receipt, original)
    data, of_data = data_checks(receipt, places.dataset, original or result, before, accelerator)
    answers = {
        name: answers_of(model.model, data, accelerator)
        for name, model in (("unlearned", result), ("original", original))
        if model is not None and data is not None
    }
    checks = [said, *of_before, *of_data, *_metrics(receipt, answers, data)]
    if original is None or data is None or result is None:
        left = ("facts", "weights run again") if level == "rerun" else ("facts",)
        return checks + [unknown(what, "they take checkpoint, original and data") for what in left]
    checks.append(kept_check(receipt, answers["original"], answers["unlearned"], data))
    checks += requests_check(receipt, answers["unlearned"], data)
    request = remade_request(receipt, original, data, registry())
    if isinstance(request, Check):
        return [*checks, request]
    checks += facts_checks(receipt, request, result, places)
    return checks + (rerun_checks(receipt, request, accelerator) if level == "rerun" else [])


def _metrics(
    receipt: dict[str, Any], answers: Mapping[str, Answers], data: DeletionData | None
) -> list[Check]:
    """The metrics of both models. answers: of those that could be had."""
    claimed = {
        "unlearned": ("metrics of the unlearned model", receipt["record"]["metrics"]),
        "original": ("metrics of the original", receipt["original_metrics"]),
    }
    return [
        metrics_check(what, answers.get(model), metrics, data, receipt)
        for model, (what, metrics) in claimed.items()
    ]
