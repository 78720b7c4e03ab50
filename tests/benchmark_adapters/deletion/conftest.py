"""What the tests of deletion requests share."""

import pytest


@pytest.fixture(scope="session")
def unlearned(tmp_path_factory, original, digits):
    """An unlearned checkpoint, made once, of a class and with a test set; to be copied."""
    from digits_as_images import suli

    out = tmp_path_factory.mktemp("made") / "out"
    suli("unlearn", "--model", original, "--dataset", digits, "--forget-class", "three",
         "--method", "suli", "--test", "test", "--output", out)  # fmt: skip
    return out
