"""What do workers gain on short cells, what costs the scheduler, and the client at 10,000 cells?

    python tests/speed/side_by_side_speed.py [--cells 200] [--planned 10000] [--tasks 500]

Short cells: digits' original and controls in ten classes, whose originals are there already, at
one worker and at two; with and without the workers' start. A task: one that does nothing, by one
worker. Planned cells: the plan, then as many cells through a client whose worker answers at once;
processor time a thousand cells, and peak memory, of the client and the scheduler that `--workers`
starts in its process. Not a test; run it on two idle cores.
"""

import argparse
import os
import pickle
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SHORT = ("original", "logit_mask", "bias_mask", "bn_drift")
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

        seeds = range(-(-count // (CLASSES * len(methods))))
        planned = plan(
            self.benchmark, self.registry, scenarios=["class-*"], methods=methods, seeds=seeds,
            accelerator=self.accelerator,
        )  # fmt: skip
        return planned[:count]

    def run(self, cells, folder, workers, **options):
        """The outcome, and seconds with and without the start of the workers."""
        from benchmark_adapters.cluster.options import CrewAsked
        from benchmark_adapters.grid.crew_plan import crew_and_plan
        from benchmark_adapters.grid.run import run_grid

        start = time.perf_counter()
        with CrewAsked(workers).maker() as make:
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


def scheduler(count):
    from benchmark_adapters.cluster.options import CrewAsked
    from benchmark_adapters.grid.crew_plan import crew_and_plan

    setting = Setting()
    cells = setting.cells(1, SHORT)
    with CrewAsked(1).maker() as make:
        crew, _ = crew_and_plan(
            make, lambda device: cells, setting.benchmark, setting.registry, setting.accelerator
        )
        start = time.perf_counter()
        crew.do(ManyTasks(Nothing(), count))
        seconds = time.perf_counter() - start
    print(f"{count} tasks that do nothing: {1000 * seconds / count:.1f} ms each")


def planned_cells(count):
    from benchmark_adapters.grid.run import run_grid

    setting = Setting()
    # The data are read once, whatever the number of cells.
    setting.cells(1, SHORT)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        cells = setting.cells(count, SHORT)
        planned = time.perf_counter() - start
        (first,) = run_grid(cells[:1], setting.benchmark, setting.registry, Path(folder) / "one",
                            setting.accelerator, evidence=False).records  # fmt: skip
        for seed in range(1 + max(cell.seed for cell in cells)):
            _pretend_original(setting.benchmark, seed)
        before = _used()
        _, _, alone = setting.run(
            cells, Path(folder) / "all", 1, work=Canned(first), evidence=False
        )
        used = _used() - before
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    thousands = count / 1000
    print(
        f"{len(cells)} cells: planned in {planned / thousands:.2f} s a thousand; the client used "
        f"{used / thousands:.2f} s of processor time a thousand ({alone / thousands:.2f} s passed) "
        f"and {peak:.2f} GiB at its peak"
    )


def _pretend_original(benchmark, seed):
    """No original is trained for cells that nobody runs."""
    import shutil

    from suli_plugin.kept_tensors import cache_folder

    there, wanted = (
        cache_folder() / f"{benchmark.kept_original(of)}.safetensors" for of in (0, seed)
    )
    if there != wanted:
        shutil.copyfile(there, wanted)


def _used():
    own = resource.getrusage(resource.RUSAGE_SELF)
    return own.ru_utime + own.ru_stime


PARTS = {"cells": short_cells, "tasks": scheduler, "planned": planned_cells}


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
