"""Originals that are trained here: once for their data and recipe, then kept in the cache."""

from __future__ import annotations

from collections.abc import Callable

from accelerate import Accelerator
from torch import Tensor, nn

from benchmark_adapters.baselines.retrain import Retrain
from suli_plugin.compiled import compiled_by
from suli_plugin.images import ImageSet
from suli_plugin.kept_tensors import kept_tensors
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
    seed: int = ORIGINAL_SEED,
    accelerator: Accelerator,
) -> nn.Module:
    """The original that a recipe makes of these images, on the CPU.

    key: a hash of images, recipe and network. The weights are kept in the cache folder
    (SULI_CACHE), under the key, the precision and compiler they were trained with, and the seed.
    """
    model = fresh_model()

    def weights() -> dict[str, Tensor]:
        request = ForgetRequest(retain=train, fresh_model=fresh_model)
        trained = run(recipe, model, request, accelerator=accelerator, seed=seed)
        return dict(trained.model.state_dict())

    name = kept_name(key, seed, accelerator)
    model.load_state_dict(kept_tensors(name, weights, accelerator))
    return model


def kept_name(key: str, seed: int, accelerator: Accelerator) -> str:
    """The name under which such an original is kept, see `kept_tensors`."""
    compiler = compiled_by(accelerator)
    how = f"{accelerator.mixed_precision}-{compiler}" if compiler else accelerator.mixed_precision
    name = f"trained-original-{key[:32]}-{how}"
    return name if seed == ORIGINAL_SEED else f"{name}-{seed}"
