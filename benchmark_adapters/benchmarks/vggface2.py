"""`vggface2-resnet50`: whose face it is, ResNet-50."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import nn

from benchmark_adapters.architectures import build_architecture
from benchmark_adapters.baselines.retrain import Retrain
from benchmark_adapters.benchmarks.divided_images import INSTANCES, DividedImages, LabelledImages
from benchmark_adapters.images.base_data import BaseData, load_base
from suli_plugin.hyperparameters import bounds

RECIPE = Retrain(epochs=60, batch_size=64, lr=0.025)


@dataclass(frozen=True, kw_only=True)
class VGGFace2ResNet50(DividedImages):
    """VGGFace2 (Cao et al., FG 2018): a folder for each identity, `n000002/0001_01.jpg`.

    The published training and test folders hold different people, so only the training ones are
    read, and each identity's images are divided. The paper takes VGGFace2 with a ResNet-50
    (section 4) and does not say how many identities; Chen et al. (CVPR 2023), whom it follows,
    take 10. 224x224 is the size that the data set's authors train on. The mean and the standard
    deviation are those that torchvision's ResNet-50 takes. The original's recipe has the learning
    rate of Goyal et al. (2017), 0.1 for batches of 256 and less in proportion, and more epochs of
    smaller batches than the CIFAR-10 benchmarks, for fewer images; it is not tuned.

    identities: use the first so many, in the order of their names; None uses all. class-N is the
    identity at place N, counted from 0.
    """

    name: ClassVar[str] = "vggface2-resnet50"
    summary: ClassVar[str] = "VGGFace2, identities, ResNet-50 (the paper's data and network)"
    default_scenarios: ClassVar[Sequence[str]] = ("class-1", "instance-64")
    all_scenarios: ClassVar[Sequence[str]] = (
        *(f"class-{label}" for label in range(10)),
        *INSTANCES,
    )
    recipe: ClassVar[Retrain] = RECIPE
    settings: ClassVar[Mapping[str, Mapping[str, Any]]] = {"retrain": RECIPE.recipe()}
    mean: ClassVar[tuple[float, ...]] = (0.485, 0.456, 0.406)
    std: ClassVar[tuple[float, ...]] = (0.229, 0.224, 0.225)
    layout: ClassVar[str] = (
        "two or more folders of images, one for each identity, such as n000002/0001_01.jpg "
        "(in train/ or at the top), or a dataset with images and labels"
    )
    remedy: ClassVar[str] = "give it more images, or take its folder away"

    image_size: int = field(default=224, metadata=bounds(at_least=16))
    identities: int | None = field(default=None, metadata=bounds(at_least=2))

    def scenarios(self) -> Sequence[str]:
        """See `Benchmark.scenarios`."""
        number = self.identities or self.number_of_classes()
        return (*(f"class-{label}" for label in range(number)), *INSTANCES)

    def labelled(self) -> LabelledImages:
        """See `DividedImages.labelled`: the identities that were asked for, numbered anew."""
        data = load_base(self.data, split="train", class_folders=self.identities)
        # Names of the other split's identities have numbers, too.
        present = data.labels.unique()[: self.identities]
        if self.identities is not None and len(present) < self.identities:
            raise ValueError(
                f"{data.pinned} has {len(present)} identities, --identities asks for "
                f"{self.identities}"
            )
        rows = torch.where(torch.isin(data.labels, present))[0]
        return LabelledImages(
            data=data,
            rows=rows,
            labels=torch.searchsorted(present, data.labels[rows]),
            class_names=tuple(
                data.class_names[label] if data.class_names else str(label)
                for label in present.tolist()
            ),
            notes=_notes(data, len(rows)),
        )

    def fresh_model(self, num_classes: int) -> nn.Module:
        """See `RealImages.fresh_model`."""
        return build_architecture("torchvision/resnet50", num_classes)


def _notes(data: BaseData, kept: int) -> tuple[str, ...]:
    """Lines on what was not read."""
    others = [split for split in data.splits if split != data.split]
    said = {
        f"not read: the splits {', '.join(others)}, which are of other people": len(others),
        f"left out: {len(data) - kept:,} of other identities": len(data) - kept,
    }
    return tuple(line for line, count in said.items() if count)
