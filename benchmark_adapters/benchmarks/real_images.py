"""What the benchmarks on real images share: where data and original are, and how a case is cut."""

from __future__ import annotations

import hashlib
import json
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, ClassVar, Literal

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from benchmark_adapters.baselines.retrain import Retrain
from benchmark_adapters.benchmarks.original_training import OriginalTraining, no_training
from benchmark_adapters.benchmarks.parts import Images, class_lines, held_out
from benchmark_adapters.benchmarks.trained_originals import ORIGINAL_SEED, trained_original
from benchmark_adapters.originals.load import LoadedOriginal, load_original
from benchmark_adapters.originals.weight_files import first_few
from benchmark_adapters.records.provenance import state_hash
from benchmark_adapters.splits.recipes import forget_classes, forget_mask, stratified_draw
from suli_plugin.benchmark import Benchmark, Case
from suli_plugin.hyperparameters import bounds
from suli_plugin.images import ImageSet
from suli_plugin.training_records import TrainingRecords

METHODS = (
    "original",
    "retrain",
    "finetune",
    "neg_grad",
    "neg_grad_plus",
    "random_label",
    "initial_label",
    "boundary_shrink",
    "boundary_expand",
    "adv",
    "adv_imp",
    "delete",
    "su",
    "su@official",
    "suli@paper",
    "suli@official",
    "suli@tuned",
    "bn_drift",
    "logit_mask",
    "bias_mask",
    "drift_mask",
    "noise_mask",
    "head_projection",
    "head_distill",
)


@dataclass(frozen=True, kw_only=True)
class RealImages(Benchmark):
    """A data set in a folder or repository, and an original that is published or trained here.

    data: a folder, or `org/name[@revision]` on the Hub. original: the same, or a file of weights;
    None trains one with `recipe`, once, and keeps it. retain_scored: score so many retain images,
    a stratified draw that the seed decides, instead of all. reference_fraction: of the training
    set's size, held out for the stop rule: from the training set where the original is trained
    here, from the test set where it is published and has seen all training images.
    """

    methods: ClassVar[Sequence[str]] = METHODS
    relearn_updates: ClassVar[int] = 40
    recipe: ClassVar[Retrain] = Retrain()
    mean: ClassVar[tuple[float, ...]]
    std: ClassVar[tuple[float, ...]]

    data: str = ""
    original: str | None = None
    retain_scored: int | None = field(default=None, metadata=bounds(at_least=1))
    reference_fraction: float = field(default=0.01, metadata=bounds(above=0, below=0.5))

    @abstractmethod
    def images(self, mean: tuple[float, ...], std: tuple[float, ...]) -> Images:
        """All images of `data`. Raises ValueError where they can't be had."""

    @abstractmethod
    def fresh_model(self, num_classes: int) -> nn.Module:
        """An untrained network of this benchmark's architecture, as `recipe` trains it."""

    def describe(self) -> Sequence[str]:
        """See `Benchmark.describe`: how many images there are, and which class is which."""
        loaded = _loaded(self)
        parts, names = loaded.parts, loaded.class_names
        return (
            f"{self.name}: {len(parts.train):,} training, {len(parts.reference):,} reference and "
            f"{len(parts.test):,} test images of {len(names)} classes in {self.data}",
            *loaded.notes,
            *class_lines(parts, names),
        )

    def number_of_classes(self) -> int:
        """How many classes `data` has, which reads it."""
        return len(_loaded(self).class_names)

    def original_recipe(self) -> Mapping[str, Any] | None:
        """See `Benchmark.original_recipe`: known where the original is trained here."""
        return self.recipe.recipe() if self.original is None else None

    def fingerprint(self, scenario: str, seed: int) -> str:
        """See `Benchmark.fingerprint`."""
        made_of = [_loaded(self).key, scenario, seed, self.retain_scored, self.reference_fraction]
        return hashlib.sha256(json.dumps(made_of).encode()).hexdigest()

    def case(self, scenario: str, seed: int) -> Case:
        """See `Benchmark.case`."""
        loaded = _loaded(self)
        parts = loaded.parts
        train = parts.train
        mask = forget_mask(train.labels, scenario, seed)
        retain = train.subset(torch.where(~mask)[0]).of_kind("retain")
        forget = train.subset(torch.where(mask)[0]).of_kind("forget")
        # Only the originals' recipe augments; methods see the images that were trained on.
        forget.augment = None
        return Case(
            original=loaded.original,
            forget=forget,
            retain=retain,
            reference=parts.reference,
            test=parts.test,
            fresh_model=loaded.fresh_model,
            forget_classes=forget_classes(scenario),
            retain_sample=self._sample(retain, seed),
            original_source=loaded.source,
            records=loaded.records(mask),
        )

    def _sample(self, retain: ImageSet, seed: int) -> ImageSet | None:
        if self.retain_scored is None or self.retain_scored >= len(retain):
            return None
        everything = torch.arange(len(retain))
        return retain.subset(stratified_draw(everything, retain.labels, self.retain_scored, seed))


