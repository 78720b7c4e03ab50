"""Answer order: do two models rank the classes of an image in the same order?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmark_adapters.metrics.probabilities import Array, as_float64


def answer_order(one: Array, other: Array, *, left_out: Sequence[int] = ()) -> float:
    """Spearman's rank correlation of two models' answers to an image, mean over images, [-1, 1].

    one, other: logits (or probabilities) of the same images, (N, K) each. left_out: classes that
    do not count, the forgotten ones: how an original ranks the others is what a mask leaves. No
    scale, temperature or other increasing function of the answers changes it. Equal answers share
    their mean rank, and an image for which a model's are all equal counts 0. Spearman, The Proof
    and Measurement of Association between Two Things, 1904. Raises ValueError for other shapes
    and for fewer than two classes that count.
    """
    first, second = (
        as_float64(values, name, 2).numpy()
        for values, name in ((one, "first answers"), (other, "second answers"))
    )
    kept = np.setdiff1d(np.arange(first.shape[1]), list(left_out))
    if first.shape != second.shape or len(kept) < 2:
        raise ValueError(
            f"answer order: expected two models' answers (N, K) to the same images and two "
            f"classes at least that count, got {first.shape}, {second.shape} and {len(kept)}"
        )
    ranks = _centred_ranks(first[:, kept]), _centred_ranks(second[:, kept])
    alike = (ranks[0] * ranks[1]).sum(1)
    own = np.sqrt(np.square(ranks[0]).sum(1) * np.square(ranks[1]).sum(1))
    return float(np.divide(alike, own, out=np.zeros_like(alike), where=own > 0).mean())


def _centred_ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.stats import rankdata

    ranks = rankdata(values, axis=1)
    return np.asarray(ranks - ranks.mean(1, keepdims=True))
