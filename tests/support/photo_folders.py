"""Photos of different sizes in class folders, and small originals of five classes for them."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import original_layouts_example as layouts
import torch
from PIL import Image
from torch import nn

from benchmark_adapters.architectures import build_architecture
from benchmark_adapters.images.base_data import load_base
from benchmark_adapters.images.decoded_images import image_set
from benchmark_adapters.originals.checkpoints import CheckpointConfig, save_checkpoint
from benchmark_adapters.preprocessing.preprocessing import Preprocessing

CLASSES = tuple(layouts.NAMES)


def photo(seed: int, label: int = 0, width: int = 40, height: int = 32) -> bytes:
    """A JPEG: one colour for its class, and noise of its own in squares of four pixels."""
    draw = np.random.default_rng(seed)
    noise = draw.integers(0, 120, (-(-height // 4), -(-width // 4), 3), dtype=np.uint8)
    pixels = noise.repeat(4, 0).repeat(4, 1)[:height, :width]
    pixels = pixels + np.array([25 * label, 120 - 25 * label, 60], dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG")
    return file.getvalue()


def photo_folder(
    folder: Path,
    parts: dict[str, int],
    *,
    classes: Sequence[str] = CLASSES,
    sides: tuple[int, int] = (30, 60),
    seed: int = 0,
) -> Path:
    """PART/CLASS/N.jpg of different sizes. parts: images of each class. sides: from, to."""
    draw = np.random.default_rng(seed)
    for part, count in parts.items():
        for label, name in enumerate(classes):
            place = folder / part / name
            place.mkdir(parents=True)
            for number in range(count):
                width, height = draw.integers(*sides, 2)
                content = photo(int(draw.integers(2**31)), label, width, height)
                (place / f"{number}.jpg").write_bytes(content)
    return folder


def torchvision_original(folder: Path, classes: int = 5, **changes: object) -> Path:
    """A small network of torchvision as a checkpoint of ours."""
    config = CheckpointConfig(
        architecture="torchvision/shufflenet_v2_x0_5", num_classes=classes,
        mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), input_size=(3, 32, 32),
    )  # fmt: skip
    config = dataclasses.replace(config, **changes)
    torch.manual_seed(0)
    save_checkpoint(folder, build_architecture(config.architecture, classes), config)
    return folder


def timm_original(folder: Path, photos: Path | None = None) -> Path:
    """A ViT as timm itself writes it; it takes 32x32. photos: what it learns, if anything."""
    torch.manual_seed(0)
    layouts.timm(folder, layouts.as_it_is if photos is None else partial(_taught, photos))
    return folder


def _taught(photos: Path, model: nn.Module) -> None:
    """Some updates on all training photos, made as the configuration will say."""
    way = Preprocessing(size=32, resize=35, interpolation="bicubic")
    images = image_set(load_base(photos, split="train"), size=way, mean=(0.5,) * 3, std=(0.5,) * 3)
    batch = images.batch(torch.arange(len(images)), torch.device("cpu"))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(30):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(batch.images), batch.labels).backward()
        optimizer.step()


def transformers_original(folder: Path) -> Path:
    """A ViT as transformers itself writes it, with its image processor."""
    torch.manual_seed(0)
    _, files = layouts.transformers(folder)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder
