"""The one-cycle learning rate: up to its peak, and down to nothing."""

from __future__ import annotations

from collections.abc import Callable

from torch.optim.lr_scheduler import LRScheduler, OneCycleLR
from torch.optim.optimizer import Optimizer


def one_cycle(peak: float, steps: int, warm_up: float = 0.1) -> Callable[[Optimizer], LRScheduler]:
    """One cycle over so many updates, for `Trainer.train(schedule=)`.

    warm_up: the fraction of the updates until the peak. Smith and Topin, Super-Convergence, 2017.
    """
    return lambda optimizer: OneCycleLR(
        optimizer,
        max_lr=peak,
        total_steps=steps + 1,
        # One step at least: torch divides by the length of the warm-up.
        pct_start=max(warm_up, 2 / (steps + 1)),
        cycle_momentum=False,
    )
