"""What is audited: a checkpoint, its original, and the data that both are asked about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from accelerate import Accelerator

from benchmark_adapters.benchmarks.augmentation import crop_and_flip
from benchmark_adapters.checkpoint_audit.asked import Asked, Receipt
from benchmark_adapters.checkpoint_audit.sources import load_beside
from benchmark_adapters.deletion.data import DeletionData, load_deletion_data
from benchmark_adapters.deletion.fit import check_data
from benchmark_adapters.deletion.forgotten_before import forgotten_before
from benchmark_adapters.originals.load import LoadedOriginal, load_original
from benchmark_adapters.records.provenance import state_hash
from suli_plugin.images import ImageSet
from suli_plugin.unlearner import ForgetRequest, Scope

# So many images of each set are looked at: every model answers them, and no test needs more.
LIMITS = {"forget": 2_000, "retain": 2_000, "test": 5_000}
# So many forgotten images are given to controls, which need no more to hide a class.
FOR_CONTROLS = 600


@dataclass(frozen=True)
class Subject:
    """original, checkpoint: as they were loaded; data: as the original takes them.

    retrained: Retrains that were given. augment: whether Retrains are trained on cropped and
    mirrored images. seed: of every draw. notes: for a person.
    """

    original: LoadedOriginal
    checkpoint: LoadedOriginal
    retrained: Sequence[LoadedOriginal]
    data: DeletionData
    augment: bool
    seed: int
    notes: tuple[str, ...] = ()

    @property
    def classes(self) -> tuple[int, ...]:
        """The forgotten ones, empty for instance-wise."""
        return self.data.forget_classes

    @property
    def scope(self) -> Scope:
        """Of the request."""
        return "class-wise" if self.classes else "instance-wise"

    @cached_property
    def sets(self) -> dict[str, ImageSet]:
        """What every model is asked about: of large sets some images, the same for all models."""
        images: Mapping[str, ImageSet] = {str(name): of for name, of in self.data.images.items()}
        return {name: _some(images[name], most) for name, most in LIMITS.items() if name in images}

    @property
    def request(self) -> ForgetRequest:
        """What controls and Retrains may be given; of a large forget set a part."""
        return ForgetRequest(
            forget=_few_of_each(self.data.forget, self.classes, FOR_CONTROLS),
            retain=self._retain,
            reference=self.data.reference,
            fresh_model=self.original.fresh_model,
            image_shape=self.data.forget.image_shape,
            forget_classes=self.classes,
            forgotten_before=self.data.before.classes,
        )

    @property
    def _retain(self) -> ImageSet | None:
        """The retain set; only a Retrain reads its augmentation, no control trains on it."""
        retain = self.data.retain
        if retain is None or not self.augment:
            return retain
        twin = retain.of_kind("retain")
        twin.augment = crop_and_flip
        return twin

    @cached_property
    def original_hash(self) -> str:
        """Of the original's weights."""
        return state_hash(self.original.model)

    @cached_property
    def checkpoint_hash(self) -> str:
        """Of the audited weights."""
        return state_hash(self.checkpoint.model)


def subject_of(
    checkpoint: str,
    asked: Asked,
    accelerator: Accelerator,
    *,
    retrained: Sequence[str] = (),
    augment: bool = False,
    seed: int = 0,
) -> Subject:
    """Load the models, then the data. Raises ValueError where they do not fit each other."""
    original = load_original(asked.original, **asked.given)
    unlearned = load_beside(checkpoint, original, asked.given, "CHECKPOINT")
    given = [load_beside(each, original, asked.given, "--retrained") for each in retrained]
    data = load_deletion_data(
        asked.data,
        mean=original.config.mean,
        std=original.config.std,
        classes=original.config.classes,
        preprocessing=original.config.preprocessing,
        before=forgotten_before(original),
        accelerator=accelerator,
    )
    check_data(original, data)
    _check_distinct(original, unlearned, given)
    loaded = Subject(original, unlearned, given, data, augment, seed)
    notes = (*original.notes, *data.notes, *asked.notes, *_contradictions(loaded, asked.receipt))
    if loaded.checkpoint_hash == loaded.original_hash:
        notes = (*notes, "CHECKPOINT has the very weights of --original: nothing was unlearned")
    return Subject(original, unlearned, given, data, augment, seed, notes)


def _check_distinct(
    original: LoadedOriginal, checkpoint: LoadedOriginal, retrained: Sequence[LoadedOriginal]
) -> None:
    """Raise ValueError for a Retrain that is one of the other models."""
    known = {
        state_hash(original.model): "the original itself",
        state_hash(checkpoint.model): "the audited checkpoint itself",
    }
    for each in retrained:
        found = state_hash(each.model)
        if found in known:
            raise ValueError(
                f"--retrained {each.source} is {known[found]}: a spread is that of Retrains "
                f"trained each under a seed of its own"
            )
        known[found] = f"the same as {each.source}"


def _contradictions(loaded: Subject, receipt: Receipt | None) -> list[str]:
    """What the receipt says otherwise than what was loaded."""
    if receipt is None:
        return []
    forgotten = receipt["forget_set"]
    told = ", ".join(forgotten["class_names"]) or f"{forgotten['count']} samples by id"
    pairs: Mapping[str, tuple[str, str]] = {
        "its receipt is of other weights than these": (
            loaded.checkpoint_hash, receipt["result"]["state_hash"]
        ),
        f"its receipt names another original, {receipt['original']['source']}": (
            loaded.original_hash, receipt["original"]["state_hash"]
        ),
        f"its receipt says that other images were forgotten ({told})": (
            loaded.data.hashes["forget"], forgotten["sha256"]
        ),
    }  # fmt: skip
    return [f"{line}; audited is what was given" for line, (a, b) in pairs.items() if a != b]


def _some(images: ImageSet, most: int) -> ImageSet:
    """At random, since every n-th could be of one class where classes take turns."""
    if len(images) <= most:
        return images
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    return images.subset(order[:most].sort().values)


def _few_of_each(images: ImageSet, classes: tuple[int, ...], most: int) -> ImageSet:
    """So many at most, of every class as many; instance-wise at random."""
    if len(images) <= most or not classes:
        return _some(images, most)
    first = max(1, most // len(classes))
    rows = [torch.where(images.labels == label)[0][:first] for label in classes]
    return images.subset(torch.cat(rows).sort().values)
