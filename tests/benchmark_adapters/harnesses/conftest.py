"""Environments of their own for the harnesses, on top of the running interpreter's packages."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest
import torch
from repository import ROOT

KEEP = "SULI_HARNESS_ENVIRONMENTS"


@pytest.fixture(scope="session")
def environment_of(tmp_path_factory):
    """`make(name, *pip_arguments) -> its python`; kept in the folder KEEP names, where it does."""
    if not _index_answers():
        pytest.skip("no package index answers, and the harness comes from there")
    folder = Path(os.environ.get(KEEP) or tmp_path_factory.mktemp("environments"))

    def make(name, *installs):
        made_of = repr((installs, sys.version, torch.__version__, _packages()))
        home = folder / f"{name}-{hashlib.sha256(made_of.encode()).hexdigest()[:12]}"
        python = home / ("Scripts" if os.name == "nt" else "bin") / "python"
        if not (home / "complete").exists():
            venv.create(home, with_pip=False, clear=True)
            (_site_packages(home) / "parent.pth").write_text("\n".join(_packages()) + "\n")
            for arguments in installs:
                _pip("--python", str(python), "install", "-q", *arguments)
            (home / "complete").touch()
        return python

    return make


def _packages():
    # The repository itself last: an installed suli-plugin has the entry points.
    return [path for path in sys.path if path.endswith("site-packages")] + [str(ROOT)]


def _site_packages(home):
    return next(home.rglob("site-packages"))


def _pip(*arguments):
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _index_answers():
    command = [sys.executable, "-m", "pip", "index", "versions", "supreme-unlearning"]
    return subprocess.run(command, capture_output=True).returncode == 0
