"""The audit's tests of what a model's features know, as it is and with settled statistics.

Settled: after BatchNorm's statistics were taken again of retained images, which brings back what
drift of them had hidden.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from benchmark_adapters.audit.audit_test import Against, AuditTest, Kind
from benchmark_adapters.audit.observation import Observation
from benchmark_adapters.audit.share_sizes import drawn_forgotten_test_images
from benchmark_adapters.metrics.linear_cka import linear_cka
from benchmark_adapters.metrics.linear_probe import linear_probe
from benchmark_adapters.metrics.nearest_class_mean import nearest_class_mean
from benchmark_adapters.metrics.prototype import prototype_attack
from benchmark_adapters.metrics.scoring import of_classes
from suli_plugin.evaluation import Predictions
from suli_plugin.request import Scope

# What a new head, or none, must find: controls that leave the features what they were.
SAME_FEATURES = (
    "original", "logit_mask", "bias_mask", "head_projection", "head_distill", "noise_mask",
)  # fmt: skip
DRIFTED = ("bn_drift", "drift_mask")

Value = Callable[[Observation, Against, bool], float | None]


def _training(seen: Observation, settled: bool) -> tuple[Tensor, Tensor] | None:
    """Features and labels of the training images, forgotten and retained; None without retained."""
    parts = seen.features(settled=settled)
    if "retain" not in parts:
        return None
    known = [parts[name] for name in ("forget", "retain")]
    return torch.cat([_rows(each) for each in known]), torch.cat([each.labels for each in known])


def _probe(seen: Observation, against: Against, settled: bool) -> float | None:
    train, test = _training(seen, settled), seen.features(settled=settled).get("test")
    if train is None or test is None or not of_classes(test.labels, against.classes).any():
        return None
    found = linear_probe(
        *train, _rows(test), test.labels, against.classes, seed=against.seed, samples_per_class=200
    )
    return found.forget_accuracy


def _nearest_mean(seen: Observation, against: Against, settled: bool) -> float | None:
    train, test = _training(seen, settled), seen.features(settled=settled).get("test")
    if train is None or test is None or not of_classes(test.labels, against.classes).any():
        return None
    return nearest_class_mean(*train, _rows(test), test.labels, against.classes).forget_accuracy


def _prototype(seen: Observation, against: Against, settled: bool) -> float | None:
    """The best of the sweep, its scale and bias chosen as the one constant is."""
    parts = seen.features(settled=settled)
    test, forget = parts.get("test"), parts["forget"]
    if seen.head is None or test is None or not of_classes(test.labels, against.classes).any():
        return None
    found = prototype_attack(
        _rows(test),
        test.logits,
        test.labels,
        _rows(forget),
        forget.labels,
        seen.head,
        against.classes,
        seed=against.seed,
    )
    return max(found.scaled)


def _cka_to_retrains(seen: Observation, against: Against, settled: bool) -> float | None:
    own = forgotten_features(seen, against.classes, settled)
    others = [forgotten_features(each, against.classes, settled) for each in against.retrains]
    return sum(linear_cka(own, other) for other in others) / len(others)


def _unlike_original(seen: Observation, against: Against) -> float:
    own, original = (
        forgotten_features(each, against.classes, False) for each in (seen, against.original)
    )
    return 1 - linear_cka(own, original)


def forgotten_features(seen: Observation, classes: Sequence[int], settled: bool) -> Tensor:
    """Features of the images to forget, and class-wise of unseen images of these classes."""
    parts = seen.features(settled=settled)
    rows = [_rows(parts["forget"])]
    if classes and "test" in parts:
        rows.append(_rows(parts["test"])[of_classes(parts["test"].labels, classes)])
    return torch.cat(rows)


def _rows(predictions: Predictions) -> Tensor:
    assert predictions.features is not None
    return predictions.features


def both(
    name: str,
    title: str,
    kind: Kind,
    meaning: str,
    value: Value,
    scopes: tuple[Scope, ...],
    catches: tuple[str, ...],
    *,
    needs_retrains: bool = False,
    to_original: Callable[[Observation, Against], float] | None = None,
    samples: Callable[[Observation, Against], int] | None = None,
) -> list[AuditTest]:
    """A test of a model as it is, and of its settled form, which drift can't hide from."""
    plain = AuditTest(
        name,
        title,
        kind,
        meaning,
        lambda seen, against: value(seen, against, False),
        scopes,
        catches,
        needs_retrains=needs_retrains,
        to_original=to_original,
        samples=samples,
    )
    settled = replace(
        plain,
        name=f"{name}_settled",
        title=f"{title}, settled",
        meaning="the same once BatchNorm's statistics were taken again of retained images",
        value=lambda seen, against: value(seen, against, True),
        catches=(*catches, *DRIFTED),
    )
    return [plain, settled]


TESTS = (
    *both(
        "cka", "CKA to Retrains", "features",
        "how like the Retrains' features those of forgotten images are",
        _cka_to_retrains, ("class-wise", "instance-wise"), SAME_FEATURES,
        needs_retrains=True, to_original=_unlike_original,
    ),
    *both(
        "linear_probe", "linear probe", "features",
        "what a new last layer makes of unseen images of the forgotten class",
        _probe, ("class-wise",), SAME_FEATURES, samples=drawn_forgotten_test_images,
    ),
    *both(
        "nearest_mean", "nearest class mean", "features",
        "whether unseen images of the forgotten class are still nearest to its mean",
        _nearest_mean, ("class-wise",), SAME_FEATURES, samples=drawn_forgotten_test_images,
    ),
    *both(
        "prototype", "five-shot prototype", "features",
        "what five images of the class bring back without training, at the best weight",
        _prototype, ("class-wise",), SAME_FEATURES, samples=drawn_forgotten_test_images,
    ),
)  # fmt: skip
