"""A harness that is not there says so in one line, from Python as from the command line."""

import sys

import pytest

from benchmark_adapters.harnesses import erasure, erasus, mu_bench, supreme, torchunlearn


@pytest.mark.parametrize(
    ("harness", "asked_for", "install"),
    [
        ("erasure", lambda: erasure.SULI, "pip install torch_geometric"),
        ("erasus", erasus.register, "pip install erasus"),
        ("mubench", lambda: mu_bench.trainer_class("suli"), 'pip install "transformers'),
        ("supreme", supreme.setup, "pip install --no-deps supreme-unlearning"),
        ("torchunlearn", lambda: torchunlearn.SULI, "pip install torchunlearn"),
    ],
)
def test_a_missing_harness_says_in_one_line_how_to_install_it(
    harness, asked_for, install, monkeypatch
):
    monkeypatch.setitem(sys.modules, harness, None)
    with pytest.raises(ImportError, match=f"^{harness} can't be imported") as raised:
        asked_for()
    assert install in str(raised.value)
    assert "\n" not in str(raised.value)
    assert raised.value.__suppress_context__
