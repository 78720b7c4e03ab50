"""`cifar10-allcnn`: CIFAR-10 and a network without BatchNorm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from benchmark_adapters.baselines.retrain import Retrain
from benchmark_adapters.benchmarks.cifar10 import Cifar10

RECIPE = Retrain(epochs=12, plain_epochs=5, lr=0.05, even_batches=True)


@dataclass(frozen=True, kw_only=True)
class Cifar10AllCNN(Cifar10):
    """An All-CNN of a third of the published planes, without BatchNorm and dropout.

    Forgetting that is only a drift of BatchNorm's statistics, or that needs them, has nothing here
    to work on. Narrow and with a short recipe, so that a laptop trains originals and Retrains; the
    recipe is that of `cifar10-fast` at a rate that the network bears, and is not tuned.
    """

    name: ClassVar[str] = "cifar10-allcnn"
    summary: ClassVar[str] = "CIFAR-10, an All-CNN of 0.15 M parameters, without BatchNorm"
    architecture: ClassVar[str] = "all_cnn"
    architecture_options: ClassVar[Mapping[str, Any]] = {"width": 1 / 3, "dropout": False}
    recipe: ClassVar[Retrain] = RECIPE
    settings: ClassVar[Mapping[str, Mapping[str, Any]]] = {"retrain": RECIPE.recipe()}
