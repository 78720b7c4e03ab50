"""The metrics as modules of Hugging Face `evaluate`.

Instantiate them: `ActivationDistance().compute(predictions=..., references=...)`. Nothing is
loaded from the Hub, because `evaluate.load` runs the code that it finds there. Nothing imports
this file by itself: `evaluate` and `datasets` take seconds. A module without data is falsy
(its length is 0), so ask `is not None`.
"""

from __future__ import annotations

from typing import Any, ClassVar

import datasets
import evaluate
import numpy as np

from benchmark_adapters.metrics.activation_distance import activation_distance
from benchmark_adapters.metrics.average_gap import unlearning_accuracy
from benchmark_adapters.metrics.js_divergence import js_divergence
from benchmark_adapters.metrics.linear_probe import linear_probe
from benchmark_adapters.metrics.membership_inference import loss_membership_inference
from benchmark_adapters.metrics.mia_efficacy import mia_efficacy
from benchmark_adapters.metrics.zrf import zrf

NUMBER = datasets.Value("float64")
ROW = datasets.Sequence(NUMBER)
LABEL = datasets.Value("int64")
SET = datasets.Value("string")


class UnlearningMetric(evaluate.Metric):
    """One of our functions. predictions, references: the features of the two columns."""

    source: ClassVar[Any]
    predictions: ClassVar[Any]
    references: ClassVar[Any]

    def _info(self) -> evaluate.MetricInfo:
        text = str(self.source.__doc__)
        return evaluate.MetricInfo(
            description=text.partition("\n")[0],
            citation=text,
            inputs_description=str(type(self).__doc__),
            features=datasets.Features(
                {"predictions": self.predictions, "references": self.references}
            ),
        )


class ForgetAccuracy(UnlearningMetric):
    """predictions: predicted classes; references: labels. Accuracy and unlearning accuracy."""

    source, predictions, references = unlearning_accuracy, LABEL, LABEL

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        accuracy = float(np.mean(np.asarray(predictions) == np.asarray(references)))
        return {"accuracy": accuracy, "unlearning_accuracy": unlearning_accuracy(accuracy)}


class LossMembershipInference(UnlearningMetric):
    """predictions: losses; references: 1 for the forget set, 0 for unseen data."""

    source, predictions, references = loss_membership_inference, NUMBER, LABEL

    def _compute(self, predictions: Any, references: Any, **options: Any) -> dict[str, float]:
        losses, members = np.asarray(predictions), np.asarray(references) == 1
        found = loss_membership_inference(losses[members], losses[~members], **options)
        return {
            "mia_accuracy": found.accuracy,
            "mia_deviation": found.deviation,
            "mia_auc": found.auc,
        }


class MiaEfficacy(UnlearningMetric):
    """predictions: true-class confidences; references: `forget`, `retain` or `unseen`."""

    source, predictions, references = mia_efficacy, NUMBER, SET

    def _compute(self, predictions: Any, references: Any, **options: Any) -> dict[str, float]:
        values, sets = np.asarray(predictions), np.asarray(references)
        unknown = sorted(set(sets.tolist()) - {"forget", "retain", "unseen"})
        if unknown:
            raise ValueError(f"mia_efficacy: references are forget, retain, unseen; got {unknown}")
        sides = (values[sets == name] for name in ("forget", "retain", "unseen"))
        return {"mia_efficacy": mia_efficacy(*sides, **options)}


class ActivationDistance(UnlearningMetric):
    """predictions, references: probabilities of the unlearned and of the retrained model."""

    source, predictions, references = activation_distance, ROW, ROW

    def _compute(self, predictions: Any, references: Any, **options: Any) -> dict[str, float]:
        return {"activation_distance": activation_distance(predictions, references, **options)}


class JsDivergence(UnlearningMetric):
    """predictions, references: probabilities of the unlearned and of the retrained model."""

    source, predictions, references = js_divergence, ROW, ROW

    def _compute(self, predictions: Any, references: Any, **options: Any) -> dict[str, float]:
        return {"js_divergence": js_divergence(predictions, references, **options)}


class Zrf(UnlearningMetric):
    """predictions, references: probabilities of the unlearned and of an untrained model."""

    source, predictions, references = zrf, ROW, ROW

    def _compute(self, predictions: Any, references: Any, **options: Any) -> dict[str, float]:
        return {"zrf": zrf(predictions, references, **options)}


class LinearProbeAccuracy(UnlearningMetric):
    """predictions: features of test images; references: labels.

    `compute` also takes train_features, train_labels and forget_classes.
    """

    source, predictions, references = linear_probe, ROW, LABEL

    def _compute(self, predictions: Any, references: Any, **options: Any) -> dict[str, float]:
        found = linear_probe(test_features=predictions, test_labels=references, **options)
        return {
            "linear_probe_forget_accuracy": found.forget_accuracy,
            "linear_probe_retain_accuracy": found.retain_accuracy,
        }
