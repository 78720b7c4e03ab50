"""scikit-learn's digits as a labelled image dataset and an original trained on it, for tests."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from click.testing import CliRunner, Result
from small_images import README, encoded

from benchmark_adapters.architectures import build_architecture
from benchmark_adapters.baselines.retrain import Retrain
from benchmark_adapters.originals.checkpoints import CheckpointConfig, save_checkpoint
from suli_plugin.cli import main
from suli_plugin.images import ImageSet
from suli_plugin.runner import run
from suli_plugin.unlearner import ForgetRequest

NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
MEAN, STD = (0.3,) * 3, (0.37,) * 3
TRAIN = 400
# For tests that look at other things than how far a few steps on few images come.
UNLEARN = ("unlearn", "--at-most", "1")
OPTIONS = {"width": 0.1, "dropout": False, "batch_norm": True}


def digits_folder(
    folder: Path,
    *,
    side: int = 16,
    classes: int = 10,
    train: int = TRAIN,
    test: int = 300,
    names: tuple[str, ...] = NAMES,
) -> Path:
    """A folder as `uoft-cs/cifar10` is, with RGB digits of this side, and a third split `held`."""
    from datasets import ClassLabel, Dataset, Features
    from datasets import Image as ImageFeature

    pixels, labels = _digits(side)
    keep = labels < classes
    pixels, labels = pixels[keep], labels[keep]
    features = Features({"img": ImageFeature(), "label": ClassLabel(names=list(names[:classes]))})
    bounds = {"train": (0, train), "test": (train, train + test), "held": (-100, None)}
    (folder / "plain_text").mkdir(parents=True)
    for name, (start, stop) in bounds.items():
        images = [{"bytes": encoded(image), "path": None} for image in pixels[start:stop]]
        rows = {"img": images, "label": labels[start:stop].tolist()}
        made = Dataset.from_dict(rows, features=features)
        made.to_parquet(folder / "plain_text" / f"{name}-00000-of-00001.parquet")
    held = "  - split: held\n    path: plain_text/held-*.parquet\n"
    (folder / "README.md").write_text(README.removesuffix("---\n") + held + "---\n")
    return folder


def digits_as_png(
    folder: Path,
    names: tuple[str | None, ...] = NAMES,
    *,
    keep: slice = slice(0, 150),
    split: str = "train",
) -> Path:
    """Folders of PNG files, SPLIT/CLASS/N.png, as people have them.

    names: of the folders, by digit; None leaves a digit out. keep: the rows of the digits.
    """
    pixels, labels = _digits(16)
    for row, (image, label) in enumerate(zip(pixels[keep], labels[keep].tolist(), strict=True)):
        if names[label] is not None:
            place = folder / split / names[label]
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{row:04}.png").write_bytes(encoded(image))
    return folder


def numbered_digits(folder: Path, label_of: Callable[[int], int]) -> Path:
    """Parquet whose labels are numbers without names, told from the digits by `label_of`."""
    from datasets import Dataset, Features, Value
    from datasets import Image as ImageFeature

    pixels, labels = _digits(16)
    features = Features({"img": ImageFeature(), "label": Value("int64")})
    folder.mkdir(parents=True)
    for name, keep in (("train", slice(0, 150)), ("test", slice(TRAIN, TRAIN + 100))):
        images = [{"bytes": encoded(image), "path": None} for image in pixels[keep]]
        rows = {"img": images, "label": [label_of(label) for label in labels[keep].tolist()]}
        Dataset.from_dict(rows, features=features).to_parquet(folder / f"{name}.parquet")
    return folder


def with_classes(original: Path, folder: Path, names: tuple[str, ...] | None) -> Path:
    """A copy of an original whose configuration names its classes so, or not at all."""
    shutil.copytree(original, folder)
    config = json.loads((folder / "config.json").read_text())
    config["classes"] = names
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def photos_of_digits(
    folder: Path, *, side: int = 16, per_class: int = 20, held: int = 10, names=NAMES
) -> Path:
    """The digits as people have them: `train/CLASS/img_0064.png` by row, and the same in `test`."""
    pixels, labels = _digits(side)
    for label, name in enumerate(names):
        rows = (
            np.flatnonzero(labels[:TRAIN] == label)[:per_class],
            (TRAIN + np.flatnonzero(labels[TRAIN:] == label)[:held]),
        )
        for split, own in zip(("train", "test"), rows, strict=True):
            place = folder / split / str(name)
            place.mkdir(parents=True)
            for row in own.tolist():
                (place / f"img_{row:04}.png").write_bytes(encoded(pixels[row]))
    return folder


def trained_original(folder: Path, *, names: tuple[str, ...] = NAMES) -> Path:
    """A small All-CNN with BatchNorm, trained on the training split of `digits_folder`."""
    pixels, labels = _digits(16)
    train = torch.from_numpy(pixels[:TRAIN]).permute(0, 3, 1, 2), torch.from_numpy(labels[:TRAIN])
    images = ImageSet.of_tensors(*train, mean=MEAN, std=STD, kind="retain")
    config = CheckpointConfig(
        architecture="all_cnn",
        num_classes=10,
        mean=MEAN,
        std=STD,
        options=OPTIONS,
        input_size=(3, 16, 16),
        classes=names,
        license="bsd-3-clause",
    )
    recipe = Retrain(epochs=12, batch_size=50, lr=0.1)
    request = ForgetRequest(retain=images, fresh_model=config.build)
    trained = run(recipe, build_architecture("all_cnn", 10, **OPTIONS), request,
                  accelerator=Accelerator(cpu=True), seed=7)  # fmt: skip
    save_checkpoint(folder, trained.model, config)
    (folder / "LICENSE").write_text("Copyright (c) 2026, the digits' authors")
    return folder


def suli(*arguments: object, code: int = 0) -> Result:
    """Run the command line in this process and check its exit code."""
    # One process of the command line has one precision; here many share a process.
    AcceleratorState._reset_state(True)
    done = CliRunner().invoke(main, [str(argument) for argument in arguments])
    # What other tests hold lives on this state, in the default precision.
    AcceleratorState._reset_state(True)
    Accelerator()
    assert done.exit_code == code, done.output
    return done


@lru_cache(maxsize=2)
def _digits(side: int) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits

    digits = load_digits()
    gray = (digits.images * (255 / 16)).round().astype(np.uint8)
    large = gray.repeat(side // 8, axis=1).repeat(side // 8, axis=2)
    return np.repeat(large[..., None], 3, axis=3), digits.target
