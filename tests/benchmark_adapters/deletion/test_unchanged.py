"""Unchanged weights are no unlearned checkpoint."""

import pytest
import safetensors.torch
from digits_as_images import UNLEARN, suli
from small_images import own_cache  # noqa: F401  # an autouse fixture

from benchmark_adapters.deletion.receipt import read_receipt


def ask(original, digits, out, *more, code=0):
    return suli(*UNLEARN, "--model", original, "--dataset", digits, "--forget-class", "three",
                "--output", out, *more, code=code)  # fmt: skip


@pytest.mark.parametrize(
    "method", [("original",), ("suli", "--set", "sweeps=0"), ("su", "--set", "epochs=0")]
)
def test_a_method_that_changed_nothing_writes_nothing(method, original, digits, tmp_path):
    done = ask(original, digits, tmp_path / "out", "--method", *method, code=1)
    *_, line = done.stderr.splitlines()
    assert line.startswith(f"Error: nothing was changed: {method[0]} left every weight of ")
    assert "stopped because: " in line and "--allow-unchanged" in line
    assert not (tmp_path / "out").exists()


def test_it_is_written_where_that_is_allowed_and_the_card_says_so(original, digits, tmp_path):
    out = tmp_path / "out"
    ask(original, digits, out, "--method", "original", "--allow-unchanged")
    receipt = read_receipt(out)
    assert receipt["result"]["state_hash"] == receipt["original"]["state_hash"]
    assert "Nothing was changed: every weight is the original's" in (out / "README.md").read_text()


def test_one_buffer_is_a_change(original, digits, tmp_path):
    """The control moves BatchNorm's statistics alone, and is a control besides."""
    out = tmp_path / "out"
    ask(original, digits, out, "--method", "bn_drift")
    before, after = (
        safetensors.torch.load_file(folder / "model.safetensors") for folder in (original, out)
    )
    changed = {name for name in before if not before[name].equal(after[name])}
    assert changed and all("running" in name or "tracked" in name for name in changed)
    assert "Nothing was changed" not in (out / "README.md").read_text()
