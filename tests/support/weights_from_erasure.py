"""A measure of ERASURE that keeps weights; apart, as ERASURE's modules import one another."""

from __future__ import annotations

from pathlib import Path

import torch
from erasure.core.measure import Measure


class SaveWeights(Measure):
    """Keeps the original and the unlearned model, in the order of the configuration."""

    def process(self, e):
        folder = Path(self.params["folder"])
        number = len(list(folder.glob("*.pt")))
        pair = (e.predictor.model.state_dict(), e.unlearned_model.model.state_dict())
        torch.save(pair, folder / f"{number}.pt")
        return e
