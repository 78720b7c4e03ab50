"""The audit's tests of what a model answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from benchmark_adapters.audit.audit_test import Against, AuditTest
from benchmark_adapters.audit.observation import Observation
from benchmark_adapters.audit.share_sizes import forget_images, forgotten_test_images
from benchmark_adapters.metrics.activation_distance import activation_distance
from benchmark_adapters.metrics.cmia import cmia
from benchmark_adapters.metrics.js_divergence import js_divergence
from benchmark_adapters.metrics.one_constant import OneConstant, one_constant_recovery
from benchmark_adapters.metrics.probabilities import probabilities, true_class_confidence
from benchmark_adapters.metrics.rmia import Rmia, rmia

# A constant can't bring back what a zero row no longer tells: logit_mask and head_projection.
RECOVERABLE = ("original", "bias_mask", "head_distill", "noise_mask", "bn_drift", "drift_mask")


def _one_constant(seen: Observation, against: Against) -> OneConstant | None:
    test = seen.answers.get("test")
    if test is None or not _tells_classes(test.labels, against.classes):
        return None
    return one_constant_recovery(test.logits, test.labels, against.classes)


def _recovered(seen: Observation, against: Against) -> float | None:
    found = _one_constant(seen, against)
    return found.forget_accuracy if found else None


def _margin_auc(seen: Observation, against: Against) -> float | None:
    found = _one_constant(seen, against)
    return found.auc if found else None


def _tells_classes(labels: Tensor, classes: Sequence[int]) -> bool:
    forgotten = torch.isin(labels, torch.tensor(list(classes), dtype=torch.int64))
    return bool(forgotten.any()) and not bool(forgotten.all())


def _forget_accuracy(seen: Observation, against: Against) -> float:
    return seen.answers["forget"].accuracy()


Distance = Callable[[Tensor, Tensor], float]


def _js(one: Tensor, other: Tensor) -> float:
    return js_divergence(one, other, base=2)


def _activation(one: Tensor, other: Tensor) -> float:
    """At most 1, as a fraction is."""
    return activation_distance(one, other, norm="l2") / 2**0.5


def _to_retrains(distance: Distance) -> Callable[[Observation, Against], float]:
    def value(seen: Observation, against: Against) -> float:
        own = probabilities(seen.answers["forget"].logits)
        others = [probabilities(each.answers["forget"].logits) for each in against.retrains]
        return sum(distance(own, other) for other in others) / len(others)

    return value


def _to_original(distance: Distance) -> Callable[[Observation, Against], float]:
    def value(seen: Observation, against: Against) -> float:
        own, original = (each.answers["forget"].logits for each in (seen, against.original))
        return distance(probabilities(own), probabilities(original))

    return value


def _class_membership(seen: Observation, against: Against) -> float | None:
    test = seen.answers.get("test")
    if test is None or not _tells_classes(test.labels, against.classes):
        return None
    retrained = torch.stack([each.answers["test"].logits for each in against.retrains])
    found = cmia(
        test.logits, test.labels, retrained, against.classes, neighbours=3, seed=against.seed
    )
    return found.forget_accuracy


def _rmia(seen: Observation, against: Against) -> Rmia | None:
    if "test" not in seen.answers:
        return None

    def confidences(of: Observation, name: str) -> Tensor:
        answers = of.answers[name]
        return true_class_confidence(answers.logits, answers.labels)

    def retrained(name: str) -> Tensor:
        return torch.stack([confidences(each, name) for each in against.retrains])

    return rmia(
        confidences(seen, "forget"),
        confidences(seen, "test"),
        retrained("forget"),
        retrained("test"),
        confidences(against.original, "forget").unsqueeze(0),
    )


def _rmia_auc(seen: Observation, against: Against) -> float | None:
    found = _rmia(seen, against)
    return found.auc if found else None


def _rmia_memorised(seen: Observation, against: Against) -> float | None:
    found = _rmia(seen, against)
    return found.strata_aucs[-1] if found and found.strata_aucs else None


def _rmia_at_1_percent(seen: Observation, against: Against) -> float | None:
    found = _rmia(seen, against)
    return found.tpr_at_1_percent if found else None


def _rmia_at_01_percent(seen: Observation, against: Against) -> float | None:
    found = _rmia(seen, against)
    return found.tpr_at_01_percent if found else None


TESTS = (
    AuditTest(
        "forget_accuracy", "forget accuracy", "outputs",
        "how much of the forget set is still answered rightly; a mask answers as Retrain does",
        _forget_accuracy, ("class-wise", "instance-wise"), ("original",), scale="plain",
        samples=forget_images,
    ),
    AuditTest(
        "one_constant", "after one constant", "outputs",
        "test accuracy on the forgotten class once one number is added to its logit",
        _recovered, ("class-wise",), RECOVERABLE, samples=forgotten_test_images,
    ),
    AuditTest(
        "margin_auc", "margin AUC", "outputs",
        "how well the forgotten logit's margin still tells the class from the others",
        _margin_auc, ("class-wise",), RECOVERABLE,
    ),
    AuditTest(
        "js_divergence", "JS to Retrains", "outputs",
        "how far answers to forgotten images are from the Retrains', as they are among themselves",
        _to_retrains(_js), ("class-wise", "instance-wise"), ("original",),
        needs_retrains=True, to_original=_to_original(_js),
    ),
    AuditTest(
        "activation_distance", "activation distance", "outputs",
        "the same as an L2 distance of the predicted distributions, over its largest value",
        _to_retrains(_activation), ("class-wise", "instance-wise"), ("original",),
        needs_retrains=True, to_original=_to_original(_activation),
    ),
    AuditTest(
        "cmia", "CMIA", "outputs",
        "whether the other logits lean as Retrains' do on images of the forgotten class",
        _class_membership, ("class-wise",), ("original", "logit_mask", "bias_mask"),
        needs_retrains=True, samples=forgotten_test_images,
    ),
    AuditTest(
        "rmia_auc", "RMIA AUC", "outputs",
        "whether samples are known better than Retrains know them, against unseen ones",
        _rmia_auc, ("instance-wise",), ("original",), needs_retrains=True,
    ),
    AuditTest(
        "rmia_memorised", "RMIA AUC, memorised", "outputs",
        "the same on the third of the forget set that the original had memorised most",
        _rmia_memorised, ("instance-wise",), ("original",), needs_retrains=True,
    ),
    AuditTest(
        "rmia_tpr_at_1", "RMIA TPR at 1 % FPR", "outputs",
        "the part of the forget set found while 1 % of unseen samples are taken for members",
        _rmia_at_1_percent, ("instance-wise",), ("original",), needs_retrains=True,
        samples=forget_images,
    ),
    AuditTest(
        "rmia_tpr_at_01", "RMIA TPR at 0.1 % FPR", "outputs",
        "the same while 0.1 % of unseen samples are",
        _rmia_at_01_percent, ("instance-wise",), ("original",), needs_retrains=True,
        samples=forget_images,
    ),
)  # fmt: skip
