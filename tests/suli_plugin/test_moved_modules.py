"""What a README or an entry point ever named is still found under that name."""

import importlib
import subprocess
import sys

import pytest

MOVED = {
    "benchmark_adapters.bench_command": "benchmark_adapters.bench",
    "benchmark_adapters.mu_bench": "benchmark_adapters.harnesses.mu_bench_command",
    "benchmark_adapters.publish_command": "benchmark_adapters.deletion.publish_command",
    "benchmark_adapters.receipt_command": "benchmark_adapters.deletion.receipt_command",
    "benchmark_adapters.splits_command": "benchmark_adapters.splits.command",
    "benchmark_adapters.unlearn_command": "benchmark_adapters.deletion.unlearn_command",
    "leaderboards.leaderboard_command": "leaderboards.command",
}


@pytest.mark.parametrize("old", MOVED)
def test_an_old_name_is_the_very_module_of_the_new_one(old):
    module = importlib.import_module(old)
    assert module is importlib.import_module(MOVED[old])
    assert module.__name__ == module.__spec__.name == MOVED[old]


def test_published_model_cards_still_load_their_model():
    from benchmark_adapters.originals import load_original
    from benchmark_adapters.originals.load import load_original as moved

    assert load_original is moved


def test_a_documented_module_still_runs_as_a_program():
    line = [sys.executable, "-m", "benchmark_adapters.mu_bench", "--help"]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "python -m benchmark_adapters.mu_bench [OPTIONS]" in done.stdout


def test_a_name_that_never_was_is_not_found():
    with pytest.raises(ModuleNotFoundError, match=r"benchmark_adapters\.never"):
        importlib.import_module("benchmark_adapters.never")
