"""`utkface-allcnn`: the age group of a face, All-CNN."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import nn

from benchmark_adapters.architectures import build_architecture
from benchmark_adapters.baselines.retrain import Retrain
from benchmark_adapters.benchmarks.age_groups import AgeGroup, age_groups, group_of
from benchmark_adapters.benchmarks.divided_images import INSTANCES, DividedImages, LabelledImages
from benchmark_adapters.benchmarks.utkface_names import EXAMPLE, FORM, parse_name
from benchmark_adapters.images.base_data import load_images
from benchmark_adapters.images.image_data import ImageData
from benchmark_adapters.originals.weight_files import first_few

RECIPE = Retrain(epochs=60, batch_size=128, lr=0.1)


@dataclass(frozen=True, kw_only=True)
class UTKFaceAllCNN(DividedImages):
    """UTKFace (Zhang et al., CVPR 2017), whose files are named AGE_GENDER_RACE_DATE.

    The paper takes UTKFace with an All-CNN (section 4) and publishes neither its age groups nor
    its image size. The groups here are the default ones of the code of Cha et al. (AAAI 2024,
    csm9493/L2UL, utils.py, grouping MFD), whom it follows, after Jung et al. (CVPR 2021); that
    code resizes to 128x128, at four times the cost of the 64x64 here. The All-CNN has BatchNorm
    and no dropout, as Golatkar et al. (CVPR 2020) have it in the unlearning literature. The
    original's recipe is that of the CIFAR-10 benchmarks with twice the epochs for half the
    images; it is not tuned.

    age_groups: the classes in their order, `YOUNGEST-OLDEST`, both included; ages in none of
    them are left out.
    """

    name: ClassVar[str] = "utkface-allcnn"
    summary: ClassVar[str] = "UTKFace, age groups, All-CNN (the paper's data and network)"
    default_scenarios: ClassVar[Sequence[str]] = ("class-1", "instance-64")
    all_scenarios: ClassVar[Sequence[str]] = ("class-0", "class-1", "class-2", *INSTANCES)
    recipe: ClassVar[Retrain] = RECIPE
    settings: ClassVar[Mapping[str, Mapping[str, Any]]] = {"retrain": RECIPE.recipe()}
    mean: ClassVar[tuple[float, ...]] = (0.5, 0.5, 0.5)
    std: ClassVar[tuple[float, ...]] = (0.5, 0.5, 0.5)
    layout: ClassVar[str] = (
        f"a folder of images named {FORM}, such as {EXAMPLE}, or a dataset that kept these names"
    )
    remedy: ClassVar[str] = "choose other --age-groups"

    age_groups: tuple[str, ...] = ("0-19", "20-40", "41-116")

    def __post_init__(self) -> None:
        super().__post_init__()
        age_groups(self.age_groups)

    def scenarios(self) -> Sequence[str]:
        """See `Benchmark.scenarios`."""
        return (*(f"class-{label}" for label in range(len(self.age_groups))), *INSTANCES)

    def labelled(self) -> LabelledImages:
        """See `DividedImages.labelled`: the age group that each file's name tells."""
        data = load_images(self.data, split="train")
        names = file_names(data)
        ages, malformed = _ages(names)
        if not ages:
            raise ValueError(f"{data.pinned}: none of the {len(data)} images has an age")
        groups = age_groups(self.age_groups)
        numbers = {row: group_of(age, groups) for row, age in ages.items()}
        labels = {row: number for row, number in numbers.items() if number is not None}
        return LabelledImages(
            data=data,
            rows=torch.tensor(list(labels), dtype=torch.int64),
            labels=torch.tensor(list(labels.values()), dtype=torch.int64),
            class_names=self.age_groups,
            notes=_notes(data, malformed, len(ages) - len(labels), groups),
        )

    def fresh_model(self, num_classes: int) -> nn.Module:
        """See `RealImages.fresh_model`."""
        return build_architecture("all_cnn", num_classes, batch_norm=True, dropout=False)


def file_names(data: ImageData) -> list[str]:
    """The name or path of each image's file, row by row; empty where it was not kept."""
    return [path or "" for chunk in data.encoded() for path in chunk.field("path").to_pylist()]


def _ages(names: Sequence[str]) -> tuple[dict[int, int], list[str]]:
    """Ages in years by row, and the names that tell none."""
    ages: dict[int, int] = {}
    malformed: list[str] = []
    for row, name in enumerate(names):
        try:
            ages[row] = parse_name(name).age
        except ValueError:
            malformed.append(name.replace("\\", "/").rpartition("/")[2] or "no name")
    return ages, malformed


def _notes(
    data: ImageData, malformed: list[str], ungrouped: int, groups: Sequence[AgeGroup]
) -> tuple[str, ...]:
    """Lines on what was left out."""
    others = [split for split in data.splits if split != data.split]
    said = {
        f"not read: the splits {', '.join(others)}": len(others),
        f"left out: {len(malformed):,} whose names are not {FORM} "
        f"({first_few(sorted(malformed))})": len(malformed),
        f"left out: {ungrouped:,} of ages in none of the groups "
        f"{', '.join(group.name for group in groups)}": ungrouped,
    }
    return tuple(line for line, count in said.items() if count)
