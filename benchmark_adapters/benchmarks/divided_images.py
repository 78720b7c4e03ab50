"""What the benchmarks share whose data has no test images of its own: they are divided here."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar

from torch import Tensor

from benchmark_adapters.benchmarks.augmentation import crop_and_flip
from benchmark_adapters.benchmarks.content_division import divided
from benchmark_adapters.benchmarks.parts import Images
from benchmark_adapters.benchmarks.real_images import RealImages
from benchmark_adapters.hub.access import HubError
from benchmark_adapters.images.chosen_images import ChosenImages, chosen
from benchmark_adapters.images.decoded_images import image_set
from benchmark_adapters.images.distinct_images import content_hashes, distinct
from benchmark_adapters.images.image_data import ImageData
from suli_plugin.failure import Failure
from suli_plugin.hyperparameters import bounds

# The paper's numbers of forgotten samples (section 4, table 3).
INSTANCES = tuple(f"instance-{count}" for count in (64, 128, 256, 512))


@dataclass(frozen=True)
class LabelledImages:
    """The images of a split that have a class.

    rows: of `data`, those that have one. labels: int64, one a row. class_names: by label. notes:
    lines on what was left out, for a person.
    """

    data: ImageData
    rows: Tensor
    labels: Tensor
    class_names: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class DividedImages(RealImages):
    """Images without a published test set; of each class a part becomes one, by content.

    An image that is there several times, byte for byte, is kept once, and not at all where its
    copies are of different classes. An image's id is the SHA-256 of its bytes, so names, places
    and layouts of the files change nothing. image_size: the side that all images are resized to,
    in pixels, bilinear and antialiased, whatever their shape. test_fraction: of each class.
    division_seed: decides which images those are; see `divided`.

    layout: what `data` may be. remedy: what to do about a class of too few images.
    """

    augmentation_name: ClassVar[str] = "crop_and_flip by an eighth of the side"
    layout: ClassVar[str]
    remedy: ClassVar[str]

    image_size: int = field(default=64, metadata=bounds(at_least=16))
    test_fraction: float = field(default=0.2, metadata=bounds(above=0, below=1))
    division_seed: int = field(default=0, metadata=bounds(at_least=0))

    @abstractmethod
    def labelled(self) -> LabelledImages:
        """What is in `data`. Raises ValueError where it can't be read or has no classes."""

    def images(self, mean: tuple[float, ...], std: tuple[float, ...]) -> Images:
        """See `RealImages.images`."""
        found = self._found()
        kept, left_out = _without_copies(found)
        self._check_counts(kept)
        everything = image_set(
            kept,
            size=self.image_size,
            mean=mean,
            std=std,
            # As usual for 32x32 images: an eighth of the side.
            augment=partial(crop_and_flip, padding=self.image_size // 8),
        )
        train_rows, test_rows = divided(
            kept.ids, kept.labels, test_fraction=self.test_fraction, seed=self.division_seed
        )
        test = everything.subset(test_rows)
        test.augment = None
        notes = (f"{len(kept):,} of {len(found.data):,} images are kept", *found.notes, *left_out)
        return Images(everything.subset(train_rows), test, kept.class_names, notes + self._trust())

    def _found(self) -> LabelledImages:
        try:
            return self.labelled()
        except HubError:
            raise
        except ValueError as error:
            kind = Failure if isinstance(error, Failure) else ValueError
            raise kind(f"{error}; {self.name} takes {self.layout}") from error

    def _check_counts(self, kept: ChosenImages) -> None:
        counts = kept.labels.bincount(minlength=len(kept.class_names)).tolist()
        for name, count in zip(kept.class_names, counts, strict=True):
            if count < 2:
                has = ("no image", "one image")[count]
                raise ValueError(
                    f"{kept.pinned} has {has} of class {name}, copies aside; every class needs "
                    f"two, one to train on and one to test: {self.remedy}"
                )

    def _trust(self) -> tuple[str, ...]:
        if self.original is None:
            return ()
        return (
            f"{self.original} is taken to have been trained on these training images and on no "
            f"other: the test images are only unseen if it was",
        )


def _without_copies(found: LabelledImages) -> tuple[ChosenImages, tuple[str, ...]]:
    """The images that are kept, by content, and lines on those that are not."""
    images = chosen(found.data, found.rows.tolist(), found.labels, [], found.class_names)
    each = distinct(content_hashes(images), found.labels)
    kept = chosen(
        images, each.rows.tolist(), found.labels[each.rows], each.hashes, found.class_names
    )
    reasons = {
        "copies, byte for byte, of an image that is kept": each.copies,
        "there byte for byte in several classes": each.contradictory,
    }
    return kept, tuple(f"left out: {count:,} {why}" for why, count in reasons.items() if count)
