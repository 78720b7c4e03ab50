"""What the tests of deletion requests share."""

import shutil

import pytest
from made_once import made_once


@pytest.fixture(scope="session")
def unlearned(tmp_path_factory, original, digits):
    """An unlearned checkpoint, made once, of a class and with a test set; to be copied."""
    from digits_as_images import UNLEARN, suli

    def make(out):
        suli(*UNLEARN, "--model", original, "--dataset", digits, "--forget-class", "three",
             "--method", "suli", "--test", "test", "--output", out)  # fmt: skip

    return made_once(tmp_path_factory, "unlearned", make)


@pytest.fixture
def checkpoint(unlearned, tmp_path):
    """A copy of it, to be altered."""
    return shutil.copytree(unlearned, tmp_path / "checkpoint")
