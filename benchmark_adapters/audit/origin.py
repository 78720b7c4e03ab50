"""The audit's tests of whose network a model is: what of it can be told from the original.

Read both ways, of features and of answers: what is added to features hides the original's among
others, but not from whoever reads them back, and the answers that are made of them stay.
"""

from __future__ import annotations

import torch
from torch import Tensor

from benchmark_adapters.audit.audit_test import Against
from benchmark_adapters.audit.features import SAME_FEATURES, both, forgotten_features
from benchmark_adapters.audit.observation import Observation
from benchmark_adapters.metrics.answer_order import answer_order
from benchmark_adapters.metrics.linear_map import explained_variance
from benchmark_adapters.metrics.scoring import of_classes

FOLDS = 10
# Controls that leave the other classes' answers as they were, almost.
SAME_ANSWERS = ("original", "logit_mask", "bias_mask", "head_distill", "noise_mask")


def _linear_map(seen: Observation, against: Against, settled: bool) -> float | None:
    own = forgotten_features(seen, against.classes, settled)
    return _explained(_originals(against), own, against)


def _read_back(seen: Observation, against: Against, settled: bool) -> float | None:
    own = forgotten_features(seen, against.classes, settled)
    return _explained(own, _originals(against), against)


def _answers_map(seen: Observation, against: Against, settled: bool) -> float | None:
    answers = _forgotten_answers(seen, against, settled)
    others = [k for k in range(answers.shape[1]) if k not in against.classes]
    if len(others) < 2:
        return None
    # Of an image's logits only the differences count.
    own = answers[:, others] - answers[:, others].mean(1, keepdim=True)
    return _explained(_originals(against), own, against)


def _order(seen: Observation, against: Against, settled: bool) -> float | None:
    """As a fraction: 1 for the original's order, 0.5 for one that has nothing to do with it."""
    own = _forgotten_answers(seen, against, settled)
    if own.shape[1] - len(against.classes) < 2:
        return None
    originals = _forgotten_answers(against.original, against, settled=False)
    return (1 + answer_order(own, originals, left_out=against.classes)) / 2


def _explained(given: Tensor, wanted: Tensor, against: Against) -> float | None:
    if len(given) < 2 * FOLDS:
        return None
    return explained_variance(given, wanted, folds=FOLDS, seed=against.seed)


def _originals(against: Against) -> Tensor:
    return forgotten_features(against.original, against.classes, settled=False)


def _forgotten_answers(seen: Observation, against: Against, settled: bool) -> Tensor:
    """Logits, float64 (N, K), of the images of `forgotten_features`."""
    parts = seen.features(settled=settled)
    rows = [parts["forget"].logits]
    if "test" in parts:
        rows.append(parts["test"].logits[of_classes(parts["test"].labels, against.classes)])
    return torch.cat(rows).double()


TESTS = (
    *both(
        "linear_map", "the original's features", "features",
        "how much of the features of forgotten images the original's explain linearly",
        _linear_map, ("class-wise",), SAME_FEATURES,
    ),
    *both(
        "read_back", "the original read back", "features",
        "how much of the original's features of forgotten images can be read in the model's",
        _read_back, ("class-wise",), SAME_FEATURES,
    ),
    *both(
        "answers_map", "the original's answers", "outputs",
        "how much of what it answers to forgotten images the original's features explain",
        _answers_map, ("class-wise",), SAME_FEATURES,
    ),
    *both(
        "answer_order", "order of answers", "outputs",
        "whether forgotten images are taken for other classes in the original's order",
        _order, ("class-wise",), SAME_ANSWERS,
    ),
)  # fmt: skip
