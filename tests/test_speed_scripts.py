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
