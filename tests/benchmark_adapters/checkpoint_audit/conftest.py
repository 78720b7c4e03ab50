"""What the tests of `suli audit` share: unlearned checkpoints, Retrains, and one whole audit."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from made_once import made_once


@dataclass(frozen=True)
class Audited:
    """folder: where an audit by these Retrains has kept what it made. retrains: six, the last
    held out. another: one more, which was audited.
    """

    folder: Path
    retrains: tuple[Path, ...]
    another: Path

    def options(self):
        return [part for each in self.retrains for part in ("--retrained", each)]


def _unlearned(original, digits, out, *method):
    from digits_as_images import UNLEARN, suli

    suli(*UNLEARN, "--model", original, "--dataset", digits, "--forget-class", "three",
         *method, "--test", "test", "--retain", "train", "--output", out)  # fmt: skip


@pytest.fixture(scope="session")
def suli_checkpoint(tmp_path_factory, original, digits):
    """Class three unlearned by SULI, with its receipt; not to be altered."""
    method = ("--method", "suli", "--set", "sweeps=3")
    return made_once(
        tmp_path_factory, "audit-suli", lambda out: _unlearned(original, digits, out, *method)
    )


@pytest.fixture(scope="session")
def masked_checkpoint(tmp_path_factory, original, digits):
    """Class three hidden by a mask, with its receipt; not to be altered."""
    method = ("--method", "logit_mask")
    return made_once(
        tmp_path_factory, "audit-mask", lambda out: _unlearned(original, digits, out, *method)
    )


@pytest.fixture(scope="session")
def retrains(tmp_path_factory, original, digits):
    """Retrains as checkpoints, and the folder of an audit by them of one more."""
    from digits_as_images import suli
    from retrained_digits import retrained

    def train(place):
        for seed in range(7):
            retrained(place / str(seed), original, forgotten=3, seed=seed)

    folder = made_once(tmp_path_factory, "audit-retrains", train)
    made = Audited(
        folder.parent / "audit-output", tuple(folder / str(seed) for seed in range(6)), folder / "6"
    )

    def audit(place):
        suli("audit", made.another, "--original", original, "--dataset", digits,
             "--forget-class", "three", *made.options(), "--output", place)  # fmt: skip

    made_once(tmp_path_factory, "audit-output", audit)
    return made


@pytest.fixture
def output(retrains, tmp_path):
    """A copy of that audit's folder, whose Retrains and controls need not be looked at again."""
    return shutil.copytree(retrains.folder, tmp_path / "output")
