"""The evaluation pass: one forward of every image, in evaluation mode."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from suli_plugin.batch_norm import evaluation_mode
from suli_plugin.divergence import Diverged
from suli_plugin.features import FeatureRows, penultimate_features
from suli_plugin.images import ImageSet
from suli_plugin.logits import LogitsOf, logits_of
from suli_plugin.planned_reads import planned

Forward = Callable[[nn.Module, Tensor], Any]


@dataclass(frozen=True)
class Predictions:
    """logits: float32 (N, K); labels: int64 (N,); both on the CPU, in the set's order.

    features: float32 (N, D) on the CPU, what the last layer gets to see; None if not asked for.
    """

    logits: Tensor
    labels: Tensor
    features: Tensor | None = None

    def accuracy(self) -> float:
        """Fraction of samples whose largest logit is their label's."""
        return float((self.logits.argmax(1) == self.labels).double().mean())

    def losses(self) -> Tensor:
        """Cross-entropy of each sample, float32 (N,), in nats."""
        return nn.functional.cross_entropy(self.logits, self.labels, reduction="none")

    def entropies(self) -> Tensor:
        """Entropy of each predicted distribution, float32 (N,), in nats."""
        log_p = self.logits.log_softmax(1)
        return -(log_p.exp() * log_p).sum(1)


def evaluate(
    model: nn.Module,
    images: ImageSet,
    accelerator: Accelerator,
    *,
    logits_of: LogitsOf = logits_of,
    mixed_precision: bool = False,
    channels_last: bool = False,
    batch_size: int = 500,
    features: bool = False,
    forward: Forward = lambda model, images: model(images),
) -> Predictions:
    """Predict every image once; each process takes a share and all get the whole.

    Scores are float32; `mixed_precision` uses the accelerator's precision instead (what a method
    does between steps). features: keep the penultimate features of the same pass, too, 4 N D
    bytes. forward: makes a model's output of images. Raises ValueError for an empty set, a label
    outside the model's outputs, and a model whose features cannot be told; Diverged for non-finite
    logits.
    """
    if len(images) == 0:
        raise ValueError(f"the {images.kind} set is empty, expected at least one image")
    shares = torch.arange(len(images)).tensor_split(accelerator.num_processes)
    share = shares[accelerator.process_index]
    # A process without a share still learns the number of outputs from one image.
    batches = (share if len(share) else torch.tensor([0])).split(batch_size)
    precision = accelerator.autocast() if mixed_precision else nullcontext()
    rows = FeatureRows(sum(len(part) for part in batches))
    with evaluation_mode(model), precision, ExitStack() as hooks:
        latest = hooks.enter_context(penultimate_features(model)) if features else None
        hooks.enter_context(planned((images, part) for part in batches))
        parts = []
        for part in batches:
            on_device = device_images(images, part, accelerator.device, channels_last)
            parts.append(logits_of(forward(model, on_device)).float())
            if latest is not None:
                rows.add(latest())
    logits = _of_all_processes(torch.cat(parts), share, len(images), accelerator).cpu()
    check_labels(images, images.labels, logits.shape[1])
    _check_finite(images, logits)
    if rows.written is None:
        return Predictions(logits, images.labels)
    whole = _of_all_processes(rows.written, share, len(images), accelerator)
    return Predictions(logits, images.labels, whole.cpu())


def device_images(
    images: ImageSet, positions: Tensor, device: torch.device, channels_last: bool
) -> Tensor:
    """The normalised images at these positions, in the memory layout that the model has."""
    return in_layout(images.batch(positions, device).images, channels_last)


def in_layout(images: Tensor, channels_last: bool) -> Tensor:
    """The same images, channels last in memory if asked and if they are (B, C, H, W)."""
    if channels_last and images.dim() == 4:
        return images.contiguous(memory_format=torch.channels_last)
    return images


def check_labels(images: ImageSet, labels: Tensor, outputs: int) -> None:
    """Raise ValueError if a label has no output of its own."""
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < outputs:
        outside = labels[(labels < 0) | (labels >= outputs)][0]
        raise ValueError(
            f"the {images.kind} set holds label {int(outside)}, "
            f"but the model has {outputs} outputs (0 to {outputs - 1})"
        )


def _check_finite(images: ImageSet, logits: Tensor) -> None:
    if not bool(logits.isfinite().all()):
        broken = int((~logits.isfinite()).any(1).sum())
        raise Diverged(
            f"the model gives non-finite logits for {broken} of {len(images)} {images.kind} "
            f"images; check the model, or lower the learning rate if this happened while unlearning"
        )


def _of_all_processes(own: Tensor, share: Tensor, total: int, accelerator: Accelerator) -> Tensor:
    if accelerator.num_processes == 1:
        return own
    own = own.to(accelerator.device)
    whole = torch.zeros(total, own.shape[1], device=own.device)
    whole[share.to(own.device)] = own[: len(share)]
    # Every row is written by one process and is zero elsewhere: the sum is exact and in order.
    summed: Tensor = accelerator.reduce(whole, "sum")
    return summed
