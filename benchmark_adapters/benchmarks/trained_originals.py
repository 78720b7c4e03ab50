"""Originals that are trained here: once for their data and recipe, then kept in the cache."""

from __future__ import annotations

from collections.abc import Callable

import safetensors.torch
from accelerate import Accelerator
from torch import nn

from benchmark_adapters.baselines.retrain import Retrain
from benchmark_adapters.originals.weight_files import load_weights, read_weights
from suli_plugin.images import ImageSet
from suli_plugin.kept_tensors import cache_folder, locked
from suli_plugin.runner import run
from suli_plugin.unlearner import ForgetRequest

# Far from the run seeds, so that Original and Retrain never share an initialisation.
ORIGINAL_SEED = 1_000


def trained_original(
    recipe: Retrain,
    train: ImageSet,
    fresh_model: Callable[[], nn.Module],
    *,
    key: str,
    accelerator: Accelerator,
) -> nn.Module:
    """The original that a recipe makes of these images, on the CPU.

    key: a hash of images, recipe and network. The weights are kept in the folder of the decoded
    images (SULI_CACHE), under the key and the precision they were trained in.
    """
    path = cache_folder() / f"original-{key[:32]}-{accelerator.mixed_precision}.safetensors"
    with locked(path) as may_write:
        if path.is_file():
            weights = read_weights(path.read_bytes(), path.name)
            model = fresh_model()
            load_weights(model, weights, "the original")
            return model
        model = run(
            recipe,
            fresh_model(),
            ForgetRequest(retain=train, fresh_model=fresh_model),
            accelerator=accelerator,
            seed=ORIGINAL_SEED,
        ).model.cpu()
        if may_write and accelerator.is_main_process:
            safetensors.torch.save_file(model.state_dict(), path)
    return model
