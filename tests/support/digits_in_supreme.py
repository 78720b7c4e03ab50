"""The digits as a data set and a model of SUPREME, registered by `supreme.plugins`."""

from __future__ import annotations

import torch
from torch import nn
from torch.utils.data import Dataset

from benchmark_adapters.architectures.digits_convnet import digits_convnet
from benchmark_adapters.benchmarks.digits import digits_parts


class DigitsRows(Dataset):
    """Normalised floats (1, 8, 8) in SUPREME's rows `(image, fine label, label)`."""

    def __init__(self, root, train, unlearning, download, img_size=32, model_name=None):
        parts = digits_parts()
        self.images = parts.train if train else parts.test
        self.targets = self.images.labels.tolist()
        self.classes = [str(label) for label in range(10)]

    def __len__(self):
        return len(self.images)

    def __getitem__(self, position):
        image, label = self.images[position]
        return image, torch.Tensor([]), label


def DigitsNet(num_labels: int) -> nn.Module:
    assert num_labels == 10
    return digits_convnet()


def setup() -> None:
    import supreme

    supreme.register_dataset(
        "Digits",
        f"{__name__}:DigitsRows",
        root=".",
        class_dict={f"digit{label}": label for label in range(10)},
        rn_epochs=12,
        rn_milestones=[8, 10],
    )
    supreme.register_model("DigitsNet", f"{__name__}:DigitsNet")
