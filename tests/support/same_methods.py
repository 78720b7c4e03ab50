"""Which of our methods SUPREME and ERASURE have, too, and with which settings both do the same."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

NO_CLIPPING = 1e9


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A method of a harness and ours. shared: the settings of both, in words. why: what differs.

    rgb: whether theirs needs images of three channels.
    """

    harness: str
    theirs: str
    ours: str
    shared: str
    why: str
    theirs_settings: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    rgb: bool = False


PAIRS = (
    Pair(
        harness="SUPREME",
        theirs="supreme_finetune",
        ours="finetune",
        shared="5 epochs, batches of 64, SGD 0.02, momentum 0.9, weight decay 5e-4",
        settings={"epochs": 5, "batch_size": 64, "lr": 0.02},
        why="",
    ),
    Pair(
        harness="SUPREME",
        theirs="supreme_neg_grad",
        ours="neg_grad",
        shared="5 epochs, batches of 64, SGD 0.02, momentum 0.9",
        settings={
            "epochs": 5, "batch_size": 64, "lr": 0.02, "stop": "never",
            "max_grad_norm": NO_CLIPPING,
        },
        why="",
    ),
    Pair(
        harness="SUPREME",
        theirs="supreme_random_labeling",
        ours="random_label",
        shared="3 epochs, batches of 128, Adam 1e-4",
        settings={"epochs": 3, "batch_size": 128, "stop": "never"},
        why="",
    ),
    Pair(
        harness="SUPREME",
        theirs="supreme_bad_teacher",
        ours="bad_teacher",
        shared="1 epoch, batches of 256, Adam 1e-4, 30 % of the retain set",
        why="",
    ),
    Pair(
        harness="SUPREME",
        theirs="supreme_scrub",
        ours="scrub",
        shared="10 epochs, 3 of them max, batches of 64, Adam 5e-4, weight decay 0.1, alpha 0.5",
        settings={
            "epochs": 10, "max_epochs": 3, "batch_size": 64, "forget_batch_size": 64,
            "optimizer": "adam", "weight_decay": 0.1, "alpha": 0.5, "gamma": 1.0,
            "temperature": 2.0, "decay_epochs": (5, 8, 9),
        },
        why="",
    ),
    Pair(
        harness="ERASURE",
        theirs="erasure_finetuning",
        ours="finetune",
        shared="5 epochs, batches of 64, SGD 0.02",
        theirs_settings={"optimizer": "SGD", "lr": 0.02},
        settings={
            "epochs": 5, "batch_size": 64, "lr": 0.02, "momentum": 0.0, "weight_decay": 0.0,
        },
        why="",
    ),
    Pair(
        harness="ERASURE",
        theirs="erasure_neg_grad",
        ours="neg_grad",
        shared="5 epochs, batches of 64, SGD 0.02",
        theirs_settings={"optimizer": "SGD", "lr": 0.02},
        settings={
            "epochs": 5, "batch_size": 64, "lr": 0.02, "momentum": 0.0, "stop": "never",
            "max_grad_norm": NO_CLIPPING,
        },
        why="",
    ),
    Pair(
        harness="ERASURE",
        theirs="erasure_advanced_neg_grad",
        ours="neg_grad_plus",
        shared="5 epochs, batches of 32, SGD 0.02 on the sum of both terms",
        theirs_settings={"optimizer": "SGD", "lr": 0.02, "batch_size": 32},
        # Half of each term, at twice the rate, is the sum.
        settings={
            "epochs": 5, "batch_size": 32, "forget_batch_size": 32, "alpha": 0.5, "lr": 0.04,
        },
        why="",
    ),
    Pair(
        harness="ERASURE",
        theirs="erasure_successive_random_labels",
        ours="salun",
        shared="5 epochs, batches of 64, SGD 0.02, no mask",
        theirs_settings={"optimizer": "SGD", "lr": 0.02},
        settings={
            "mask_fraction": 1.0, "epochs": 5, "batch_size": 64, "lr": 0.02, "momentum": 0.0,
            "weight_decay": 0.0,
        },
        why="",
    ),
    Pair(
        harness="ERASURE",
        theirs="erasure_bad_teaching",
        ours="bad_teacher",
        shared="5 epochs, batches of 64, Adam 1e-3, the whole retain set",
        settings={"epochs": 5, "batch_size": 64, "lr": 1e-3, "retain_share": 1.0},
        why="",
    ),
    Pair(
        harness="ERASURE",
        theirs="erasure_scrub",
        ours="scrub",
        shared="1 epoch, batches of 64, Adam 1e-3, temperature 4, alpha 1",
        settings={
            "epochs": 1, "max_epochs": 1, "batch_size": 64, "forget_batch_size": 64,
            "optimizer": "adam", "lr": 1e-3, "weight_decay": 0.0, "alpha": 1.0, "gamma": 1.0,
        },
        why="",
    ),
)  # fmt: skip
