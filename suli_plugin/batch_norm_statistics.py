"""BatchNorm's running statistics taken again: undoes what drift of them has hidden."""

from __future__ import annotations

import math

import torch
from accelerate import Accelerator
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from suli_plugin.batch_norm import batch_norms, statistics_mode
from suli_plugin.evaluation import device_images
from suli_plugin.images import ImageSet
from suli_plugin.planned_reads import planned
from suli_plugin.twin import twin_of


def with_statistics_of(
    model: nn.Module,
    images: ImageSet,
    accelerator: Accelerator,
    *,
    batch_size: int = 500,
    channels_last: bool = False,
) -> nn.Module | None:
    """A twin whose running means and variances are those of `images`, None without BatchNorm.

    One pass in evaluation mode but for BatchNorm; the plain average of the statistics of batches
    of nearly one size, at most `batch_size` images each. Weights, other buffers and the model
    itself stay as they are. So are statistics taken after weights were averaged: Izmailov et al.,
    Averaging Weights Leads to Wider Optima, UAI 2018. Raises ValueError for an empty set.
    """
    if len(images) == 0:
        raise ValueError(f"the {images.kind} set is empty, expected images to take statistics of")
    if not _with_running_statistics(model):
        return None
    twin = twin_of(model)[0].to(accelerator.device)
    layers = _with_running_statistics(twin)
    kept = [(layer.momentum, layer.num_batches_tracked) for layer in layers]
    for layer in layers:
        layer.num_batches_tracked = torch.zeros_like(layer.num_batches_tracked)  # type: ignore[arg-type]  # set with running statistics
        layer.reset_running_stats()
        layer.momentum = None
    _one_pass(twin, images, accelerator, batch_size, channels_last)
    for layer, (momentum, seen) in zip(layers, kept, strict=True):
        layer.momentum, layer.num_batches_tracked = momentum, seen
    return twin


def _with_running_statistics(model: nn.Module) -> list[_BatchNorm]:
    return [layer for layer in batch_norms(model) if layer.running_mean is not None]


def _one_pass(
    model: nn.Module,
    images: ImageSet,
    accelerator: Accelerator,
    batch_size: int,
    channels_last: bool,
) -> None:
    """Every n-th image makes a batch, because sets may be in the order of their classes."""
    count = math.ceil(len(images) / batch_size)
    batches = [torch.arange(first, len(images), count) for first in range(count)]
    with statistics_mode(model), planned((images, positions) for positions in batches):
        for positions in batches:
            model(device_images(images, positions, accelerator.device, channels_last))
