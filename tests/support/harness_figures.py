"""The table of figures in harnesses/README.md: noted by the walks, made and checked here.

    SULI_HARNESS_FIGURES=FOLDER python -m pytest tests/benchmark_adapters/harnesses
    python tests/support/harness_figures.py FOLDER

The table says when it was measured, with what, and a fingerprint of the methods' settings; where a
default has changed since, a test fails until it is measured again.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import sys
from datetime import date
from importlib.metadata import version
from pathlib import Path

README = Path(__file__).parents[2] / "benchmark_adapters" / "harnesses" / "README.md"
FOLDER = "SULI_HARNESS_FIGURES"
BLOCK = re.compile(r"<!-- figures -->\n.*?<!-- /figures -->\n", flags=re.DOTALL)
METHODS = (
    "suli",
    "suli@tuned",
    "suli@official",
    "su",
    "su@paper",
    "su@official",
    "neg_grad",
    "logit_mask",
)
HARNESSES = ("SUPREME", "ERASURE", "MU-Bench", "MU-Bench script", "torchunlearn", "Erasus")
COLUMNS = ("forget", "retain", "test", "headline")


def note(harness, method, settings=None, **fractions):
    """Keep a row for the table where FOLDER names a folder. fractions: of COLUMNS, in [0, 1]."""
    folder = os.environ.get(FOLDER)
    if folder:
        given = "".join(f", {name} {value}" for name, value in (settings or {}).items())
        row = {"harness": harness, "method": f"`{method}`{given}", **fractions}
        with Path(folder, f"{harness}.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


def fingerprint():
    """SHA-256 over the settings of the table's methods and presets, twelve digits of it."""
    from suli_plugin.plugins import registry

    found = registry()
    settings = {
        label: {
            scope: found.unlearner(label, scope).hyperparameters()
            for scope in found.unlearners[label.partition("@")[0]].needs
        }
        for label in METHODS
    }
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]


def table(rows, measured):
    """The block between the markers, both included."""
    lines = [
        "| Harness | Method | " + " | ".join(f"{column} %" for column in COLUMNS) + " |",
        "|---" * (2 + len(COLUMNS)) + "|",
    ]
    for row in sorted(rows, key=lambda row: HARNESSES.index(row["harness"])):
        cells = [f"{100 * row[name]:.1f}" if name in row else "" for name in COLUMNS]
        lines.append("| " + " | ".join([row["harness"], row["method"], *cells]) + " |")
    return "\n".join(["<!-- figures -->", *lines, "", measured, "<!-- /figures -->", ""])


def measured_with():
    """Date, versions and fingerprint, in one line."""
    return (
        f"Measured on {date.today().isoformat()}: Python {platform.python_version()}, torch "
        f"{version('torch')}, two shared CPU cores, settings {fingerprint()}."
    )


def main(folder):
    """Put the table of what was noted in a folder into the README."""
    rows = [
        json.loads(line)
        for harness in HARNESSES
        for line in (folder / f"{harness}.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    block = table(rows, measured_with())
    README.write_text(BLOCK.sub(lambda _: block, README.read_text(encoding="utf-8")), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
