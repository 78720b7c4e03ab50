"""How much outputs depend on the input's pixels, in a form that can itself be trained on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from suli_plugin.images import Batch


@contextmanager
def differentiable_images(batch: Batch) -> Iterator[None]:
    """A forward pass within the block can be differentiated by the batch's images, and twice.

    Fused attention has no second derivative, so that attention is computed by its formula.
    """
    batch.images.requires_grad_()
    with sdpa_kernel(SDPBackend.MATH):
        yield


def squared_sensitivity(outputs: Tensor, images: Tensor) -> Tensor:
    """Squared L2 norm of the gradient of each sample's output by its own image, (B,), float32.

    outputs: (B,), one number a sample, of a forward pass within `differentiable_images` in
    float32 (`Term.full_precision`: differences of rounded outputs would be differentiated). The
    result can be differentiated by the weights. Where batch statistics are used a sample's image
    changes the others' outputs too, which then counts with its own.
    """
    (gradient,) = torch.autograd.grad(outputs.sum(), images, create_graph=True)
    return gradient.flatten(1).square().sum(1)
