"""Selective probability adjustment (SPA): the soft labels of SU and SULI (paper, section 3.3)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import kl_div


def suppressed_classes(
    labels: Tensor,
    outputs: int,
    forget_classes: Sequence[int] = (),
    forgotten_before: Sequence[int] = (),
) -> Tensor:
    """Which classes each sample must lose, bool (B, K).

    Class-wise: all forgotten classes, for every sample. Otherwise: the sample's label (B,). In
    both, the classes that were forgotten earlier, so that no target brings them back.
    Raises ValueError where nothing would be left of a sample.
    """
    row = torch.zeros(outputs, dtype=torch.bool)
    row[list({*forget_classes, *forgotten_before})] = True
    mask = row.to(labels.device, non_blocking=True).repeat(len(labels), 1)
    left = outputs - int(row.sum())
    if not forget_classes:
        mask = mask.scatter(1, labels[:, None], True)
        # Only the last class that is left can be all of a sample: else the device is not asked.
        left -= left == 1 and bool(mask.all(1).any())
    if left == 0:
        raise ValueError("every class of a sample is suppressed: nothing is left to give it")
    return mask


def spa_targets(
    logits: Tensor, suppressed: Tensor, *, epsilon: float = 0.0, temperature: float = 1.0
) -> Tensor:
    """Log-probabilities (B, K) of the adjusted distribution P' (section 3.3, definition of P').

    The suppressed classes get the total mass epsilon, every other class keeps its proportion of
    the rest. Inside a suppressed set of several classes the proportions are kept, too.
    logits: float (B, K). suppressed: bool (B, K), not all of a sample, as `suppressed_classes` sees
    to. Built in logit space, because in probability space the normaliser S underflows for a
    confident model. With epsilon 0 a suppressed class has log-probability -inf.
    Raises ValueError for epsilon outside [0, 1) and a temperature that is not above 0.
    """
    if not 0 <= epsilon < 1:
        raise ValueError(f"epsilon must be at least 0 and below 1, got {epsilon}")
    if temperature <= 0:
        raise ValueError(f"temperature must be above 0, got {temperature}")
    scaled = logits / temperature
    kept = scaled.masked_fill(suppressed, -math.inf).log_softmax(1) + math.log1p(-epsilon)
    if epsilon == 0:
        return kept
    lost = scaled.masked_fill(~suppressed, -math.inf).log_softmax(1) + math.log(epsilon)
    # A sample without a suppressed class keeps its distribution whole.
    nothing = ~suppressed.any(1, keepdim=True)
    return torch.where(nothing, scaled.log_softmax(1), torch.where(suppressed, lost, kept))


def spa_loss(targets: Tensor, logits: Tensor, *, temperature: float = 1.0) -> Tensor:
    """KL(P' || P) of each sample, (B,), in nats (section 3.3); no factor T^2, as published.

    targets: log-probabilities (B, K). logits: the student's, (B, K).
    """
    log_p = (logits / temperature).log_softmax(1)
    return kl_div(log_p, targets.exp(), reduction="none").sum(1)
