"""Where a record says that it comes from."""

import re
import runpy
import sys
from pathlib import Path

import pytest

from benchmark_adapters.records.provenance import command, git_commit


@pytest.fixture(autouse=True)
def asked_anew():
    git_commit.cache_clear()
    yield
    git_commit.cache_clear()


@pytest.mark.skipif(
    not (Path(__file__).parents[3] / ".git").exists(), reason="these tests are in no checkout"
)
def test_a_checkout_is_told_by_its_commit():
    assert re.fullmatch("[0-9a-f]{40}(-dirty)?", git_commit())


def test_a_machine_without_git_makes_records_all_the_same(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert git_commit() is None


def test_a_command_that_ran_as_a_module_is_told_as_suli(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/there/suli_plugin/__main__.py", "bench", "list"])
    with pytest.raises(SystemExit):
        runpy.run_module("suli_plugin", run_name="__main__")
    assert command() == "suli bench list"
