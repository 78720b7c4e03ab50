"""The scripts that measure speed, those with options, find what they import."""

import subprocess
import sys

import pytest
from repository import ROOT

SCRIPTS = [path for path in sorted((ROOT / "tests/speed").glob("*.py"))
           if "argparse" in path.read_text(encoding="utf-8")]  # fmt: skip


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_says_how_it_is_used(script):
    done = subprocess.run(
        [sys.executable, script, "--help"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and "usage" in done.stdout, done.stderr


def table_5(*words):
    script = ROOT / "tests/speed/table_5_times.py"
    return subprocess.run(
        [sys.executable, script, "--images", "8", *words],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_times_stand_beside_those_of_the_papers_table_5():
    done = table_5(
        "--rounds", "2", "--methods", "neg_grad,su@official,suli@official", "--mixed-precision",
        "bf16", "--set", "neg_grad.epochs=1", "--set", "su@official.epochs=1",
        "--set", "suli@official.sweeps=2",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = [line.strip("| ").split(" | ") for line in done.stdout.splitlines() if "±" in line]
    assert [row[:2] for row in rows] == [
        ["neg_grad", "19.36"], ["su@official", "3.68"], ["suli@official", "0.93"],
    ]  # fmt: skip
    # One step each, and two of SULI.
    assert [row[6] for row in rows] == ["1", "1", "2"]
    for row in rows:
        update, total, first = (float(cell.split(" ±")[0]) for cell in row[2:5])
        assert 0 < update <= total and first > 0 and row[5] == "–"
    assert "mixed precision bf16; 8 images, drawn; n=2, seeds 1 to 2; torch" in done.stdout


def test_what_it_cannot_measure_it_refuses_in_one_line():
    done = table_5("--mixed-precision", "fp16")
    assert done.returncode == 2
    assert "fp16 on a CPU silently computes in fp32" in done.stderr.splitlines()[-1]
