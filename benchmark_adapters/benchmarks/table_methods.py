"""The methods that a benchmark on real images runs where none is named."""

from __future__ import annotations

METHODS = (
    "original",
    "retrain",
    "finetune",
    "neg_grad",
    "neg_grad_plus",
    "random_label",
    "initial_label",
    "boundary_shrink",
    "boundary_expand",
    "adv",
    "adv_imp",
    "delete",
    "su",
    "su@official",
    "suli@paper",
    "suli@official",
    "suli@tuned",
    "bn_drift",
    "logit_mask",
    "bias_mask",
    "drift_mask",
    "noise_mask",
    "head_projection",
    "head_distill",
)
