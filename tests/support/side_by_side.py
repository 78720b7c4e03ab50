"""Our methods beside the ones of the same name in SUPREME and ERASURE: measured and tabled here.

Once in each harness's environment, the harness being importable, and then once anywhere:

    PYTHONPATH=tests/support python tests/support/side_by_side.py measure FOLDER
    PYTHONPATH=tests/support python tests/support/side_by_side.py fill FOLDER

Both sides unlearn class 3 from the same digits original through `suli_plugin.run`, with the same
settings as far as they have them, round by round in turn. What the harness's loop does is its own
code; it reads the same normalised images, one at a time as its loaders do. A test fails where
settings have changed since.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import platform
import re
import statistics
import sys
import time
from datetime import date
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from accelerate import Accelerator
from same_methods import PAIRS
from torch import nn

README = Path(__file__).parents[2] / "benchmark_adapters" / "harnesses" / "README.md"
BLOCK = re.compile(r"<!-- side by side -->\n.*?<!-- /side by side -->\n", flags=re.DOTALL)
HARNESSES = ("SUPREME", "ERASURE")
PARTS = ("forget", "retain", "test_forget", "test_retain")
ROUNDS = 5
HEADER = (
    "| Theirs | Ours | Settings | Forget % | Retain % | Test-forget % | Test-retain % | Forwards "
    "| Backwards | Ours s | Ours / theirs | Why they differ |"
)


def measure(folder):
    """Measure every pair whose harness is here; a file for each harness."""
    from suli_plugin.plugins import registry

    torch.set_num_threads(1)
    for harness in HARNESSES:
        pairs = [pair for pair in PAIRS if pair.harness == harness]
        if not all(pair.theirs in registry().unlearners for pair in pairs):
            continue
        rows = [measured(pair) for pair in pairs]
        lines = "".join(f"{json.dumps(row)}\n" for row in rows)
        (folder / f"{harness}.jsonl").write_text(lines, encoding="utf-8")


def measured(pair):
    """Both sides of a pair in turn, after one round that does not count."""
    case = rgb_case() if pair.rgb else gray_case()
    rounds = [one_round(pair, case, seed) for seed in range(-1, ROUNDS)][1:]
    return {
        "theirs": pair.theirs,
        "sides": [summary([both[side] for both in rounds]) for side in ("theirs", "ours")],
        "seconds": [both["ours"]["seconds"] for both in rounds],
        "ratios": [both["ours"]["seconds"] / both["theirs"]["seconds"] for both in rounds],
    }


def one_round(pair, case, seed):
    """Theirs and ours with one seed; who is first changes from round to round."""
    sides = {"theirs": (pair.theirs, pair.theirs_settings), "ours": (pair.ours, pair.settings)}
    order = list(sides) if seed % 2 else list(sides)[::-1]
    done = {side: unlearned(*sides[side], case, max(seed, 0)) for side in order}
    return done


def unlearned(method, settings, case, seed):
    """Accuracies, passes and seconds from end to end of one run."""
    from suli_plugin.plugins import registry
    from suli_plugin.runner import run

    unlearner = registry().unlearner(method, "class-wise", settings)
    accelerator = Accelerator(cpu=True)
    # Nothing that is kept from one run to the next, as theirs keep nothing.
    with TemporaryDirectory() as os.environ["SULI_CACHE"]:
        start = time.perf_counter()
        result = run(unlearner, case.original, case.request, accelerator=accelerator, seed=seed)
        seconds = time.perf_counter() - start
    passes = {kind: sum(result.passes[kind].values()) for kind in ("forward", "backward")}
    return {"seconds": seconds, **passes, **accuracies(result.model, case, accelerator)}


def accuracies(model, case, accelerator):
    """By part, the fraction that is recognised."""
    from suli_plugin.evaluation import evaluate

    forgotten = torch.isin(case.test.labels, torch.tensor(case.forget_classes))
    parts = {
        "forget": case.forget,
        "retain": case.retain,
        "test_forget": case.test.subset(torch.where(forgotten)[0]),
        "test_retain": case.test.subset(torch.where(~forgotten)[0]),
    }
    return {name: evaluate(model, images, accelerator).accuracy() for name, images in parts.items()}


def summary(runs):
    """Mean and standard deviation of each part, and the mean passes."""
    parts = {
        part: [statistics.mean(values), statistics.stdev(values)]
        for part in PARTS
        for values in [[run[part] for run in runs]]
    }
    passes = {kind: statistics.mean(run[kind] for run in runs) for kind in ("forward", "backward")}
    return {**parts, **passes}


def gray_case():
    """Class 3 of the digits, to be forgotten by the original of seed 0."""
    from benchmark_adapters.benchmarks.digits import Digits

    return Digits().case("class-3", seed=0)


def rgb_case():
    """The same in three equal channels, for noise that is RGB; the original answers the same."""
    case = gray_case()
    sets = {name: _rgb(getattr(case, name)) for name in ("forget", "retain", "reference", "test")}

    def fresh_model():
        return _with_three_channels(case.fresh_model())

    return dataclasses.replace(
        case, original=_with_three_channels(case.original), fresh_model=fresh_model, **sets
    )


def _rgb(images):
    from suli_plugin.images import ImageSet

    pixels, labels = images.pixels(torch.arange(len(images)), torch.device("cpu"))
    mean, std = (value.flatten().tolist() * 3 for value in (images.mean, images.std))
    tripled = pixels.repeat(1, 3, 1, 1)
    return ImageSet.of_tensors(tripled, labels, mean=mean, std=std, kind=images.kind)


def _with_three_channels(model):
    """A network of one channel that sees the mean of three."""
    first = next(module for module in model.modules() if isinstance(module, nn.Conv2d))
    wide = nn.Conv2d(3, first.out_channels, 3, padding=1, bias=False)
    with torch.no_grad():
        wide.weight.copy_(first.weight.repeat(1, 3, 1, 1) / 3)
    return nn.Sequential(*(wide if module is first else module for module in model))


def fingerprint():
    """SHA-256 over the settings of both sides, twelve digits of it."""
    from suli_plugin.plugins import registry

    settings = [
        [
            pair.theirs,
            pair.theirs_settings,
            registry().unlearner(pair.ours, "class-wise", pair.settings).hyperparameters(),
        ]
        for pair in PAIRS
    ]
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]


def table(rows, measured_with):
    """The block between the marks, both included. rows: of `measure`, one for each pair."""
    lines = [HEADER, "|---" * HEADER.count(" | ") + "|---|"]
    lines += [_row(pair, rows[pair.theirs]) for pair in PAIRS]
    return "\n".join(
        ["<!-- side by side -->", *lines, "", measured_with, "<!-- /side by side -->", ""]
    )


def _row(pair, row):
    theirs, ours = row["sides"]
    accuracies = [f"{_percent(theirs[part])} / {_percent(ours[part])}" for part in PARTS]
    passes = [f"{theirs[kind]:,.0f} / {ours[kind]:,.0f}" for kind in ("forward", "backward")]
    seconds, ratio = (_spread(row[key]) for key in ("seconds", "ratios"))
    cells = [f"`{pair.theirs}`", f"`{pair.ours}`", pair.shared, *accuracies, *passes]
    return f"| {' | '.join([*cells, seconds, ratio, ' '.join(pair.why.split())])} |"


def _percent(mean_and_deviation):
    return f"{100 * mean_and_deviation[0]:.1f}"


def _spread(values):
    return f"{statistics.mean(values):.2f} ± {statistics.stdev(values):.2f}"


def measured_with():
    """Date, versions and fingerprint, in one line."""
    return (
        f"Measured on {date.today().isoformat()}: n={ROUNDS} rounds (seeds 0 to {ROUNDS - 1}), "
        f"mean ± standard deviation of ratios within a round; SUPREME 0.1.5, ERASURE d5bbbe5, "
        f"Python {platform.python_version()}, torch {version('torch')}, one thread of "
        f"{os.cpu_count()} shared CPU cores, settings {fingerprint()}."
    )


def fill(folder):
    """Put the table of what was measured in a folder into the README."""
    rows = [
        json.loads(line)
        for harness in HARNESSES
        for line in (folder / f"{harness}.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    block = table({row["theirs"]: row for row in rows}, measured_with())
    README.write_text(BLOCK.sub(lambda _: block, README.read_text(encoding="utf-8")), "utf-8")


if __name__ == "__main__":
    {"measure": measure, "fill": fill}[sys.argv[1]](Path(sys.argv[2]))
