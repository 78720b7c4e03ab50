"""A grid on a real scheduler and real workers: they die, end, come and lack things meanwhile."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter

import pytest
from ctrl_c import with_ctrl_c
from run_contents import contents
from waiting_cells import installed_in

pytest.importorskip("distributed", reason="the extra cluster is not installed")

from dask_processes import DaskProcesses, until

from benchmark_adapters.grid.status import statuses

pytestmark = pytest.mark.slow
WAITING = ["waits", "waits@second", "waits@third", "waits@fourth"]


class Grid:
    """Commands on one grid, and what its cells tell of themselves."""

    def __init__(self, folder):
        self.folder, self.told_in = folder, folder / "waiting"
        self.told_in.mkdir()
        self.environment = {
            "PYTHONPATH": str(installed_in(folder / "plugin")),
            "WAITING_CELLS": str(self.told_in),
        }

    def suli(self, *arguments, cache="cache", **options):
        """`suli bench`, started; its output is text."""
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "suli_plugin", "bench", *map(str, arguments)],
            env={**os.environ, **self.environment, "SULI_CACHE": str(self.folder / cache)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=with_ctrl_c,
            **options,
        )

    def run(self, output, *more, waiting=4, **options):
        """`suli bench run` of the grid, with so many cells that wait."""
        methods = ",".join(["original", "retrain", *WAITING[:waiting]])
        asked = ("--scenarios", "class-3", "--seeds", "0", "--methods", methods, "--no-audit")
        where = ("--json", "--output", self.folder / output)
        return self.suli("run", "watched_digits", *asked, *where, *more, **options)

    def told(self, what):
        """The words behind this one, of each line."""
        path = self.told_in / "told"
        lines = path.read_text().splitlines() if path.exists() else []
        return [line.split()[1:] for line in lines if line.split()[0] == what]

    def wait(self):
        """Cells are not to end from here on."""
        (self.told_in / "told").unlink(missing_ok=True)
        (self.told_in / "go").unlink(missing_ok=True)

    def go(self):
        """They may."""
        (self.told_in / "go").touch()


def finished(process, code=0):
    out, err = process.communicate(timeout=240)
    assert process.returncode == code, err
    return out, err


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    grid = Grid(tmp_path_factory.mktemp("grid"))
    grid.go()
    return grid


@pytest.fixture(scope="module")
def alone(grid):
    """The run folder of one process."""
    finished(grid.run("alone"))
    return grid.folder / "alone"


@pytest.fixture(scope="module")
def cluster(grid):
    cluster = DaskProcesses(grid.folder, **grid.environment)
    for name in ("first", "second"):
        cluster.worker(name)
    cluster.worker("with-nanny", "--nanny")
    cluster.worker("without-plugin", PYTHONPATH="")
    yield cluster
    cluster.close()


def test_workers_that_die_end_and_come_leave_the_folder_of_one_process(grid, alone, cluster):
    grid.wait()
    client = grid.run("many", "--scheduler", cluster.file, cache="client")
    # All three workers that get cells have one in hand.
    until(lambda: len({pid for pid, *_ in grid.told("cell")}) == 3)
    in_hand = {int(pid): cell for pid, *cell in grid.told("cell")}
    killed = cluster.workers["first"]
    killed.send_signal(signal.SIGKILL)
    # The one with a nanny: as SLURM does, the signal goes to nanny and worker.
    ended = next(pid for pid in in_hand if pid not in {w.pid for w in cluster.workers.values()})
    os.kill(ended, signal.SIGTERM)
    cluster.workers["with-nanny"].send_signal(signal.SIGTERM)
    cluster.worker("restarted")
    # The killed one's cell, or one that nobody had, is the newcomer's.
    until(lambda: str(cluster.workers["restarted"].pid) in {pid for pid, *_ in grid.told("cell")})
    assert cluster.workers["with-nanny"].poll() is None
    grid.go()
    out, err = finished(client)
    assert len(json.loads(out)["records"]) == 6 and not json.loads(out)["failed"]
    assert cluster.workers["with-nanny"].wait(timeout=120) == 0
    assert contents(grid.folder / "many") == contents(alone)
    begun = Counter(tuple(cell) for _, *cell in grid.told("cell"))
    assert begun.pop(tuple(in_hand[killed.pid])) == 2 and set(begun.values()) == {1}
    (refused,) = (line for line in err.splitlines() if "gets no cells" in line)
    assert "it lacks waits of the plugin 'waiting_cells' of waiting-cells 1" in refused
    assert str(cluster.workers["without-plugin"].pid) not in {pid for pid, *_ in grid.told("cell")}


def test_an_original_is_trained_once_by_one_worker(grid, alone, cluster):
    """The test before has left a log and caches."""
    assert len(grid.told("original")) == 1
    caches = [grid.folder / "client", *grid.folder.glob("*/cache")]
    kept = [len(list(cache.glob("trained-original-*.safetensors"))) for cache in caches]
    # The client's, and those of the four that were found fit.
    assert kept == [1] * 5


def test_a_client_or_a_scheduler_that_dies_loses_nothing_that_was_finished(grid, alone, cluster):
    again, many = grid.folder / "again", ("again", "--scheduler", cluster.file)

    def counts():
        (status,) = statuses(again)
        return {what: count for what, count in status.counts.items() if count}

    def records():
        return {path: path.stat().st_mtime_ns for path in again.rglob("*.json")}

    def in_hand():
        """Both workers have a cell that waits; whatever else is in hand waits behind them."""
        grid.wait()
        client = grid.run(*many, waiting=2, cache="client")
        until(lambda: len(grid.told("cell")) == 2)
        until(lambda: counts() == {"done": len(records()), "running": 4 - len(records())})
        return client, records()

    client, first = in_hand()
    client.send_signal(signal.SIGKILL)
    client.wait()
    grid.go()
    until(lambda: len(grid.told("ended")) == 2)
    client, later = in_hand()
    assert first and first.items() <= later.items()
    cluster.scheduler.send_signal(signal.SIGKILL)
    _, err = finished(client, code=1)
    assert "the scheduler is gone; what was finished is kept" in err
    assert records() == later
    assert counts() == {"done": len(later), "missing": 4 - len(later)}
    grid.go()
    out, _ = finished(grid.run("again", waiting=2, cache="client"))
    assert json.loads(out)["reused"] == len(later) and len(json.loads(out)["records"]) == 4
    there, one = contents(again), contents(alone)
    # The plan is of fewer cells.
    of_cells = [path for path in there if path.match("*/*/*/0-*")]
    assert len(of_cells) == 16 and all(there[path] == one[path] for path in of_cells)
