"""What the benchmarks on real images share: where data and original are, and how a case is cut."""

from __future__ import annotations

import hashlib
import json
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, ClassVar, Literal

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from benchmark_adapters.baselines.retrain import Retrain
from benchmark_adapters.benchmarks.trained_originals import trained_original
from benchmark_adapters.originals import LoadedOriginal, load_original
from benchmark_adapters.provenance import state_hash
from benchmark_adapters.splits import forget_classes, forget_mask, stratified_draw
from suli_plugin.benchmark import Benchmark, Case
from suli_plugin.hyperparameters import bounds
from suli_plugin.images import ImageSet


@dataclass(frozen=True)
class Images:
    """Training and test images, normalised as the original takes them; disjoint."""

    train: ImageSet
    test: ImageSet


@dataclass(frozen=True, kw_only=True)
class RealImages(Benchmark):
    """A data set in a folder or repository, and an original that is published or trained here.

    data: a folder, or `org/name[@revision]` on the Hub. original: the same, or a file of weights;
    None trains one with `recipe`, once, and keeps it. retain_scored: score so many retain images,
    a stratified draw that the seed decides, instead of all. reference_fraction: of the training
    set's size, held out for the stop rule: from the training set where the original is trained
    here, from the test set where it is published and has seen all training images.
    """

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
    def fresh_model(self) -> nn.Module:
        """An untrained network of this benchmark's architecture, as `recipe` trains it."""

    def fingerprint(self, scenario: str, seed: int) -> str:
        """See `Benchmark.fingerprint`."""
        made_of = [_loaded(self).key, scenario, seed, self.retain_scored, self.reference_fraction]
        return hashlib.sha256(json.dumps(made_of).encode()).hexdigest()

    def case(self, scenario: str, seed: int) -> Case:
        """See `Benchmark.case`."""
        loaded = _loaded(self)
        train, held_out = loaded.parts.train, loaded.parts
        mask = forget_mask(train.labels, scenario, seed)
        retain = train.subset(torch.where(~mask)[0]).of_kind("retain")
        forget = train.subset(torch.where(mask)[0]).of_kind("forget")
        # Only the originals' recipe augments; methods see the images that were trained on.
        forget.augment = None
        return Case(
            original=loaded.original,
            forget=forget,
            retain=retain,
            reference=held_out.reference,
            test=held_out.test,
            fresh_model=loaded.fresh_model,
            forget_classes=forget_classes(scenario),
            retain_sample=self._sample(retain, seed),
            original_source=loaded.source,
        )

    def _sample(self, retain: ImageSet, seed: int) -> ImageSet | None:
        if self.retain_scored is None or self.retain_scored >= len(retain):
            return None
        everything = torch.arange(len(retain))
        return retain.subset(stratified_draw(everything, retain.labels, self.retain_scored, seed))


@dataclass(frozen=True)
class Parts:
    """train, without what is held out of it; reference and test, never trained on; disjoint."""

    train: ImageSet
    reference: ImageSet
    test: ImageSet


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
        drawn_from: Literal["train", "test"] = "test" if self.published else "train"
        self.parts = _held_out(images, drawn_from, benchmark.reference_fraction)

    @cached_property
    def key(self) -> str:
        """A hash of images, division and original, known without training."""
        made_of = [part.content_hash() for part in vars(self.parts).values()]
        if self.published is not None:
            made_of.append(state_hash(self.published.model))
        else:
            made_of += [json.dumps(self.benchmark.recipe.hyperparameters()), str(self.untrained)]
        return hashlib.sha256(json.dumps(made_of).encode()).hexdigest()

    @cached_property
    def untrained(self) -> nn.Module:
        """A network to be looked at, not trained."""
        return self.benchmark.fresh_model()

    @cached_property
    def original(self) -> nn.Module:
        """The published original, or the one trained on everything but what is held out."""
        if self.published is not None:
            return self.published.model
        return trained_original(
            self.benchmark.recipe,
            self.parts.train,
            self.benchmark.fresh_model,
            key=self.key,
            accelerator=Accelerator(),
        )

    def fresh_model(self) -> nn.Module:
        """An untrained twin of the original."""
        if self.published is not None:
            return self.published.fresh_model()
        return self.benchmark.fresh_model()

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
            "recipe": self.benchmark.recipe.hyperparameters(),
            "reference": "from the training set, held out before the original was trained",
        }


@lru_cache(maxsize=2)
def _loaded(benchmark: RealImages) -> _Loaded:
    return _Loaded(benchmark)


def _held_out(images: Images, drawn_from: Literal["train", "test"], fraction: float) -> Parts:
    pools = {"train": images.train, "test": images.test}
    pool = pools[drawn_from]
    size = max(1, round(fraction * len(images.train)))
    drawn = stratified_draw(torch.arange(len(pool)), pool.labels, size, seed=0)
    pools[drawn_from] = pool.subset(_others(drawn, len(pool)))
    reference = pool.subset(drawn).of_kind("reference")
    reference.augment = None
    return Parts(pools["train"], reference, pools["test"].of_kind("reference"))


def _others(drawn: Tensor, total: int) -> Tensor:
    left = torch.ones(total, dtype=torch.bool)
    left[drawn] = False
    return torch.where(left)[0]
