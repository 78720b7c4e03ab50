"""Models of any architecture that know the digits, without a step of training."""

from __future__ import annotations

import torch
from accelerate import Accelerator
from digits_as_images import _digits
from torch import nn

from suli_plugin.evaluation import evaluate
from suli_plugin.images import ImageSet


def taught(
    model: nn.Module, mean: list[float], std: list[float], *, classes: int = 5, rows: int = 70
) -> nn.Module:
    """The model with its last linear layer fitted to the first digits of these classes, 32x32.

    Fewer images than features can be told apart by least squares whatever the features are.
    """
    pixels, labels = _digits(32)
    keep = labels < classes
    images = ImageSet.of_tensors(
        torch.from_numpy(pixels[keep][:rows]).permute(0, 3, 1, 2),
        torch.from_numpy(labels[keep][:rows]),
        mean=mean,
        std=std,
    )
    found = evaluate(model, images, Accelerator(cpu=True), features=True)
    features = torch.cat([found.features, torch.ones(rows, 1)], dim=1).double()
    wanted = 10 * nn.functional.one_hot(images.labels, classes).double()
    fitted = torch.linalg.lstsq(features, wanted, driver="gelsd").solution.float()
    *_, last = (layer for layer in model.modules() if isinstance(layer, nn.Linear))
    with torch.no_grad():
        last.weight.copy_(fitted[:-1].T)
        last.bias.copy_(fitted[-1])
    return model
