"""RMIA: membership inference, sample by sample, with Retrains as the models without the sample."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark_adapters.metrics.probabilities import Array, as_float64
from benchmark_adapters.metrics.roc import part_below, roc_auc, true_positive_rate

_Floats = NDArray[np.float64]
# Of the authors' code, where no model trained with the samples tells it.
OFFLINE_SLOPE = 0.3
STRATA = 3


@dataclass(frozen=True)
class Rmia:
    """forget_scores (N,), unseen_scores (M,): in [0, 1], high where the model seems to know it.

    auc: of forget against unseen samples, 0.5 is ideal. tpr_at_1_percent, tpr_at_01_percent: the
    part of the forget set that is found while 1 or 0.1 % of the unseen samples are taken for
    members; None for fewer than 100 or 1,000 unseen ones, which can't resolve it. slope: of the
    approximation, see `rmia`. strata_aucs: AUC in thirds of the forget set, from the least
    memorised to the most; empty without originals or with less than three samples.
    """

    forget_scores: _Floats
    unseen_scores: _Floats
    auc: float
    tpr_at_1_percent: float | None
    tpr_at_01_percent: float | None
    slope: float
    strata_aucs: tuple[float, ...]


def rmia(
    forget: Array,
    unseen: Array,
    retrained_forget: Array,
    retrained_unseen: Array,
    originals_forget: Array | None = None,
) -> Rmia:
    """Robust membership inference against k Retrains (Zarifzadeh et al., RMIA, ICML 2024).

    forget: (N,) true-class confidences of the audited model on the forget set; unseen: (M,) on
    images that no model was trained on. retrained_forget: (k, N), retrained_unseen: (k, M), those
    of the Retrains. originals_forget: (j, N), of models of the original's recipe that were trained
    with the forget set. A sample's ratio is its confidence over the mean that models give it,
    trained with and without it; its score is the part of the unseen samples with a smaller ratio
    (half of those with the same), which is the source's with gamma = 1 and them as population.

    Models with an unseen sample don't exist, so that both sides take the source's offline form:
    with it, the confidence is slope * p + 1 - slope, p the Retrains' mean. The slope is fitted to
    the originals, which say what it is, or .3, the default of the authors' code. Compare with
    Retrain's, above all in the strata: a Retrain's most memorised third may be far below 0.5 (on
    digits .23 to .53). Raises ValueError for other shapes or values outside [0, 1].
    """
    ours = [_confidences(forget, "forget", 1), _confidences(unseen, "unseen", 1)]
    without = [
        _confidences(retrained_forget, "Retrains' forget", 2, len(ours[0])),
        _confidences(retrained_unseen, "Retrains' unseen", 2, len(ours[1])),
    ]
    slope, strata = OFFLINE_SLOPE, list[NDArray[np.int64]]()
    if originals_forget is not None:
        known = _confidences(originals_forget, "originals' forget", 2, len(ours[0]))
        slope = _fitted_slope(without[0].mean(0), known.mean(0))
        strata = _thirds(memorisation(known, without[0]))
    ratios = [each / _expected(p.mean(0), slope) for each, p in zip(ours, without, strict=True)]
    scores, others = (part_below(each, ratios[1]) for each in ratios)
    return Rmia(
        scores,
        others,
        float(roc_auc(scores, others)),
        true_positive_rate(scores, others, 0.01),
        true_positive_rate(scores, others, 0.001),
        slope,
        tuple(float(roc_auc(scores[stratum], others)) for stratum in strata),
    )


def memorisation(originals: Array, retrains: Array) -> _Floats:
    """How much surer of a sample models trained with it are, float64 (N,), in [-1, 1].

    originals: (j, N) true-class confidences of models trained with the samples; retrains: (k, N)
    without. Means' difference, after Feldman and Zhang, What Neural Networks Memorize and Why,
    NeurIPS 2020, who count right answers.
    """
    known = _confidences(originals, "originals'", 2)
    unknown = _confidences(retrains, "Retrains'", 2, known.shape[1])
    difference: _Floats = known.mean(0) - unknown.mean(0)
    return difference


def _expected(without: _Floats, slope: float) -> _Floats:
    """The mean confidence of models with and without a sample; never zero."""
    return np.maximum((without + (slope * without + 1 - slope)) / 2, np.finfo(np.float64).tiny)


def _fitted_slope(without: _Floats, known: _Floats) -> float:
    """Least squares for 1 - known = slope * (1 - without), in [0, 1]."""
    missing = 1 - without
    total = float(missing @ missing)
    return float(np.clip(missing @ (1 - known) / total, 0, 1)) if total > 0 else OFFLINE_SLOPE


def _thirds(memorised: _Floats) -> list[NDArray[np.int64]]:
    """Positions from the least to the most memorised, cut into equal parts."""
    if len(memorised) < STRATA:
        return []
    return np.array_split(np.argsort(memorised, kind="stable"), STRATA)


def _confidences(values: Array, whose: str, dims: int, samples: int | None = None) -> _Floats:
    known: _Floats = as_float64(values, f"{whose} confidences", dims).numpy()
    if known.min() < 0 or known.max() > 1 or known.shape[-1] != (samples or known.shape[-1]):
        raise ValueError(
            f"{whose} confidences: expected probabilities of {samples or 'the same'} samples, "
            f"got {known.min():.3g} to {known.max():.3g} of {known.shape[-1]}; "
            f"use true_class_confidence()"
        )
    return known
