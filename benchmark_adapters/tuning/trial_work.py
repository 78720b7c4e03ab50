"""A trial on a worker, see `benchmark_adapters.grid.cell_work`."""

from __future__ import annotations

import pickle
from typing import Any

from benchmark_adapters.cluster.worker_accelerator import Arithmetic, worker_accelerator
from benchmark_adapters.grid.cell_work import Asked, Made, made_or_reason, told_by
from benchmark_adapters.records.provenance import command
from benchmark_adapters.tuning.run import TrialRuns
from benchmark_adapters.tuning.trial_cells import Tuning
from suli_plugin.benchmark import Benchmark
from suli_plugin.kept_tensors import put_kept_file
from suli_plugin.plugins import registry


class TrialWork:
    """Makes the records of trials, as `TrialRuns` does."""

    def __init__(self, benchmark: Benchmark, arithmetic: Arithmetic, tuning: Tuning) -> None:
        self.benchmark, self.arithmetic, self.tuning = benchmark, arithmetic, tuning
        self.asked_by = command()
        self._runs: TrialRuns | None = None

    def __call__(self, asked: Asked, original: bytes | None, retrained: bytes | None) -> Made:
        """See `CellWork`; nothing is compared with a retrained model."""
        return made_or_reason(lambda: self._made(asked, original))

    def _made(self, asked: Asked, original: bytes | None) -> Made:
        if original is not None:
            put_kept_file(*pickle.loads(original))
        if self._runs is None:
            accelerator = worker_accelerator(self.arithmetic)
            self._runs = TrialRuns(self.benchmark, registry(), accelerator, self.tuning)
        return Made(told_by(self.asked_by, self._runs(asked.cell)))

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_runs": None}
