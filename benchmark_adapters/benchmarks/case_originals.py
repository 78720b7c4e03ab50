"""The original of a benchmark's cases: trained here, or published, perhaps by this very recipe."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from accelerate import Accelerator
from torch import Tensor, nn

from benchmark_adapters.baselines.retrain import Retrain
from benchmark_adapters.benchmarks.augmentation import CROP_AND_FLIP
from benchmark_adapters.benchmarks.original_training import OriginalTraining, no_training
from benchmark_adapters.benchmarks.trained_originals import kept_name, trained_original
from benchmark_adapters.originals.load import LoadedOriginal
from benchmark_adapters.originals.weight_files import first_few
from benchmark_adapters.preprocessing.preprocessing import Preprocessing
from benchmark_adapters.records.provenance import state_hash
from suli_plugin.images import ImageSet
from suli_plugin.training_records import TrainingRecords

# Keys of a record's original and of a checkpoint's training.
TRAINING_SET, SEED, AUGMENTATION = "training_set", "seed", "augmentation"


@dataclass(frozen=True)
class TrainedOriginal:
    """Trained here by `recipe` on `train`, once, and kept.

    data: hashes of the benchmark's parts, `train` among them. seed: of the training.
    augmentation: what `train` does to its images, by name.
    """

    recipe: Retrain
    train: ImageSet
    fresh_model: Callable[[], nn.Module]
    data: Mapping[str, str]
    seed: int
    augmentation: str

    @cached_property
    def untrained(self) -> nn.Module:
        """A network to be looked at, not trained."""
        return self.fresh_model()

    @property
    def key(self) -> str:
        """A hash of images, division and original, known without training."""
        made_of = [*self.data.values(), json.dumps(self.recipe.recipe()), str(self.untrained)]
        if self.augmentation != CROP_AND_FLIP:
            made_of.append(self.augmentation)
        return hashlib.sha256(json.dumps(made_of).encode()).hexdigest()

    @property
    def kept_name(self) -> str:
        """The name that `kept_tensors` keeps it under."""
        return kept_name(self.key, self.seed, Accelerator())

    @cached_property
    def model(self) -> nn.Module:
        """The original, on the CPU."""
        return trained_original(
            self.recipe,
            self.train,
            self.fresh_model,
            key=self.key,
            seed=self.seed,
            accelerator=Accelerator(),
        )

    @property
    def source(self) -> Mapping[str, Any]:
        """Where it comes from, for the record."""
        return {
            "kind": "trained",
            "recipe": self.recipe.recipe(),
            SEED: self.seed,
            TRAINING_SET: self.data["train"],
            AUGMENTATION: self.augmentation,
            "reference": "from the training set, held out before the original was trained",
        }

    def records(self, forgotten: Tensor) -> TrainingRecords:
        """What its training left. forgotten: bool (N,), of the training images."""
        return _records(self, self.recipe, self.seed, forgotten)


@dataclass(frozen=True)
class PublishedOriginal:
    """Read from a folder, file or repository.

    data: see `TrainedOriginal`. recipe, seed: of its training, where its configuration says that
    it was trained on `train`. preprocessing: what became of the images for it, if anything.
    """

    loaded: LoadedOriginal
    train: ImageSet
    data: Mapping[str, str]
    recipe: Retrain | None = None
    seed: int = 0
    preprocessing: Preprocessing | None = None

    @property
    def key(self) -> str:
        """See `TrainedOriginal.key`."""
        made_of = [*self.data.values(), state_hash(self.model)]
        return hashlib.sha256(json.dumps(made_of).encode()).hexdigest()

    @property
    def model(self) -> nn.Module:
        """See `TrainedOriginal.model`."""
        return self.loaded.model

    @property
    def fresh_model(self) -> Callable[[], nn.Module]:
        """Makes an untrained twin."""
        return self.loaded.fresh_model

    @property
    def source(self) -> Mapping[str, Any]:
        """See `TrainedOriginal.source`."""
        said: dict[str, Any] = {"kind": "published", **self.loaded.provenance()}
        if self.preprocessing is not None:
            said["preprocessing"] = self.preprocessing.as_dict()
        if self.recipe is None:
            drawn = "from the test set, as the original has seen all training images"
            return {**said, "reference": drawn}
        return {
            **said,
            "recipe": self.recipe.recipe(),
            SEED: self.seed,
            "reference": "from the training set, held out before the original was trained",
        }

    def records(self, forgotten: Tensor) -> TrainingRecords:
        """See `TrainedOriginal.records`; a training of unknown recipe left none."""
        if self.recipe is None:
            return no_training()
        return _records(self, self.recipe, self.seed, forgotten)

    def check_classes(self, names: tuple[str, ...], data: str) -> None:
        """Raise ValueError unless its outputs are the classes of the data."""
        config, source = self.loaded.config, self.loaded.source
        if config.num_classes != len(names):
            raise ValueError(
                f"the original {source} has {config.num_classes} outputs, but {data} has "
                f"{len(names)} classes ({first_few(list(names))}): give the original of these "
                f"classes"
            )
        # Names may be spelled otherwise; the same name at another place is another order.
        for label, name in enumerate(config.classes or ()):
            if name in names and names.index(name) != label:
                raise ValueError(
                    f"output {label} of the original {source} is {name!r}, which is class "
                    f"{names.index(name)} of {data}: give an original of the same order of classes"
                )


def trained_on(loaded: LoadedOriginal, augmentation: str) -> str | None:
    """The hash of the images that an original's configuration says it was trained on.

    None where it says none, or another augmentation: then no Retrain here has its recipe.
    """
    told = _told(loaded)
    images = told.get(TRAINING_SET)
    alike = told.get(AUGMENTATION, augmentation) == augmentation
    return images if alike and isinstance(images, str) else None


def known_training(loaded: LoadedOriginal) -> tuple[Retrain, int]:
    """The recipe and the seed that the configuration of such an original says.

    Raises ValueError where it says no whole recipe, or no seed.
    """
    told = _told(loaded)
    recipe = {name: told[name] for name in Retrain().hyperparameters() if name in told}
    seed = told.get(SEED)
    if not recipe.keys() >= Retrain().recipe().keys() or type(seed) is not int:
        raise ValueError(
            f"the original {loaded.source} says on which images it was trained, but not with which "
            f"whole recipe and seed: leave {TRAINING_SET} out of its training, or say them all"
        )
    return Retrain(**recipe), seed


def _told(loaded: LoadedOriginal) -> Mapping[str, Any]:
    told = loaded.config.training
    return told if isinstance(told, Mapping) else {}


def _records(
    original: TrainedOriginal | PublishedOriginal, recipe: Retrain, seed: int, forgotten: Tensor
) -> TrainingRecords:
    return OriginalTraining(
        recipe, original.train, original.fresh_model, original.model, seed, Accelerator()
    ).records(forgotten)