class _Loaded:
    """A benchmark's data and original, read once."""

    def __init__(self, benchmark: RealImages) -> None:
        self.benchmark = benchmark
        self.published: LoadedOriginal | None = None
        mean, std = benchmark.mean, benchmark.std
        if not benchmark.data:
            raise ValueError(
                f"{benchmark.name} needs its images: pass --data FOLDER or --data org/name"
            )
        if benchmark.original is not None:
            self.published = load_original(benchmark.original)
            mean, std = self.published.config.mean, self.published.config.std
        images = benchmark.images(mean, std)
        self.class_names, self.notes = images.class_names, images.notes
        if self.published is not None:
            _check_classes(self.published, images.class_names, benchmark.data)
        drawn_from: Literal["train", "test"] = "test" if self.published else "train"
        self.parts = held_out(images, drawn_from, benchmark.reference_fraction)

    @cached_property
    def key(self) -> str:
        """A hash of images, division and original, known without training."""
        made_of = [part.content_hash() for part in vars(self.parts).values()]
        if self.published is not None:
            made_of.append(state_hash(self.published.model))
        else:
            made_of += [json.dumps(self.benchmark.recipe.recipe()), str(self.untrained)]
        return hashlib.sha256(json.dumps(made_of).encode()).hexdigest()

    @cached_property
    def untrained(self) -> nn.Module:
        """A network to be looked at, not trained."""
        return self._fresh()

    @cached_property
    def original(self) -> nn.Module:
        """The published original, or the one trained on everything but what is held out."""
        if self.published is not None:
            return self.published.model
        return trained_original(
            self.benchmark.recipe,
            self.parts.train,
            self._fresh,
            key=self.key,
            accelerator=Accelerator(),
        )

    def fresh_model(self) -> nn.Module:
        """An untrained twin of the original."""
        if self.published is not None:
            return self.published.fresh_model()
        return self._fresh()

    def records(self, forgotten: Tensor) -> TrainingRecords:
        """What the original's training left. forgotten: bool (N,), of the training images."""
        if self.published is not None:
            return no_training()
        return OriginalTraining(
            self.benchmark.recipe,
            self.parts.train,
            self._fresh,
            self.original,
            ORIGINAL_SEED,
            Accelerator(),
        ).records(forgotten)

    def _fresh(self) -> nn.Module:
        return self.benchmark.fresh_model(len(self.class_names))

    @property
    def source(self) -> Mapping[str, Any]:
        """Where the original comes from, for the record."""
        if self.published is not None:
            return {
                "kind": "published",
                **self.published.provenance(),
                "reference": "from the test set, as the original has seen all training images",
            }
        return {
            "kind": "trained",
            "recipe": self.benchmark.recipe.recipe(),
            "reference": "from the training set, held out before the original was trained",
        }


@lru_cache(maxsize=2)
def _loaded(benchmark: RealImages) -> _Loaded:
    return _Loaded(benchmark)


def _check_classes(published: LoadedOriginal, names: tuple[str, ...], data: str) -> None:
    """Raise ValueError unless the original's outputs are the classes of the data."""
    config = published.config
    if config.num_classes != len(names):
        raise ValueError(
            f"the original {published.source} has {config.num_classes} outputs, but {data} has "
            f"{len(names)} classes ({first_few(list(names))}): give the original of these classes"
        )
    # Names may be spelled otherwise; the same name at another place is another order.
    for label, name in enumerate(config.classes or ()):
        if name in names and names.index(name) != label:
            raise ValueError(
                f"output {label} of the original {published.source} is {name!r}, which is class "
                f"{names.index(name)} of {data}: give an original of the same order of classes"
            )
