"""KLOM: the divergence of unlearned models' margins from retrained models', sample by sample."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark_adapters.metrics.probabilities import Array, as_float64, as_labels
from suli_plugin.log_odds import label_odds

BINS = 20
CLIP = 100.0
# What an empty bin of the retrained models counts as.
FLOOR = 1e-5
# From so many models a side on, a sample whose margins are off by three deviations is above 95 % of
# the samples that are not off in four cases of five (a test simulates it).
LEAST_MODELS = 10


@dataclass(frozen=True)
class Klom:
    """per_sample: float64 (M,), in nats, >= 0. p95: its 95th percentile. mean: its mean."""

    per_sample: NDArray[np.float64]
    p95: float
    mean: float


def logit_margins(logits: Array, labels: Array) -> NDArray[np.float64]:
    """The own class's logit minus the log of the summed exponentials of the others, float64 (M,).

    logits: (M, K) of one model; labels: (M,). It is the log odds of the own class.
    """
    scores = as_float64(logits, "logits", 2)
    odds = label_odds(scores, as_labels(labels, "labels", len(scores)))
    margins: NDArray[np.float64] = odds.numpy()
    return margins


def klom(unlearned: Array, retrained: Array) -> Klom:
    """KL divergence of unlearned from retrained models' margins, by histograms, for each sample.

    unlearned: margins (U, M) of U unlearned models of M samples; retrained: (R, M); see
    `logit_margins`. Both are clipped to +-100 and counted in 20 equal bins over the range of both
    together; a bin that is empty for the retrained ones counts as 1e-5. Georgiev et al.,
    Attribute-to-Delete, ICLR 2025, as EasyDUB (Pawelczyk et al., arXiv 2602.16400, 2026) counts
    it, which prints P95 of 100 models; its code drops the largest margin of a sample, which is in
    the last bin here. Histograms of few models hardly overlap even where nothing differs: raises
    ValueError for fewer than LEAST_MODELS a side, and for other samples.
    """
    ours, theirs = (
        np.clip(as_float64(given, f"{name} margins", 2).numpy(), -CLIP, CLIP)
        for name, given in (("unlearned", unlearned), ("retrained", retrained))
    )
    if ours.shape[1] != theirs.shape[1] or min(len(ours), len(theirs)) < LEAST_MODELS:
        raise ValueError(
            f"KLOM: expected margins of the same samples from {LEAST_MODELS} models a side or "
            f"more, got {ours.shape} and {theirs.shape}"
        )
    found = _divergences(ours, theirs)
    return Klom(found, float(np.percentile(found, 95)), float(found.mean()))


def _divergences(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> NDArray[np.float64]:
    lowest = np.minimum(ours.min(0), theirs.min(0))
    width = np.maximum(ours.max(0), theirs.max(0)) - lowest
    p, q = (_histogram(side, lowest, np.where(width > 0, width, 1.0)) for side in (ours, theirs))
    ratio = np.where(p > 0, p, 1.0) / np.where(p > 0, np.maximum(q, FLOOR), 1.0)
    # Rounding, and bins that the floor lifts, may leave a little less than zero.
    return np.maximum((p * np.log(ratio)).sum(0), 0.0)


def _histogram(
    margins: NDArray[np.float64], lowest: NDArray[np.float64], width: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Of each sample the part of the models in each bin, (BINS, M)."""
    bins = np.minimum(((margins - lowest) / width * BINS).astype(np.int64), BINS - 1)
    return np.stack([(bins == each).mean(0) for each in range(BINS)])
