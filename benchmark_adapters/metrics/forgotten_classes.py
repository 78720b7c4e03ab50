"""The classes that tests of labelled features ask for: there on both sides, beside others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.int64]


def check_classes(test: str, train: Labels, held_out: Labels, forget: Sequence[int]) -> None:
    """Raise ValueError if a forgotten class is missing on a side, or no other one is there.

    test: its name, for the message. train, held_out: labels of training and of test images.
    """
    for side, labels in (("training", train), ("test", held_out)):
        missing = sorted(set(forget) - set(labels.tolist()))
        others = set(labels.tolist()) - set(forget)
        if not forget or missing or not others:
            raise ValueError(
                f"{test}: expected {side} images of the forgotten classes "
                f"{sorted(forget)} and of others, "
                f"got classes {sorted(set(labels.tolist()))}"
            )
