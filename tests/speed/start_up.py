"""How long does `suli unlearn` of one class take, against another state of the code?

    python tests/speed/start_up.py BEFORE [--rounds 5] [--test]

BEFORE: a checkout (`git worktree add`) of the state to compare with. Both run one after the other,
in turn, on the same digits; ratios of wall-clock and of processor time. Not a test.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
from digits_as_images import digits_folder, trained_original

ROOT = Path(__file__).parents[2]


def seconds(checkout, place, more):
    """Wall-clock and processor seconds of one command with the code of a checkout."""
    started, used = time.perf_counter(), _used()
    subprocess.run(
        [
            *(sys.executable, "-m", "suli_plugin", "unlearn", "--method", "suli", "--force"),
            *("--model", place / "net", "--dataset", place / "digits", "--forget-class", "three"),
            *("--output", place / "out", *more),
        ],
        env={**os.environ, "PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"},
        cwd=place,
        check=True,
        capture_output=True,
    )
    return time.perf_counter() - started, _used() - used


def _used():
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime


def main():
    options = argparse.ArgumentParser()
    options.add_argument("before", type=Path)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--test", action="store_true", help="measure on a test split, too")
    chosen = options.parse_args()
    more = ("--test", "test") if chosen.test else ()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        digits_folder(place / "digits")
        trained_original(place / "net")
        sides = {"before": chosen.before.resolve(), "after": ROOT}
        measured = {side: [] for side in sides}
        for number in range(chosen.rounds + 1):
            for side, checkout in sides.items():
                taken = seconds(checkout, place, more)
                # The first round fills the caches of both.
                measured[side] += [taken] if number else []
    for kind, name in enumerate(("wall clock", "processor")):
        times = {side: [taken[kind] for taken in all_] for side, all_ in measured.items()}
        ratios = [a / b for a, b in zip(times["after"], times["before"], strict=True)]
        middle = {side: statistics.median(values) for side, values in times.items()}
        print(
            f"{name}: before {middle['before']:.2f} s, after {middle['after']:.2f} s, "
            f"ratio {statistics.mean(ratios):.2f} ± {statistics.stdev(ratios):.2f}, "
            f"n={chosen.rounds}"
        )


if __name__ == "__main__":
    main()
