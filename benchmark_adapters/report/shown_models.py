"""The models whose features and maps are shown, from a run's evidence, and their case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from benchmark_adapters.grid.benchmark_options import made_benchmark
from benchmark_adapters.records.evidence import evidence_path, load_unlearned
from benchmark_adapters.records.skeletons import skeleton_of
from benchmark_adapters.report.picture import CannotBeDrawn
from benchmark_adapters.report.run_folder import Record, Scenario, Stored
from benchmark_adapters.splits.recipes import stratified_draw
from suli_plugin.benchmark import Case
from suli_plugin.images import ImageSet
from suli_plugin.plugins import registry


@dataclass(frozen=True)
class Folders:
    """Where data and original are now, if not where the run had them."""

    data: str | None = None
    original: str | None = None


@dataclass(frozen=True)
class ShownModels:
    """Some models of one scenario and seed, by label, and the case that they were scored on.

    missing: the labels whose model was not kept.
    """

    scenario: Scenario
    seed: int
    case: Case
    models: Mapping[str, nn.Module]
    missing: Sequence[str] = ()

    def sample(self, forget: int, retain: int) -> tuple[ImageSet, ImageSet]:
        """So many images of the forget and the scored retain set at most, as the seed draws them.

        Each class is there in its proportion.
        """
        case = self.case
        return _drawn(case.forget, forget, self.seed), _drawn(case.scored_retain, retain, self.seed)

    @property
    def what_is_missing(self) -> str:
        """A sentence for captions; empty if nothing is missing."""
        return f"Not kept, so not shown: {', '.join(self.missing)}." if self.missing else ""


def shown_models(
    scenario: Scenario, labels: Sequence[str], seed: int, folders: Folders
) -> ShownModels:
    """Load the models that the run kept. Only files whose hash is in the record are opened.

    Raises CannotBeDrawn if there is none, if one does not fit, and where the images that were
    unlearned cannot be had.
    """
    ran = {label: stored for label in labels if (stored := scenario.of(label, seed))}
    kept = {label: found for label, stored in ran.items() if (found := _weights(stored))}
    if not kept:
        raise CannotBeDrawn(
            f"no unlearned model of seed {seed} was kept ({', '.join(ran) or 'none ran'}); "
            f"`suli bench run` keeps them with --evidence"
        )
    case = _case(ran[next(iter(kept))].record, folders)
    models = {
        label: _model(path, sha256, ran[label].record, case)
        for label, (path, sha256) in kept.items()
    }
    return ShownModels(scenario, seed, case, models, [label for label in ran if label not in kept])


def _weights(stored: Stored) -> tuple[Path, str] | None:
    """The file of weights beside a record and its hash; None where it was not kept."""
    path = evidence_path(stored.path, stored.record, "model")
    return None if path is None else (path, str(stored.record["evidence"]["model"]["sha256"]))


def _case(record: Record, folders: Folders) -> Case:
    """The record's own case, made again. Its forget set must be the one that was unlearned."""
    given = {"data": folders.data, "original": folders.original}
    options = {**record["options"], **{k: v for k, v in given.items() if v is not None}}
    try:
        benchmark = made_benchmark(registry().benchmark(record["benchmark"]), options)
        case = benchmark.case(record["scenario"], record["seed"])
    except (OSError, TypeError, ValueError) as error:
        raise CannotBeDrawn(
            f"the images cannot be had: {error} (folders that moved are named with --data and "
            f"--original)"
        ) from error
    if case.forget.content_hash() != record["forget_set_hash"]:
        raise CannotBeDrawn(
            "the images there are not those that were unlearned: the forget set has another hash; "
            "name the run's own with --data"
        )
    return case


def _model(path: Path, sha256: str, record: Record, case: Case) -> nn.Module:
    try:
        return load_unlearned(path, sha256, skeleton_of(record, case.fresh_model))
    except ValueError as error:
        raise CannotBeDrawn(str(error)) from error


def _drawn(images: ImageSet, count: int, seed: int) -> ImageSet:
    if len(images) <= count:
        return images
    return images.subset(stratified_draw(torch.arange(len(images)), images.labels, count, seed))
