"""What a run folder says of itself: before a run, while it goes on, after it, and merged."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from accelerate import Accelerator
from click.testing import CliRunner

from benchmark_adapters.benchmarks.digits import Digits
from benchmark_adapters.grid.cell_list import Listed
from benchmark_adapters.grid.plan import plan
from benchmark_adapters.grid.run import run_grid
from benchmark_adapters.grid.running import Running
from benchmark_adapters.records.record import read_record, write_record
from suli_plugin.cli import main
from suli_plugin.plugins import load_plugins

REGISTRY = load_plugins(strict=True)
ARGUMENTS = ["--scenarios", "class-3", "--methods", "original,bn_drift,logit_mask"]


def planned(seeds=(0, 1)):
    return plan(
        Digits(), REGISTRY, scenarios=["class-3"], methods=["original", "bn_drift", "logit_mask"],
        seeds=seeds, accelerator=Accelerator(),
    )  # fmt: skip


def suli(*arguments):
    return CliRunner().invoke(main, ["bench", *map(str, arguments)])


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    accelerator = Accelerator()
    assert not run_grid(planned(), Digits(), REGISTRY, folder, accelerator, values=True).failed
    return folder


@pytest.fixture
def half(finished, tmp_path):
    """Seed 0 is done; of seed 1 only bn_drift failed."""
    shutil.copytree(finished, tmp_path / "runs")
    for path in (tmp_path / "runs").rglob("1-*"):
        path.unlink()
    drift = next(cell for cell in planned([1]) if cell.label == "bn_drift")
    line = json.dumps({"cell": drift.key, "applies": True, "reason": "ValueError: no"})
    (tmp_path / "runs/digits/failed.jsonl").write_text(line + "\n")
    return tmp_path / "runs"


def counts(folder):
    (status,) = json.loads(suli("status", folder, "--json").output)
    return {what: count for what, count in status["counts"].items() if count}


def test_a_finished_run_is_done_and_leaves_no_trace_of_running(finished):
    assert counts(finished) == {"done": 6}
    assert not list(finished.rglob("running-*"))
    assert suli("status", finished).output == "digits: 6 done\n"


def test_done_running_failed_and_missing_are_told_apart(half):
    original = next(cell for cell in planned([1]) if cell.label == "original")
    with Running(half / "digits") as running:
        running.begins(Listed.of(original))
        assert counts(half) == {"done": 3, "running": 1, "failed": 1, "missing": 1}
        told = suli("status", half).output
    assert "  running  class-3 original seed 1\n" in told
    assert "  failed   class-3 bn_drift seed 1: ValueError: no\n" in told
    assert "  missing  class-3 logit_mask seed 1\n" in told
    assert counts(half) == {"done": 3, "failed": 1, "missing": 2}


KILLED = """
import os, sys
from pathlib import Path
from benchmark_adapters.grid.cell_list import Listed
from benchmark_adapters.grid.running import Running

with Running(Path(sys.argv[1])) as running:
    running.begins(Listed(*sys.argv[2:4], int(sys.argv[4]), sys.argv[5]))
    os.kill(os.getpid(), 9)
"""


def test_what_a_killed_process_had_in_hand_is_missing_and_its_traces_go(half):
    cell = Listed.of(next(cell for cell in planned([1]) if cell.label == "original"))
    fields = (cell.scenario, cell.method, str(cell.seed), cell.cell)
    subprocess.run([sys.executable, "-c", KILLED, half / "digits", *fields], check=False)
    assert list(half.rglob("running-*")) and "running" not in counts(half)
    accelerator = Accelerator()
    assert not run_grid(planned(), Digits(), REGISTRY, half, accelerator).failed
    assert counts(half) == {"done": 6} and not list(half.rglob("running-*"))
    assert not (half / "digits/failed.jsonl").exists()


def test_a_folder_without_a_run_is_refused(tmp_path):
    told = suli("status", tmp_path)
    assert told.exit_code == 2 and "no run was started" in told.output


def test_a_dry_run_lists_cells_and_costs_and_writes_nothing(half, tmp_path):
    before = sorted(half.rglob("*"))
    told = suli("run", "digits", *ARGUMENTS, "--seeds", "0,1", "--dry-run", "--output", half)
    assert told.exit_code == 0 and sorted(half.rglob("*")) == before
    drift = read_record(next(half.rglob("bn_drift/0-*.json")))
    passes = sum(sum(kinds.values()) for kinds in drift["passes"].values())
    assert ["class-3", "bn_drift", "1", "to", "run", f"{passes:,}"] in [
        line.split() for line in told.output.splitlines()
    ]
    assert f"6 cells: 3 cached, 3 to run, {passes:,} passes" in told.output
    fresh = suli("run", "digits", *ARGUMENTS, "--dry-run", "--json", "--output", tmp_path / "new")
    assert [row["passes"] for row in json.loads(fresh.stdout)] == [None] * 9
    assert not (tmp_path / "new").exists()


def contents(folder):
    return {
        path.relative_to(folder): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".lock"
    }


def test_shards_merge_to_the_folder_of_one_run_byte_for_byte(finished, tmp_path):
    for number in (1, 2):
        part = tmp_path / f"part-{number}"
        shutil.copytree(finished, part)
        for path in part.rglob(f"{number - 1}-*"):
            path.unlink()
        lines = (part / "digits/planned.jsonl").read_text().splitlines(keepends=True)
        own = [line for line in lines if json.loads(line)["seed"] != number - 1]
        (part / "digits/planned.jsonl").write_text("".join(own))
    merged = suli("merge", tmp_path / "part-1", tmp_path / "part-2", "--output", tmp_path / "all")
    assert merged.exit_code == 0, merged.output
    assert merged.output == f"6 records in {tmp_path / 'all'}\n"
    assert contents(tmp_path / "all") == contents(finished)


def test_two_results_of_one_cell_are_reported_and_neither_is_chosen(finished, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(finished, other)
    path = next(other.rglob("bn_drift/0-*.json"))
    record = read_record(path)
    write_record(path, {**record, "metrics": {**record["metrics"], "forget_accuracy": 0.5}})
    drawn = next(other.rglob("original/0-*.json"))
    later = {**read_record(drawn), "seconds": {"update": 1.0, "total": 9.0}, "created": "9999"}
    write_record(drawn, later)
    merged = suli("merge", finished, other, "--output", tmp_path / "all")
    assert merged.exit_code == 1 and "5 records in" in merged.output
    assert f"not merged: {path.relative_to(other)}: {finished} and {other} have" in merged.output
    assert "(metrics)" in merged.output
    assert not (tmp_path / "all" / path.relative_to(other)).exists()
    kept = tmp_path / "all" / drawn.relative_to(other)
    assert kept.read_bytes() == (finished / drawn.relative_to(other)).read_bytes()
    assert counts(tmp_path / "all") == {"done": 5, "missing": 1}


def test_only_run_folders_merge(finished, tmp_path):
    told = suli("merge", finished, tmp_path, "--output", tmp_path / "all")
    assert told.exit_code == 2 and "nothing was planned in it" in told.output
    assert not (tmp_path / "all").exists() and Path(finished).is_dir()
