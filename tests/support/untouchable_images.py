"""A test set that nobody may look at: whatever reads it raises."""

import torch

from suli_plugin.images import ImageSet


class Untouchable(ImageSet):
    """Raises for every way to an image or a label."""

    def __init__(self):
        super().__init__(torch.utils.data.TensorDataset())

    def __len__(self):
        raise AssertionError("the test set was counted")

    def pixels(self, positions, device):
        raise AssertionError("the test set was read")

    @property
    def labels(self):
        raise AssertionError("the labels of the test set were read")
