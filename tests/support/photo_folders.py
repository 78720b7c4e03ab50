"""Photos of different sizes in class folders, and small originals of five classes for them."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import original_layouts_example as layouts
import torch
from PIL import Image

from benchmark_adapters.architectures import build_architecture
from benchmark_adapters.originals.checkpoints import CheckpointConfig, save_checkpoint

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


def timm_original(folder: Path) -> Path:
    """A ViT as timm itself writes it; it takes 32x32."""
    torch.manual_seed(0)
    layouts.timm(folder)
    return folder


def transformers_original(folder: Path) -> Path:
    """A ViT as transformers itself writes it, with its image processor."""
    torch.manual_seed(0)
    _, files = layouts.transformers(folder)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder
