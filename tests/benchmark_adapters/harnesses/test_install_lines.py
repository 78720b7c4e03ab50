"""Each documented install line resolves, or its known conflict is still the one that is named."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from repository import ROOT

from benchmark_adapters.harnesses import installed

README = Path(installed.__file__).parent / "README.md"
pytestmark = pytest.mark.slow


def documented():
    """The `pip install` lines in README.md's code blocks."""
    blocks = re.findall(r"```sh\n(.*?)```", README.read_text(), flags=re.DOTALL)
    lines = [line.partition("#")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith("pip install")]


def for_the_day_it_is_published():
    """The lines that name `suli-plugin`, which no index has yet."""
    return [line for line in documented() if "suli-plugin" in shlex.split(line)]


def for_today():
    """The lines that can be typed now, with the clone's folder in the variable SULI."""
    return [line for line in documented() if line not in for_the_day_it_is_published()]


def resolve(line, *options):
    arguments = [ROOT if word == "$SULI" else word for word in shlex.split(line)[2:]]
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "-q", *options, *arguments]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True)


@pytest.fixture(scope="module")
def python_of_the_suite(environment_of):  # the fixture skips without an index
    return sys.executable


@pytest.mark.parametrize("line", for_today())
def test_it_resolves_beside_what_is_installed(line, python_of_the_suite, tmp_path):
    report = tmp_path / "report.json"
    done = resolve(line, "--report", str(report))
    assert done.returncode == 0, done.stderr
    assert json.loads(report.read_text())["install"] is not None


def test_every_line_from_a_clone_has_its_twin_for_the_day_it_is_published():
    from_a_clone = [line for line in for_today() if "$SULI" in line]
    assert len(from_a_clone) == 6
    twins = [line.replace('"$SULI"', "suli-plugin") for line in from_a_clone]
    assert twins == for_the_day_it_is_published()
    assert "export SULI=" in README.read_text()


def test_every_harness_has_a_documented_line():
    text = " ".join(documented())
    for name in (
        "supreme-unlearning",
        "torchunlearn",
        "picologging",
        "transformers",
        "erasus",
        "hydra",
    ):
        assert name in text


def test_what_suli_plugins_says_is_what_is_documented():
    hints = (
        *(installed.SUPREME, installed.TORCHUNLEARN, installed.ERASURE, installed.MU_BENCH),
        *(installed.ERASUS, installed.DEEPUNLEARN),
    )
    for hint in hints:
        for command in re.findall(r"pip install [^&,]*(?:,<[^&,]*)*", hint):
            words = shlex.split(command)[2:]
            assert any(set(words) <= set(shlex.split(line)) for line in documented()), command


def test_supremes_pins_and_our_requirements_still_exclude_one_another(python_of_the_suite):
    # The day this resolves, the install line without its dependencies can go.
    pins = "transformers==4.35.0", "huggingface-hub>=0.23"
    done = resolve("pip install --ignore-installed " + " ".join(map(shlex.quote, pins)))
    assert done.returncode != 0
    assert "ResolutionImpossible" in done.stderr
