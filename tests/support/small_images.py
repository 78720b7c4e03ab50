"""Small labelled image datasets in the layouts that people have them in, for tests."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

CLASSES = ("cat", "dog", "frog")
README = """---
configs:
- config_name: plain_text
  default: true
  data_files:
  - split: train
    path: plain_text/train-*.parquet
  - split: test
    path: plain_text/test-*.parquet
---
"""


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache folder for decoded images that no other test sees."""
    monkeypatch.setenv("SULI_CACHE", str(tmp_path / "decoded-cache"))
    yield tmp_path / "decoded-cache"


def pixels_of(number: int, seed: int = 0, side: int = 8) -> np.ndarray:
    """Random pixels (number, side, side, 3), uint8."""
    shape = (number, side, side, 3)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def encoded(pixels: np.ndarray, form: str = "PNG") -> bytes:
    """One image (H, W, 3) or (H, W) as a file's bytes."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form)
    return file.getvalue()


def as_dataset(pixels: np.ndarray, labels: list[int] | None = None, **columns: list):
    """A `datasets.Dataset` with `img` and `label`, labels in turn by default."""
    from datasets import ClassLabel, Dataset, Features
    from datasets import Image as ImageFeature

    labels = [row % len(CLASSES) for row in range(len(pixels))] if labels is None else labels
    made = Dataset.from_dict(
        {"img": [{"bytes": encoded(image), "path": None} for image in pixels], "label": labels},
        features=Features({"img": ImageFeature(), "label": ClassLabel(names=list(CLASSES))}),
    )
    for name, values in columns.items():
        made = made.add_column(name, values)
    return made


def cifar_layout(
    folder: Path, train: np.ndarray | None = None, **columns: Callable[[int], object]
) -> Path:
    """A folder as `uoft-cs/cifar10` is: README.md with configs, and Parquet files.

    columns: further ones, the value of each row given by its number.
    """
    (folder / "plain_text").mkdir(parents=True, exist_ok=True)
    (folder / "README.md").write_text(README)
    parts = {"train": pixels_of(30) if train is None else train, "test": pixels_of(12, seed=1)}
    for name, pixels in parts.items():
        more = {column: [of(row) for row in range(len(pixels))] for column, of in columns.items()}
        path = folder / "plain_text" / f"{name}-00000-of-00001.parquet"
        as_dataset(pixels, **more).to_parquet(path)
    return folder


def image_folder(folder: Path, *splits: str, per_class: int = 2) -> Path:
    """A folder SPLIT/CLASS/N.png; without splits CLASS/N.png."""
    for seed, split in enumerate(splits or ("",)):
        for label, name in enumerate(CLASSES):
            place = folder / split / name
            place.mkdir(parents=True)
            for row, image in enumerate(pixels_of(per_class, seed=10 * seed + label)):
                (place / f"{row}.png").write_bytes(encoded(image))
    return folder


def base_of(dataset, split="train"):
    """A split in memory, with the columns `img` and `label`."""
    from benchmark_adapters.images.base_data import BaseData

    return BaseData(dataset, "memory", None, None, split, (split,), "img", "label")


def dataset_of(files: list[bytes], labels=None):
    """A `datasets.Dataset` with `img`, these encoded images, and `label`, of whole numbers."""
    from datasets import Dataset, Features, Value
    from datasets import Image as ImageFeature

    return Dataset.from_dict(
        {
            "img": [{"bytes": content, "path": None} for content in files],
            "label": labels or [0] * len(files),
        },
        features=Features({"img": ImageFeature(), "label": Value("int64")}),
    )


def all_pixels(images):
    """The pixels of an image set, uint8 (N, C, H, W)."""
    import torch

    return images.pixels(torch.arange(len(images)), torch.device("cpu"))[0]
