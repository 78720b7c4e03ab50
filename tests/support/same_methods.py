"""Which of our methods SUPREME and ERASURE have, too, and with which settings both do the same."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

NO_CLIPPING = 1e9
MIXED_BATCHES = """importances are of batches, in which theirs mixes the classes and ours, class by
class, hardly does; with mixed batches ours is as theirs"""


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
        why="theirs scores the retain set after each epoch",
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
        why="theirs has weight decay 5e-4; both score the forget set after each epoch",
    ),
    Pair(
        harness="SUPREME",
        theirs="supreme_random_labeling",
        ours="random_label",
        shared="3 epochs, batches of 128, Adam 1e-4",
        settings={"epochs": 3, "batch_size": 128, "stop": "never"},
        why="theirs learns and scores the retained images, too; ours is given the forget set alone",
    ),
    Pair(
        harness="SUPREME",
        theirs="supreme_bad_teacher",
        ours="bad_teacher",
        shared="1 epoch, batches of 256, Adam 1e-4, 30 % of the retain set",
        why="ours asks for each image the one teacher that it needs, theirs both",
    ),
    Pair(
        harness="SUPREME",
        theirs="supreme_unsir",
        ours="unsir",
        shared="RGB; 32 noise images, 25 steps, 80 copies, batches of 32, repair of 128, Adam 1e-4",
        settings={
            "noise_images": 32, "iterations": 25, "copies": 80, "batch_size": 32, "lr": 1e-4,
            "repair_batch_size": 128, "repair_lr": 1e-4, "samples_per_class": 500,
        },
        why="""theirs starts with gradients that learning the noise left in the weights, and Adam
        remembers them; without them it is ours. It scores the retain set after either epoch""",
        rgb=True,
    ),
    Pair(
        harness="SUPREME",
        theirs="supreme_ssd",
        ours="ssd",
        shared="alpha 10, lambda 1, batches of 64",
        why=MIXED_BATCHES,
    ),
    Pair(
        harness="SUPREME",
        theirs="supreme_lfssd",
        ours="lfssd",
        shared="alpha 10, lambda 1, batches of 64",
        why=MIXED_BATCHES,
    ),
    Pair(
        harness="SUPREME",
        theirs="supreme_ssd_det",
        ours="ssd",
        shared="alpha 10, lambda 1, image by image",
        settings={"batch_size": 1},
        why="theirs goes back through a batch of 64 for each of its images",
    ),
    Pair(
        harness="SUPREME",
        theirs="supreme_lfssd_det",
        ours="lfssd",
        shared="alpha 10, lambda 1, image by image",
        settings={"batch_size": 1},
        why="theirs goes back through a batch of 64 for each of its images",
    ),
    Pair(
        harness="SUPREME",
        theirs="supreme_jit",
        ours="jit",
        shared="1 epoch, batches of 64, 10 draws of deviation 0.1, SGD 1e-3",
        settings={"batch_size": 64, "draws": 10, "sigma": 0.1, "lr": 1e-3},
        why="theirs shows noisy images to a copy in evaluation mode, ours with batch statistics",
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
        why="""theirs also pulls all weights towards the original's (smoothing 0.5); ours asks the
        teacher once for each image""",
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
        why="theirs goes through the images in one order",
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
        why="""theirs goes through the images in one order; ours also scores the forget set after
        each epoch""",
    ),
    Pair(
        harness="ERASURE",
        theirs="erasure_advanced_neg_grad",
        ours="neg_grad_plus",
        shared="5 epochs, batches of 37, SGD 0.01 on the sum of both terms",
        theirs_settings={"optimizer": "SGD", "lr": 0.01, "batch_size": 37},
        # Half of each term, at twice the rate, is the sum.
        settings={
            "epochs": 5, "batch_size": 37, "forget_batch_size": 37, "alpha": 0.5, "lr": 0.02,
        },
        why="theirs skips steps whose two batches are not equally large, the last of an epoch",
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
        why="theirs goes through the images in one order",
    ),
    Pair(
        harness="ERASURE",
        theirs="erasure_bad_teaching",
        ours="bad_teacher",
        shared="5 epochs, batches of 64, Adam 1e-3, the whole retain set",
        settings={"epochs": 5, "batch_size": 64, "lr": 1e-3, "retain_share": 1.0},
        why="ours asks for each image the one teacher that it needs, and once for all epochs",
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
        why="theirs has its student as teacher, in evaluation mode: no divergence to learn from",
    ),
    Pair(
        harness="ERASURE",
        theirs="erasure_selective_synaptic_dampening",
        ours="ssd",
        shared="alpha 10, lambda 0.1, batches of 64",
        settings={"dampening": 0.1},
        why="""the whole set of theirs ends in a batch of forgotten images, one of six: no
        importance is ten times the whole's, and nothing happens""",
    ),
    Pair(
        harness="ERASURE",
        theirs="erasure_eu_k",
        ours="eu_k",
        shared="the last layer anew, 5 epochs, batches of 64, SGD 0.02",
        theirs_settings={"optimizer": "SGD", "lr": 0.02},
        settings={
            "layers": 1, "epochs": 5, "lr": 0.02, "lowest_share": 1.0, "momentum": 0.0,
            "weight_decay": 0.0, "max_grad_norm": None,
        },
        why="theirs trains the layers before the last, too",
    ),
    Pair(
        harness="ERASURE",
        theirs="erasure_fisher_forgetting",
        ours="fisher",
        shared="alpha 3e-6, which theirs takes whatever it is told",
        settings={"alpha": 3e-6},
        why="theirs leaves the forgotten class's row of the last layer where it was",
    ),
)  # fmt: skip

# What else they have, and why it stands beside nothing.
WITHOUT_PAIR = {
    "supreme_assd": "ours has no adaptive SSD",
    "erasure_unsir": "Choi and Na's method for samples, another one than the paper's for a class",
}
