"""The tests of outputs against Retrains as modules of Hugging Face `evaluate`.

See `evaluate_modules`. What can't be told (a rate that too few samples leave open) is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import datasets
import numpy as np

from benchmark_adapters.metrics.activation_distance import activation_distance
from benchmark_adapters.metrics.answer_order import answer_order
from benchmark_adapters.metrics.cmia import cmia
from benchmark_adapters.metrics.evaluate_modules import LABEL, NUMBER, ROW, UnlearningMetric
from benchmark_adapters.metrics.js_divergence import js_divergence
from benchmark_adapters.metrics.klom import klom
from benchmark_adapters.metrics.one_constant import one_constant_recovery
from benchmark_adapters.metrics.retrain_spread import retrain_spread
from benchmark_adapters.metrics.rmia import rmia

_DISTANCES: dict[str, Callable[[Any, Any], float]] = {
    "js_divergence": js_divergence,
    "activation_distance": activation_distance,
}


class OneConstantRecovery(UnlearningMetric):
    """predictions: logits of test images; references: labels. `compute` takes forget_classes."""

    source, predictions, references = one_constant_recovery, ROW, LABEL

    def _compute(self, predictions: Any, references: Any, **options: Any) -> dict[str, float]:
        found = one_constant_recovery(predictions, references, **options)
        return {
            "one_constant_forget_accuracy": found.forget_accuracy,
            "one_constant_auc": found.auc,
            "one_constant": found.constant,
        }


class ClassMembershipInference(UnlearningMetric):
    """predictions: logits of test images; references: labels.

    `compute` also takes retrained, (k, M, K), and forget_classes.
    """

    source, predictions, references = cmia, ROW, LABEL

    def _compute(self, predictions: Any, references: Any, **options: Any) -> dict[str, float]:
        found = cmia(predictions, references, **options)
        return {
            "cmia_forget_accuracy": found.forget_accuracy,
            "cmia_neighbour_accuracy": found.neighbour_accuracy,
        }


class RobustMembershipInference(UnlearningMetric):
    """predictions: true-class confidences; references: 1 for the forget set, 0 for unseen data.

    `compute` also takes retrained, (k, N) confidences of the same samples in the same order, and
    may take originals, (j, N).
    """

    source, predictions, references = rmia, NUMBER, LABEL

    def _compute(
        self, predictions: Any, references: Any, *, retrained: Any, originals: Any = None
    ) -> dict[str, float]:
        forget = np.asarray(references) == 1
        ours, theirs = np.asarray(predictions), np.asarray(retrained)
        known = None if originals is None else np.asarray(originals)[:, forget]
        found = rmia(ours[forget], ours[~forget], theirs[:, forget], theirs[:, ~forget], known)
        scores = {
            "rmia_auc": found.auc,
            "rmia_tpr_at_1_percent": found.tpr_at_1_percent,
            "rmia_tpr_at_01_percent": found.tpr_at_01_percent,
        }
        scores |= {f"rmia_auc_third_{at}": auc for at, auc in enumerate(found.strata_aucs, 1)}
        return {name: score for name, score in scores.items() if score is not None}


class MarginDivergence(UnlearningMetric):
    """predictions, references: margins of one sample by all unlearned, by all retrained models."""

    source, predictions, references = klom, ROW, ROW

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        found = klom(np.asarray(predictions).T, np.asarray(references).T)
        return {"klom_p95": found.p95, "klom_mean": found.mean}


class RetrainDistance(UnlearningMetric):
    """predictions: probabilities of one image, (K,); references: those of k Retrains, (k, K).

    `compute` may take distance, `js_divergence` (the default) or `activation_distance`.
    """

    source, predictions, references = retrain_spread, ROW, datasets.Sequence(ROW)

    def _compute(
        self, predictions: Any, references: Any, *, distance: str = "js_divergence"
    ) -> dict[str, float]:
        if distance not in _DISTANCES:
            raise ValueError(f"distance is one of {sorted(_DISTANCES)}, got {distance!r}")
        retrains = np.moveaxis(np.asarray(references), 1, 0)
        found = retrain_spread(_DISTANCES[distance], np.asarray(predictions), list(retrains))
        return {
            distance: found.model,
            "retrain_mean": float(np.mean(found.retrains)),
            "retrain_deviation": float(np.std(found.retrains, ddof=1)),
        }


class AnswerOrder(UnlearningMetric):
    """predictions, references: logits of the unlearned and of the original model."""

    source, predictions, references = answer_order, ROW, ROW

    def _compute(self, predictions: Any, references: Any, **options: Any) -> dict[str, float]:
        return {"answer_order": answer_order(predictions, references, **options)}
