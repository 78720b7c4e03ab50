"""`suli unlearn --compile`: the checkpoint, its receipt, and the run once more."""

import json
import sys

import pytest
import torch
from compiling import inductor_or_skip
from digits_as_images import UNLEARN, suli
from small_images import own_cache  # noqa: F401  # an autouse fixture

from benchmark_adapters.deletion.receipt import RECEIPT
from benchmark_adapters.originals.load import load_original


@pytest.mark.slow
def test_a_compiled_run_says_so_and_is_run_again_compiled(original, digits, tmp_path, monkeypatch):
    # What the compiler builds is imported from a folder that it puts there.
    monkeypatch.setattr(sys, "path", list(sys.path))
    inductor_or_skip()
    out = tmp_path / "out"
    suli(*UNLEARN, "--model", original, "--dataset", digits, "--forget-class", "three", "--compile",
         "--method", "suli", "--set", "n_layers=1", "--set", "inner_steps=1",
         "--output", out)  # fmt: skip
    record = json.loads((out / RECEIPT).read_text())["record"]
    assert record["compiled"] == "inductor"
    assert "mixed precision: no, compiled by inductor" in (out / "README.md").read_text()
    names = load_original(out).model.state_dict().keys()
    assert names == load_original(original).model.state_dict().keys()
    verify = ("receipt", "verify", out, "--model", original, "--dataset", digits)
    done = suli(*verify, "--level", "rerun")
    assert "matches      weights run again: bit by bit" in done.stdout
    with monkeypatch.context() as patch:
        patch.setattr(torch, "compile", nothing_to_compile_with)
        done = suli(*verify, "--level", "rerun", code=1)
    assert "not checked  weights run again: torch.compile can't be used here: no g++" in done.stdout


def nothing_to_compile_with(*given, **options):
    raise RuntimeError("no g++")
