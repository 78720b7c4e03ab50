"""Retrains of the digits' original by its own recipe, as checkpoints, for tests."""

from __future__ import annotations

from pathlib import Path

import torch
from accelerate import Accelerator
from digits_as_images import _digits

from benchmark_adapters.baselines.retrain import Retrain
from benchmark_adapters.originals.checkpoints import save_checkpoint
from benchmark_adapters.originals.load import load_original
from suli_plugin.images import ImageSet
from suli_plugin.runner import run
from suli_plugin.unlearner import ForgetRequest

TRAIN = 400
RECIPE = {"epochs": 12, "batch_size": 50, "lr": 0.1}
SET = [part for name, value in RECIPE.items() for part in ("--set", f"{name}={value}")]


def retrained(folder: Path, original: Path, *, forgotten: int, seed: int, **changes) -> Path:
    """A Retrain without one class of the training split of `digits_folder`; changes: of RECIPE."""
    loaded = load_original(original)
    pixels, labels = _digits(16)
    keep = labels[:TRAIN] != forgotten
    images = ImageSet.of_tensors(
        torch.from_numpy(pixels[:TRAIN][keep]).permute(0, 3, 1, 2),
        torch.from_numpy(labels[:TRAIN][keep]),
        mean=loaded.config.mean,
        std=loaded.config.std,
        kind="retain",
    )
    request = ForgetRequest(retain=images, fresh_model=loaded.config.build)
    made = run(Retrain(**{**RECIPE, **changes}), loaded.model, request,
               accelerator=Accelerator(cpu=True), seed=seed)  # fmt: skip
    save_checkpoint(folder, made.model, loaded.config)
    return folder
