"""How much each weight matters to a set of images; of the whole training set once an original."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import torch
from torch import Tensor, nn

from suli_plugin.content_hash import content_hash
from suli_plugin.cost import Passes
from suli_plugin.images import ImageSet
from suli_plugin.kept_tensors import kept_tensors, tensors_hash
from suli_plugin.mixed_images import MixedImages
from suli_plugin.rounds import Loss
from suli_plugin.session import Session


@dataclass(frozen=True)
class Importance:
    """The mean over batches of what `of` makes of the gradient of a batch's mean loss.

    name: tells one importance from another on disk. of: elementwise, to values of at least 0.
    batch_size: of one image, the gradients are those of single images.
    """

    name: str
    loss: Loss
    of: Callable[[Tensor], Tensor]
    batch_size: int

    def of_forget_set(self, model: nn.Module, session: Session) -> list[Tensor]:
        """One tensor for each trainable parameter, of its shape; in evaluation mode."""
        return self._over(_ordered(session.forget, session.forget.ids, session), model, session)

    def of_training_set(self, model: nn.Module, session: Session) -> list[Tensor]:
        """The same over forget and retain set together.

        They don't depend on how the training set is split, since what decides the order of images
        in batches doesn't. They are kept in the cache folder for this original, these images and
        this importance, and read from there when they are asked for again. The passes are counted
        all the same, so that a record does not depend on what was kept; seconds do.
        """
        images = MixedImages([session.forget, session.retain])
        ids = [*session.forget.ids, *session.retain.ids]
        session.passes.add(images.kinds(torch.arange(len(images))), backward=1)
        uncounted = copy.copy(session)
        uncounted.passes = Passes()

        def make() -> dict[str, Tensor]:
            made = self._over(_ordered(images, ids, session), model, uncounted)
            return {f"{number:06d}": tensor for number, tensor in enumerate(made)}

        decides = [_content(images, ids), self.name, self.batch_size, *_computation(model, session)]
        key = hashlib.sha256(json.dumps(decides).encode()).hexdigest()
        kept = kept_tensors(f"importances-{key[:32]}", make, session.accelerator)
        return [kept[name].to(session.device) for name in sorted(kept)]

    def _over(self, images: ImageSet, model: nn.Module, session: Session) -> list[Tensor]:
        batches = -(-len(images) // self.batch_size)
        total: list[Tensor] = []
        for gradients, _ in session.gradients(model, images, self.loss, batch_size=self.batch_size):
            total = total or [torch.zeros_like(gradient) for gradient in gradients]
            for summed, gradient in zip(total, gradients, strict=True):
                summed += self.of(gradient) / batches
        return total


def _ordered(images: ImageSet, ids: list[str], session: Session) -> ImageSet:
    """Class by class where classes are forgotten; else, and within a class, by the ids' hashes."""
    hashed = [hashlib.sha256(name.encode()).digest() for name in ids]
    classes = images.labels.tolist() if session.scope == "class-wise" else [0] * len(ids)
    return images.subset(sorted(range(len(ids)), key=lambda at: (classes[at], hashed[at])))


def _content(images: ImageSet, ids: list[str]) -> str:
    def read(part: list[int]) -> Iterator[Any]:
        for positions in torch.tensor(part).split(256):
            yield from images.batch(positions, torch.device("cpu")).images.numpy()

    return content_hash(ids, images.labels.tolist(), read)


def _computation(model: nn.Module, session: Session) -> list[Any]:
    """What else decides them, to the last bit, JSON-able."""
    logits = session.logits_of
    return [
        version("suli-plugin"),
        str(model),
        tensors_hash(model.state_dict()),
        [name for name, parameter in model.named_parameters() if parameter.requires_grad],
        f"{getattr(logits, '__module__', '')}.{getattr(logits, '__qualname__', '')}",
        session.scope,
        session.device.type,
        session.accelerator.mixed_precision,
        session.accelerator.num_processes,
        session.channels_last,
        *filter(None, [session.forward_passes.compiler]),
    ]
