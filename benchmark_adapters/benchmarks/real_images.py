"""What the benchmarks on real images share: where data and original are, and how a case is cut."""

from __future__ import annotations

import hashlib
import json
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, ClassVar

import torch
from torch import nn

from benchmark_adapters.baselines.retrain import Retrain
from benchmark_adapters.benchmarks.augmentation import CROP_AND_FLIP
from benchmark_adapters.benchmarks.case_originals import (
    PublishedOriginal,
    TrainedOriginal,
    known_training,
    trained_on,
)
from benchmark_adapters.benchmarks.parts import Images, Parts, class_lines, held_out, limited
from benchmark_adapters.benchmarks.sequence import turns_of
from benchmark_adapters.benchmarks.table_methods import METHODS
from benchmark_adapters.benchmarks.trained_originals import ORIGINAL_SEED
from benchmark_adapters.originals.checkpoints import CheckpointConfig
from benchmark_adapters.originals.load import load_original
from benchmark_adapters.preprocessing.preprocessing import Preprocessing
from benchmark_adapters.splits.recipes import forget_classes, forget_mask, stratified_draw
from suli_plugin.benchmark import Benchmark, Case
from suli_plugin.hyperparameters import bounds
from suli_plugin.images import ImageSet


@dataclass(frozen=True, kw_only=True)
class RealImages(Benchmark):
    """A data set in a folder or repository, and an original that is published or trained here.

    data: a folder, or `org/name[@revision]` on the Hub. original: the same, or a file of weights;
    None trains one with `recipe`, once, and keeps it. retain_scored: score so many retain images,
    a stratified draw that the seed decides, instead of all. reference_fraction: of the training
    set's size, held out for the stop rule: from the training set where the original is trained
    here, or was so (see `suli bench export`); from the test set where it is published and has seen
    all training images. limit_images: for a trial, a stratified draw of so many training images
    and of test images in proportion; records name it, and no board has it among its options.

    original_a_seed: whether each seed has an original of its own; `{seed}` in `original` is the
    seed then. augmentation_name: of what the originals' recipe does to training images.
    """

    methods: ClassVar[Sequence[str]] = METHODS
    relearn_updates: ClassVar[int] = 40
    recipe: ClassVar[Retrain] = Retrain()
    augmentation_name: ClassVar[str] = CROP_AND_FLIP
    original_a_seed: ClassVar[bool] = False
    mean: ClassVar[tuple[float, ...]]
    std: ClassVar[tuple[float, ...]]

    data: str = ""
    original: str | None = None
    retain_scored: int | None = field(default=None, metadata=bounds(at_least=1))
    reference_fraction: float = field(default=0.01, metadata=bounds(above=0, below=0.5))
    limit_images: int | None = field(default=None, metadata=bounds(at_least=1))

    @abstractmethod
    def images(self, mean: tuple[float, ...], std: tuple[float, ...]) -> Images:
        """All images of `data`. Raises ValueError where they can't be had."""

    def images_as(
        self, mean: tuple[float, ...], std: tuple[float, ...], preprocessing: Preprocessing | None
    ) -> Images:
        """The same for a published original; images of one size need no preprocessing."""
        return self.images(mean, std)

    def preprocessing_of(self, config: CheckpointConfig) -> Preprocessing | None:
        """What becomes of images for a published original; None where they stay as they are."""
        return None

    def part_hash(self, part: ImageSet) -> str:
        """What a case's fingerprint has of a part."""
        return part.content_hash()

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

    def options(self) -> dict[str, Any]:
        """See `Benchmark.options`; where no limit is set, none is told, as before there was one."""
        told = super().options()
        if self.limit_images is None:
            del told["limit_images"]
        return told

    def number_of_classes(self) -> int:
        """How many classes `data` has, which reads it."""
        return len(_loaded(self).class_names)

    def original_recipe(self) -> Mapping[str, Any] | None:
        """See `Benchmark.original_recipe`: known where the original is, or was, trained here."""
        if self.original is None:
            return self.recipe.recipe()
        recipe = _loaded(self).original.source.get("recipe")
        return dict(recipe) if recipe else None

    def kept_original(self, seed: int) -> str | None:
        """See `Benchmark.kept_original`: kept where it is trained here."""
        original = _loaded(self, seed).original
        return original.kept_name if isinstance(original, TrainedOriginal) else None

    def fingerprint(self, scenario: str, seed: int) -> str:
        """See `Benchmark.fingerprint`."""
        key = _loaded(self, seed).original.key
        made_of = [key, scenario, seed, self.retain_scored, self.reference_fraction]
        return hashlib.sha256(json.dumps(made_of).encode()).hexdigest()

    def case(self, scenario: str, seed: int) -> Case:
        """See `Benchmark.case`."""
        loaded = _loaded(self, seed)
        parts, original = loaded.parts, loaded.original
        train = parts.train
        drawn_by = 0 if self.one_forget_set else seed
        mask = forget_mask(train.labels, scenario, drawn_by)
        retain = train.subset(torch.where(~mask)[0]).of_kind("retain")
        forget = train.subset(torch.where(mask)[0]).of_kind("forget")
        # Only the originals' recipe augments; methods see the images that were trained on.
        forget.augment = None
        return Case(
            original=original.model,
            forget=forget,
            retain=retain,
            reference=parts.reference,
            test=parts.test,
            fresh_model=original.fresh_model,
            forget_classes=forget_classes(scenario),
            retain_sample=self._sample(retain, seed),
            original_source=original.source,
            records=original.records(mask),
            turns=turns_of(scenario, drawn_by, train, mask, parts.reference),
        )

    def _sample(self, retain: ImageSet, seed: int) -> ImageSet | None:
        if self.retain_scored is None or self.retain_scored >= len(retain):
            return None
        everything = torch.arange(len(retain))
        return retain.subset(stratified_draw(everything, retain.labels, self.retain_scored, seed))

    def original_of(self, seed: int) -> str | None:
        """Where the original of a seed is, None if it is trained here."""
        return self.original and self.original.replace("{seed}", str(seed))

    def originals_seed(self, seed: int) -> int:
        """The seed, if it has an original of its own; 0 where all seeds share one."""
        own = self.original_a_seed if self.original is None else "{seed}" in self.original
        return seed if own else 0


