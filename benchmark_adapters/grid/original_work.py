"""The training of an original as a task: made once, then handed to all who start from it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmark_adapters.cluster.worker_accelerator import Arithmetic, worker_accelerator
from suli_plugin.benchmark import Benchmark
from suli_plugin.kept_tensors import kept_file, write_tensors


@dataclass(frozen=True)
class AskedOriginal:
    """name: that it is kept under, see `Benchmark.kept_original`; a case that starts from it."""

    name: str
    scenario: str
    seed: int


@dataclass(frozen=True)
class OriginalWork:
    """Makes originals on a worker."""

    benchmark: Benchmark
    arithmetic: Arithmetic

    def __call__(self, asked: AskedOriginal) -> bytes:
        """The file of its weights, as `kept_tensors` keeps it."""
        worker_accelerator(self.arithmetic)
        model = self.benchmark.case(asked.scenario, asked.seed).original
        found = kept_file(asked.name)
        if found is not None:
            return found
        # A worker that can't write to its cache has it all the same.
        with TemporaryDirectory() as place:
            path = Path(place) / "original.safetensors"
            write_tensors(
                path, {name: of.detach().cpu() for name, of in model.state_dict().items()}
            )
            return path.read_bytes()
