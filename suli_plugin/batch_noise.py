"""Random noise for the images of a batch, the same in however many processes it is shared out."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from suli_plugin.images import Batch


class BatchNoise:
    """Standard normal noise for the samples of one step, drawn anew each time it is asked for.

    positions: int64 (B,), each once, of the step's whole batch. generator: all processes make
    their noise with the same one at the same time (`session.generator`); what is drawn later
    comes from a generator of its own, so that a process without a share draws no less.
    """

    def __init__(self, positions: Tensor, generator: torch.Generator) -> None:
        self._positions = positions
        self._seed = int(torch.randint(2**62, (), generator=generator))

    def draws(self, batch: Batch, count: int) -> Iterator[Tensor]:
        """`count` tensors of the shape of the batch's images, float32 on their device.

        batch: a share of the step's samples, in their order. One tensor is held at a time.
        """
        generator = torch.Generator().manual_seed(self._seed)
        mine = torch.isin(self._positions, batch.positions)
        shape = (len(self._positions), *batch.images.shape[1:])
        for _ in range(count):
            yield torch.randn(shape, generator=generator)[mine].to(
                batch.images.device, non_blocking=True
            )
