"""What do workers gain on short cells, what costs the scheduler, and the client at 10,000 cells?

    python tests/speed/side_by_side_speed.py [--cells 200] [--planned 10000] [--tasks 500]

Short cells: digits' original and controls in ten classes, whose originals are there already, at
one worker and at two; with and without the workers' start. Tasks: each does nothing. Planned cells:
the plan of digits' forget-only methods, the original and controls in ten classes, then as many
cells whose worker answers at once, so that what is left is the client's. Tasks and planned cells
go through a scheduler and one worker that are processes of their own; processor time of client
and scheduler. Not a test; run it on two idle cores.
"""

import argparse
import os
import pickle
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import psutil

sys.path.append(str(Path(__file__).parent.parent / "support"))

SHORT = ("original", "logit_mask", "bias_mask", "bn_drift")
MANY = (*SHORT, "forget-only")
CLASSES = 10


class Nothing:
    """Work that does nothing."""

    def __call__(self, asked):
        return None


class Canned:
    """Work that gives every cell the same result at once."""

    def __init__(self, record):
        self.record = record

    def __call__(self, asked, original, retrained):
        from benchmark_adapters.grid.cell_work import Made

        cell = asked.cell
        own = {"method": cell.label, "seed": cell.seed, "cell": cell.key, "case": cell.case}
        return Made({**self.record, **own})


class ManyTasks:
    """So many tasks of one work."""

    def __init__(self, work, count):
        self.work, self.left = pickle.dumps(work), count

    def next(self):
        from benchmark_adapters.cluster.crew import Task

        self.left -= 1
        return Task(self.work, None) if self.left >= 0 else None

    def ended(self, task, result):
        assert result is None, result


class Setting:
    """Digits on this machine, and crews for them."""

    def __init__(self):
        from accelerate import Accelerator

        from benchmark_adapters.benchmarks.digits import Digits
        from suli_plugin.plugins import registry

        self.accelerator, self.benchmark, self.registry = Accelerator(), Digits(), registry()

    def cells(self, count, methods):
        from benchmark_adapters.grid.plan import plan

        def planned(seeds):
            return plan(
                self.benchmark, self.registry, scenarios=["class-*"], methods=methods,
                seeds=range(seeds), accelerator=self.accelerator,
            )  # fmt: skip

        return planned(-(-count // len(planned(1))))[:count]

    def run(self, cells, folder, workers, scheduler=None, **options):
        """The outcome, and seconds with and without the start of the workers."""
        from benchmark_adapters.cluster.options import CrewAsked
        from benchmark_adapters.grid.crew_plan import crew_and_plan
        from benchmark_adapters.grid.run import run_grid

        start = time.perf_counter()
        with CrewAsked(workers, scheduler).maker() as make:
            crew, cells = crew_and_plan(
                make, lambda device: cells, self.benchmark, self.registry, self.accelerator
            )
            started = time.perf_counter()
            outcome = run_grid(
                cells, self.benchmark, self.registry, folder, self.accelerator, crew=crew, **options
            )
            ended = time.perf_counter()
        assert not outcome.failed and len(outcome.records) == len(cells), outcome.failed
        return outcome, ended - start, ended - started


def short_cells(count):
    setting = Setting()
    cells = setting.cells(count, SHORT)
    for seed in {cell.seed for cell in cells}:
        setting.benchmark.case("class-0", seed)
    seconds = {}
    for workers in (1, 2):
        with tempfile.TemporaryDirectory() as folder:
            _, whole, alone = setting.run(cells, Path(folder), workers)
        seconds[workers] = whole, alone
        print(f"{len(cells)} cells, {workers} workers: {alone:.1f} s, with the start {whole:.1f} s")
    whole, alone = (seconds[1][kind] / seconds[2][kind] for kind in (0, 1))
    print(f"two workers against one: {alone:.2f} times, with the start {whole:.2f} times")


def tasks(count):
    # By this name workers can import it.
    from side_by_side_speed import Nothing

    from benchmark_adapters.cluster.options import CrewAsked
    from benchmark_adapters.grid.crew_plan import crew_and_plan

    setting = Setting()
    cells = setting.cells(1, SHORT)
    with (
        tempfile.TemporaryDirectory() as place,
        _far_worker(Path(place)) as dask,
        CrewAsked(scheduler=str(dask.file)).maker() as make,
    ):
        crew, _ = crew_and_plan(
            make, lambda device: cells, setting.benchmark, setting.registry, setting.accelerator
        )
        with Used(dask) as used:
            crew.do(ManyTasks(Nothing(), count))
    print(f"{count} tasks that do nothing: {used.each(count)}")


def planned_cells(count):
    # By this name workers can import it.
    from side_by_side_speed import Canned

    from benchmark_adapters.grid.run import run_grid

    setting = Setting()
    # The data are read once, whatever the number of cells.
    setting.cells(1, SHORT)
    with tempfile.TemporaryDirectory() as place, _far_worker(Path(place)) as dask:
        folder = Path(place)
        with Used(dask) as planning:
            cells = setting.cells(count, MANY)
        (first,) = run_grid(cells[:1], setting.benchmark, setting.registry, folder / "one",
                            setting.accelerator, evidence=False).records  # fmt: skip
        for seed in range(1 + max(cell.seed for cell in cells)):
            _pretend_original(setting.benchmark, seed)
        with Used(dask) as used:
            setting.run(
                cells, folder / "all", None, str(dask.file), work=Canned(first), evidence=False
            )
    print(f"{count} cells: planned in {1000 * planning.client / count:.2f} ms each, then")
    print(f"{count} cells that do nothing: {used.each(count)}; {used.memory()}")


class Used:
    """Processor seconds of this process and of a scheduler meanwhile, and their memory after."""

    def __init__(self, dask):
        self.processes = psutil.Process(), psutil.Process(dask.scheduler.pid)

    def __enter__(self):
        self.before, self.start = self._now(), time.perf_counter()
        return self

    def __exit__(self, *exception):
        self.passed = time.perf_counter() - self.start
        self.client, self.scheduler = (
            after - before for before, after in zip(self.before, self._now(), strict=True)
        )
        self.resident = self.processes[1].memory_info().rss

    def each(self, count):
        client, scheduler, passed = (
            1000 * seconds / count for seconds in (self.client, self.scheduler, self.passed)
        )
        return (
            f"{client:.2f} ms of processor time each in the client, {scheduler:.2f} in the "
            f"scheduler, one in {passed:.1f} ms"
        )

    def memory(self):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        return (
            f"{peak / 1e9:.2f} GB at most in the client, {self.resident / 1e9:.2f} in the scheduler"
        )

    def _now(self):
        return [sum(process.cpu_times()[:2]) for process in self.processes]


@contextmanager
def _far_worker(folder):
    """A scheduler and a worker, each a process of its own; they can import this file's work."""
    from dask_processes import DaskProcesses

    dask = DaskProcesses(folder, PYTHONPATH=str(Path(__file__).parent))
    try:
        dask.worker("far")
        yield dask
    finally:
        dask.close()


def _pretend_original(benchmark, seed):
    """No original is trained for cells that nobody runs."""
    import shutil

    from suli_plugin.kept_tensors import cache_folder

    there, wanted = (
        cache_folder() / f"{benchmark.kept_original(of)}.safetensors" for of in (0, seed)
    )
    if there != wanted:
        shutil.copyfile(there, wanted)


PARTS = {"cells": short_cells, "tasks": tasks, "planned": planned_cells}


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--cells", type=int, default=200)
    options.add_argument("--tasks", type=int, default=500)
    options.add_argument("--planned", type=int, default=10_000)
    options.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.part:
        PARTS[chosen.part](getattr(chosen, chosen.part))
        return
    with tempfile.TemporaryDirectory() as cache:
        for part in PARTS:
            # Each in a process of its own, whose memory is its own.
            asked = [f"--{name}={getattr(chosen, name)}" for name in PARTS]
            subprocess.run(
                [sys.executable, __file__, "--part", part, *asked],
                env={**os.environ, "SULI_CACHE": cache, "OMP_NUM_THREADS": "1"},
                check=True,
            )


if __name__ == "__main__":
    main()
