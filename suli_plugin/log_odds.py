"""How sure a network is of a label, without the rounding of probabilities near one."""

from __future__ import annotations

import torch
from torch import Tensor


def label_odds(logits: Tensor, labels: Tensor) -> Tensor:
    """Log-odds of each label, log p_y - log(1 - p_y), (N,), of logits (N, K).

    labels: int64 (N,). The label's logit less the log-sum-exp of the others.
    """
    own = labels[:, None]
    others = logits.scatter(1, own, -torch.inf).logsumexp(1)
    return logits.gather(1, own).squeeze(1) - others
