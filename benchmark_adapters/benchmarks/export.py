"""A benchmark's original and images as files, for commands that take checkpoints and folders."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from benchmark_adapters.benchmarks.case_originals import AUGMENTATION, SEED, TRAINING_SET
from benchmark_adapters.originals.checkpoints import CheckpointConfig, save_checkpoint
from suli_plugin.benchmark import Benchmark, Case
from suli_plugin.failure import Failure
from suli_plugin.images import ImageSet

ORIGINAL, IMAGES = "original", "images"


def export(benchmark: Benchmark, folder: Path, seed: int) -> list[str]:
    """Write the original of a seed, with its recipe, and the images; lines for a person.

    The original is a checkpoint in `folder/original`; the images are `folder/images/SPLIT/CLASS`
    in the splits `train`, `reference` and `test`, unless the benchmark reads them from a place of
    the user's. Raises ValueError for a published original, which is where it is, and for a
    benchmark that names no architecture; Failure for a folder that is not empty.
    """
    if folder.exists() and any(folder.iterdir()):
        raise Failure(f"{folder} is not empty: name another folder with --output")
    case = benchmark.case(benchmark.default_scenarios[0], seed)
    if benchmark.architecture is None or case.original_source.get("kind") != "trained":
        raise ValueError(f"the original of {benchmark.name} is published or has no named network")
    save_checkpoint(folder / ORIGINAL, case.original, _config(case, benchmark))
    lines = [f"original of seed {seed}, with its recipe: {folder / ORIGINAL}"]
    if getattr(benchmark, "data", ""):
        return [*lines, f"its images stay where they are: {benchmark.options()['data']}"]
    splits = {
        "train": (case.forget, case.retain),
        "reference": (case.reference,),
        "test": (case.test,),
    }
    for split, sets in splits.items():
        count = sum(_write(images, folder / IMAGES / split, number) for number, images in
                    enumerate(sets))  # fmt: skip
        lines.append(f"{count} images: {folder / IMAGES / split}")
    return lines


def _config(case: Case, benchmark: Benchmark) -> CheckpointConfig:
    images = case.test
    channels, height, width = images[0][0].shape
    classes = int(torch.cat([case.forget.labels, case.retain.labels]).max()) + 1
    return CheckpointConfig(
        architecture=str(benchmark.architecture),
        options=benchmark.architecture_options,
        num_classes=classes,
        mean=_numbers(images.mean),
        std=_numbers(images.std),
        input_size=(channels, height, width),
        classes=tuple(map(str, range(classes))),
        training=_training(case.original_source),
    )


def _training(source: Mapping[str, Any]) -> dict[str, Any]:
    """The recipe, and where it is known, on which images, how augmented, and from which seed."""
    names = (TRAINING_SET, SEED, AUGMENTATION)
    known = {name: source[name] for name in names if name in source}
    # Without the images the seed says nothing.
    return {**source["recipe"], **(known if TRAINING_SET in known else {})}


def _numbers(values: Tensor | None) -> tuple[float, ...]:
    if values is None:
        raise ValueError("the images have no normalisation to write down")
    # Six decimals are what the benchmark says itself; a float32 has more digits than it knows.
    return tuple(round(value, 6) for value in values.flatten().tolist())


def _write(images: ImageSet, folder: Path, number: int) -> int:
    """PNG files by class, exact; number: keeps the names of several sets apart."""
    pixels, labels = images.pixels(torch.arange(len(images)), torch.device("cpu"))
    if pixels.dtype != torch.uint8:
        raise ValueError(f"only 8-bit images are written as files, got {pixels.dtype}")
    for row, (image, label) in enumerate(zip(pixels, labels.tolist(), strict=True)):
        place = folder / str(label)
        place.mkdir(parents=True, exist_ok=True)
        array = image[0] if len(image) == 1 else image.permute(1, 2, 0)
        Image.fromarray(array.numpy()).save(place / f"{number}-{row:05}.png")
    return len(images)
