"""The same unlearning through our own runner, for comparison with what a harness saved."""

from __future__ import annotations

import torch
from accelerate import Accelerator

from benchmark_adapters.benchmarks.digits import digits_parts
from benchmark_adapters.harnesses.translation import harness_logits
from suli_plugin import ForgetRequest, run
from suli_plugin.plugins import registry

# SULI, SU and one baseline, under the names they have in SUPREME.
LABELS = {
    "suli": "suli",
    "suli_tuned": "suli@tuned",
    "su_paper": "su@paper",
    "neg_grad_plugin": "neg_grad",
}

# The methods that SUPREME 0.1.5 has itself; `test_supreme.py` asks SUPREME.
SUPREMES_OWN = {
    "assd", "bad_teacher", "finetune", "jit", "lfssd", "lfssd_det", "neg_grad", "original",
    "random_labeling", "retrain", "scrub", "ssd", "ssd_det", "unsir",
}  # fmt: skip

# They work on pixels in [0, 1], and say so where a harness gives normalised images.
PIXEL_METHODS = (
    "boundary_shrink", "adv", "adv_imp", "aru", "spotter", "counterfactual", "as_unseen"
)  # fmt: skip


def class_three():
    """The digits' class 3 to forget, as every walk here does."""
    train = digits_parts().train
    forgotten = train.labels == 3
    return ForgetRequest(
        forget=train.subset(torch.where(forgotten)[0]),
        retain=train.subset(torch.where(~forgotten)[0]),
        reference=digits_parts().test,
        forget_classes=(3,),
    )


def unlearned_by_us(label, model, request, *, seed, settings=None):
    unlearner = registry().unlearner(label, request.scope, settings)
    return run(
        unlearner,
        model,
        request,
        accelerator=Accelerator(cpu=True),
        seed=seed,
        logits_of=harness_logits,
    ).model


def same_weights(one, other):
    """Bit-equal, entry by entry."""
    return list(one) == list(other) and all(torch.equal(one[name], other[name]) for name in one)
