"""A plugin whose cells end when they are told to, and whose benchmark tells who trains originals.

What it writes and waits for is in the folder WAITING_CELLS.
"""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from benchmark_adapters.benchmarks.digits import Digits
from suli_plugin import Unlearner, hookimpl
from suli_plugin.kept_tensors import kept_file

ENTRY_POINTS = "[suli_plugin]\nwaiting_cells = waiting_cells\n"
METADATA = "Metadata-Version: 2.1\nName: waiting-cells\nVersion: 1\n"


def tell(*words):
    with (Path(os.environ["WAITING_CELLS"]) / "told").open("a") as file:
        file.write(" ".join(map(str, words)) + "\n")


@dataclass(frozen=True, kw_only=True)
class Waits(Unlearner):
    """It leaves the model as it is, once it may."""

    name: ClassVar[str] = "waits"
    paper: ClassVar[str] = "a test"
    needs: ClassVar[dict] = {"class-wise": frozenset({"forget"})}
    search_space: ClassVar[dict] = {"turn": (0, 1)}

    turn: int = 0

    @classmethod
    def preset_second(cls, scope):
        """Another cell."""
        return cls(turn=1)

    @classmethod
    def preset_third(cls, scope):
        """And another."""
        return cls(turn=2)

    @classmethod
    def preset_fourth(cls, scope):
        """And another."""
        return cls(turn=3)

    def unlearn(self, model, session):
        tell("cell", os.getpid(), session.seed, self.turn)
        while not (Path(os.environ["WAITING_CELLS"]) / "go").exists():
            time.sleep(0.02)
        tell("ended", os.getpid(), session.seed, self.turn)
        return model


@dataclass(frozen=True, kw_only=True)
class WatchedDigits(Digits):
    """Digits that tell in which process an original is trained, and a case made."""

    name: ClassVar[str] = "watched_digits"

    def case(self, scenario, seed):
        if kept_file(self.kept_original(seed)) is None:
            tell("original", os.getpid(), seed)
        tell("case", os.getpid(), scenario, seed)
        return super().case(scenario, seed)


@hookimpl
def register_unlearners(register):
    register(Waits)


@hookimpl
def register_benchmarks(register):
    register(WatchedDigits)


def installed_in(folder):
    """Install it in a folder, for PYTHONPATH."""
    info = folder / "waiting_cells-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(METADATA)
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    (folder / "waiting_cells.py").write_text(Path(__file__).read_text())
    return folder
