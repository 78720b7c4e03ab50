"""`cifar10-fast`: CIFAR-10 and a network whose originals and Retrains take minutes of two cores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from benchmark_adapters.baselines.retrain import Retrain
from benchmark_adapters.benchmarks.augmentation import crop_and_flip
from benchmark_adapters.benchmarks.cifar10 import Cifar10
from suli_plugin.hyperparameters import bounds
from suli_plugin.images import Augment

# Without a class a remainder of 6 images would end each epoch of batches of 256.
RECIPE = Retrain(epochs=12, plain_epochs=5, batch_size=256, lr=0.2, even_batches=True)
# A seed of its own, under every seed of a run: see `Retrain.repeat`.
_SAME_UNDER_ALL_SEEDS = 1_000
_EPOCHS_WITHIN_THE_BUDGET = {
    "finetune": 5,
    "l1_sparse": 5,
    "cf_k": 5,
    "eu_k": 5,
    "amnesiac": 5,
    "salun": 4,
    "contrastive_label": 3,
    "ugradsl_plus": 1,
    "neg_grad_plus": 1,
}


@dataclass(frozen=True, kw_only=True)
class Cifar10Fast(Cifar10):
    """A contest on a laptop: originals and Retrains by one recipe, an original for each seed.

    What is forgotten, and so what Retrains are trained on, is the same under all seeds. A method
    that passes all retained images in every epoch makes as many epochs as fit in both scopes into
    500,000 samples forwarded and backwarded, the budget of a trial, where its source has more.
    """

    name: ClassVar[str] = "cifar10-fast"
    summary: ClassVar[str] = "CIFAR-10, a ConvNet of 0.3 M parameters, originals and Retrains alike"
    architecture: ClassVar[str] = "cosine_convnet"
    augmentation_name: ClassVar[str] = "window of 28 pixels, mirrored or not"
    recipe: ClassVar[Retrain] = RECIPE
    original_a_seed: ClassVar[bool] = True
    one_forget_set: ClassVar[bool] = True
    # The audit's relearning curves tell more than a capped count.
    relearn_updates: ClassVar[int] = 0
    tuning_passes: ClassVar[int | None] = 500_000
    choices: ClassVar[Path | None] = Path(__file__).parent / "choices" / "cifar10-fast.json"
    settings: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "retrain": {**RECIPE.recipe(), "repeat": _SAME_UNDER_ALL_SEEDS},
        **{label: {"epochs": epochs} for label, epochs in _EPOCHS_WITHIN_THE_BUDGET.items()},
    }

    retain_scored: int | None = field(default=4_500, metadata=bounds(at_least=1))

    def augmentation(self) -> Augment:
        """See `Cifar10.augmentation`."""
        return partial(crop_and_flip, padding=0, cut=4)
