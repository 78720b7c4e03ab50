"""`suli supreme train`, then `suli supreme unlearn` for the original and each method named.

    python supreme_walk.py SEED NAME...

One process, as importing SUPREME takes longest.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from suli_plugin.cli import main

COMMON = ["-dataset", "Digits", "-classes", "10", "-net", "DigitsNet", "-precision", "32-true"]
CLASS_3 = ["-type_of_unlearning_strategy", "fullclass", "-forget_class_name", "digit3"]


def walk(seed, names):
    # SUPREME takes 0 for no seed at all.
    run("train", "-training_seed", "1", "-unlearning_seed", "1", "-batch_size", "64")
    best = max(Path().rglob("*-best.pth"), key=lambda file: file.stat().st_mtime)
    shutil.copy(best, "original.pth")
    for name in ("original", *names):
        run(
            "unlearn",
            *CLASS_3,
            *("-weight_path", "original.pth", "-method", name, "-seed", seed),
            *("-eval_metrics", "accuracy"),
        )


def run(stage, *arguments):
    main(["supreme", stage, *COMMON, *arguments], standalone_mode=False)


if __name__ == "__main__":
    walk(sys.argv[1], sys.argv[2:])
