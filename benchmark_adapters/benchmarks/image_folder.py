"""`image-folder`: labelled images of any size in ImageNet's layout, and any published original."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, NoReturn

from torch import nn

from benchmark_adapters.benchmarks.parts import Images
from benchmark_adapters.benchmarks.real_images import RealImages
from benchmark_adapters.benchmarks.table_methods import METHODS
from benchmark_adapters.hub.access import HubError
from benchmark_adapters.images.base_data import BaseData, load_base
from benchmark_adapters.images.decoded_images import image_set
from benchmark_adapters.originals.checkpoints import CheckpointConfig
from benchmark_adapters.originals.weight_files import first_few
from benchmark_adapters.preprocessing.preprocessing import Preprocessing, usual
from suli_plugin.hyperparameters import bounds
from suli_plugin.images import ImageSet

INSTANCES = tuple(f"instance-{count}" for count in (64, 128, 256, 512))
# In this order; of a data set whose test labels are not public, the first with labels.
_TEST = ("test", "testing", "validation", "valid", "val", "dev", "eval", "evaluation")
_TRAINED_ANEW = ("retrain",)


@dataclass(frozen=True, kw_only=True)
class ImageFolder(RealImages):
    """Class folders in `train/` and `test/` (or `val/`), or a dataset in Parquet files.

    The original is published (torchvision, timm, transformers, our own checkpoints) and has seen
    the training images; output N is class N, in the order of the classes' names. Images become
    what its own configuration says: resize, crop, interpolation, mean and standard deviation; where
    no file says how, the usual way is taken, and said in the record. What would take more than
    2 GiB decoded is streamed, decoded by as many processes as SULI_DECODE_WORKERS says (by default
    one for each core, at most 8). Retrain is run where it is asked for by name.

    image_size: the side of the images, in pixels; None for the original's own. test_split: the
    part never trained on; None for the first of the usual names that has labels. config,
    image_column, label_column: of the data, where they can't be told.
    """

    name: ClassVar[str] = "image-folder"
    summary: ClassVar[str] = "any labelled folder or dataset, any published original (ImageNet)"
    default_scenarios: ClassVar[Sequence[str]] = ("class-1", "instance-64")
    all_scenarios: ClassVar[Sequence[str]] = INSTANCES
    methods: ClassVar[Sequence[str]] = tuple(m for m in METHODS if m not in _TRAINED_ANEW)
    mean: ClassVar[tuple[float, ...]] = ()
    std: ClassVar[tuple[float, ...]] = ()

    retain_scored: int | None = field(default=10_000, metadata=bounds(at_least=1))
    image_size: int | None = field(default=None, metadata=bounds(at_least=16))
    test_split: str | None = None
    config: str | None = None
    image_column: str | None = None
    label_column: str | None = None

    def scenarios(self) -> Sequence[str]:
        """See `Benchmark.scenarios`."""
        return (*(f"class-{label}" for label in range(self.number_of_classes())), *INSTANCES)

    def images(self, mean: tuple[float, ...], std: tuple[float, ...]) -> Images:
        """See `RealImages.images`; there are none without an original, which says how."""
        return self.images_as(mean, std, None)

    def fresh_model(self, num_classes: int) -> nn.Module:
        """See `RealImages.fresh_model`; the original says which network it is."""
        self._needs_original()

    def preprocessing_of(self, config: CheckpointConfig) -> Preprocessing:
        """See `RealImages.preprocessing_of`. Raises ValueError where no size is known."""
        said = config.preprocessing
        size = self.image_size or (said.size if said else _side(config))
        if size is None:
            raise ValueError(
                f"no file of the original {self.original} says the size of its images: pass "
                f"--image-size N"
            )
        return said.of_size(size) if said else usual(size)

    def images_as(
        self, mean: tuple[float, ...], std: tuple[float, ...], preprocessing: Preprocessing | None
    ) -> Images:
        """See `RealImages.images_as`."""
        if preprocessing is None:
            self._needs_original()
        train, test = self._parts()
        _check_same_classes(train, test)

        def made(part: BaseData) -> ImageSet:
            return image_set(part, size=preprocessing, mean=mean, std=std)

        how = f"images: {preprocessing.words}, says {preprocessing.said_by}"
        notes = (how, f"test images: the split {test.split}", *train.notes, *test.notes)
        names = train.class_names or tuple(map(str, range(int(train.labels.max()) + 1)))
        return Images(made(train), made(test), names, tuple(dict.fromkeys(notes)))

    def part_hash(self, part: ImageSet) -> str:
        """See `RealImages.part_hash`: over the encoded images, none of which is decoded."""
        return part.source_hash()

    def _parts(self) -> tuple[BaseData, BaseData]:
        train = self._load("train")
        there = [name for name in _TEST if name in train.splits]
        if self.test_split is not None or len(there) == 1:
            return train, self._load(self.test_split or there[0])
        failed: ValueError | None = None
        for name in there:
            try:
                return train, self._load(name)
            except HubError:
                raise
            except ValueError as error:
                failed = failed or error
        raise failed or ValueError(
            f"{train.pinned} has no part that was never trained on: expected one named "
            f"{', '.join(_TEST[:-1])} or {_TEST[-1]} beside 'train', or another named with "
            f"--test-split; the parts there: {', '.join(train.splits)}"
        )

    def _load(self, split: str) -> BaseData:
        """A part; its labels are read, so that one without any is refused here."""
        part = load_base(
            self.data,
            config=self.config,
            split=split,
            image_column=self.image_column,
            label_column=self.label_column,
        )
        _ = part.labels
        return part

    def _needs_original(self) -> NoReturn:
        raise ValueError(
            f"{self.name} needs an original, which says how images are made for it: pass "
            f"--original FOLDER, FILE or org/name"
        )


def _side(config: CheckpointConfig) -> int | None:
    """The side of the squares that an original takes, where it says that."""
    sides = set((config.input_size or ())[1:])
    return sides.pop() if len(sides) == 1 else None


def _check_same_classes(train: BaseData, test: BaseData) -> None:
    """Raise ValueError unless both parts have images of the same classes."""
    if train.class_names != test.class_names:
        raise ValueError(
            f"{train.pinned}: the classes of {train.split!r} and {test.split!r} are named "
            f"differently: {first_few(list(train.class_names))} and "
            f"{first_few(list(test.class_names))}"
        )
    labels = {part.split: set(part.labels.tolist()) for part in (train, test)}
    for one, other in ((train.split, test.split), (test.split, train.split)):
        alone = sorted(labels[one] - labels[other])
        if alone:
            names = [train.class_names[n] if train.class_names else str(n) for n in alone]
            raise ValueError(
                f"{train.pinned}: {one!r} has images of {first_few(names)} and {other!r} has "
                f"none: both parts need the same classes"
            )