class _Loaded:
    """A benchmark's data and original, read once. class_names, notes: see `Images`."""

    parts: Parts
    original: TrainedOriginal | PublishedOriginal

    def __init__(self, benchmark: RealImages, seed: int) -> None:
        self._benchmark = benchmark
        if not benchmark.data:
            raise ValueError(
                f"{benchmark.name} needs its images: pass --data FOLDER or --data org/name"
            )
        published = benchmark.original_of(seed)
        if published is None:
            images = _images(benchmark, benchmark.mean, benchmark.std, None)
            self.parts = held_out(images, "train", benchmark.reference_fraction)
            self.original = TrainedOriginal(
                benchmark.recipe,
                self.parts.train,
                lambda: benchmark.fresh_model(len(self.class_names)),
                self._hashes,
                ORIGINAL_SEED + seed,
                benchmark.augmentation_name,
            )
        else:
            images = self._read_published(benchmark, published)
        self.class_names, self.notes = images.class_names, images.notes

    def _read_published(self, benchmark: RealImages, place: str) -> Images:
        loaded, fraction = load_original(place), benchmark.reference_fraction
        preprocessing = benchmark.preprocessing_of(loaded.config)
        images = _images(benchmark, loaded.config.mean, loaded.config.std, preprocessing)
        told, recipe, seed = trained_on(loaded, benchmark.augmentation_name), None, 0
        self.parts = held_out(images, "train" if told else "test", fraction)
        hashes = self._hashes
        if told == hashes["train"]:
            recipe, seed = known_training(loaded)
        elif told:
            self.parts = held_out(images, "test", fraction)
            hashes = self._hashes
        original = PublishedOriginal(loaded, self.parts.train, hashes, recipe, seed, preprocessing)
        original.check_classes(images.class_names, benchmark.data)
        self.original = original
        return images

    @property
    def _hashes(self) -> dict[str, str]:
        return {name: self._benchmark.part_hash(part) for name, part in vars(self.parts).items()}


def _loaded(benchmark: RealImages, seed: int = 0) -> _Loaded:
    return _read(benchmark, benchmark.originals_seed(seed))


@lru_cache(maxsize=4)
def _read(benchmark: RealImages, seed: int) -> _Loaded:
    return _Loaded(benchmark, seed)


@lru_cache(maxsize=2)
def _images(
    benchmark: RealImages,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    preprocessing: Preprocessing | None,
) -> Images:
    """Shared by the originals of all seeds."""
    images = benchmark.images_as(mean, std, preprocessing)
    return images if benchmark.limit_images is None else limited(images, benchmark.limit_images)


def forget_what_was_read() -> None:
    """Let go of all images and originals; the next case reads them anew."""
    _read.cache_clear()
    _images.cache_clear()
