"""A cell on a worker that shares no disk with whoever keeps the records: files come and go."""

from __future__ import annotations

import hashlib
import pickle
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from benchmark_adapters.audit.observation import Observation
from benchmark_adapters.audit.observation_file import packed_observation
from benchmark_adapters.audit.relearning import RelearnRates
from benchmark_adapters.cluster.worker_accelerator import Arithmetic, worker_accelerator
from benchmark_adapters.grid.cell_maker import CellMaker, Evidence
from benchmark_adapters.grid.plan import Cell
from benchmark_adapters.grid.retrains import RETRAIN
from benchmark_adapters.grid.scored_case import ScoredCase
from benchmark_adapters.grid.stored_retrained import StoredRetrained
from benchmark_adapters.metrics.relearn_time import RelearnTime
from benchmark_adapters.records.evidence import FEATURES_SUFFIX, packed_logits
from benchmark_adapters.records.provenance import command
from suli_plugin.benchmark import Benchmark
from suli_plugin.failure import DoesNotApply
from suli_plugin.kept_tensors import put_kept_file
from suli_plugin.plugins import registry

# A worker goes from one case to the next; the one before may still have cells in other hands.
CASES = 2


@dataclass(frozen=True)
class Asked:
    """A cell for a worker. files: of the run folder that decide it, by their path below it."""

    cell: Cell
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class GivenRetrained:
    """The retrained model that a case's models are compared with, see `StoredRetrained`.

    logits, features: their files. rates: as they are, which files have in float32.
    """

    hash: str
    relearn: RelearnTime | None
    logits: bytes
    features: bytes | None
    rates: RelearnRates | None = None


@dataclass(frozen=True)
class Made:
    """What came of a cell: a record and the files beside it, or the reason why there is none.

    reused: the method did not have to run. applies: False where a method does not apply to the
    data. retrained: if the others are compared with it. observation: where it is in no file.
    """

    record: dict[str, Any] | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)
    reused: bool = False
    reason: str = ""
    applies: bool = True
    retrained: GivenRetrained | None = None
    observation: Observation | None = None


class CellWork(Protocol):
    """Makes cells on a worker; pickled without what it keeps between cells there."""

    def __call__(self, asked: Asked, original: bytes | None, retrained: bytes | None) -> Made:
        """original: a pickled name and file of `kept_tensors`. retrained: a `GivenRetrained`."""


def made_or_reason(make: Callable[[], Made]) -> Made:
    """What `make` gives; a method's own error is a reason, as in one process."""
    try:
        return make()
    except DoesNotApply as error:
        return Made(reason=str(error), applies=False)
    except Exception as error:
        # A stranger's method may raise anything; the rest of the grid goes on.
        return Made(reason=f"{type(error).__name__}: {error}")


def told_by(made_on: str, record: dict[str, Any]) -> dict[str, Any]:
    """A record that names the command that asked for it, and not the worker's own."""
    return {**record, "command": made_on} if record["command"] == command() else record


class PanelWork:
    """Makes cells with the whole panel, as `run_grid` does. asked_by: the client's command."""

    def __init__(self, benchmark: Benchmark, arithmetic: Arithmetic, *, evidence: Evidence) -> None:
        self.benchmark, self.arithmetic, self.evidence = benchmark, arithmetic, evidence
        self.asked_by = command()
        self._cases: OrderedDict[tuple[str, int], ScoredCase] = OrderedDict()

    def __call__(self, asked: Asked, original: bytes | None, retrained: bytes | None) -> Made:
        """See `CellWork`."""
        return made_or_reason(lambda: self._made(asked, original, retrained))

    def _made(self, asked: Asked, original: bytes | None, retrained: bytes | None) -> Made:
        if original is not None:
            put_kept_file(*pickle.loads(original))
        with TemporaryDirectory(prefix="suli-cell-") as place:
            folder = Path(place)
            _write(folder / "run", asked.files)
            scored = self._scored(asked.cell)
            stored = _compared(scored, retrained, folder)
            maker = CellMaker(
                lambda cell: scored, registry(), folder / "run", scored.accelerator,
                self.evidence, retrained=lambda cell: stored,
            )  # fmt: skip
            record, reused = maker.record(asked.cell)
            return Made(
                told_by(self.asked_by, record),
                _beside(asked.cell.path(folder / "run")),
                reused,
                retrained=_given(asked.cell, record, scored, folder / "run"),
                observation=scored.observations.get(asked.cell.label),
            )

    def _scored(self, cell: Cell) -> ScoredCase:
        """The case, loaded once for the cells that come one after another."""
        key = (cell.scenario, cell.seed)
        if key not in self._cases:
            accelerator = worker_accelerator(self.arithmetic)
            audited = self.evidence != "retrains"
            self._cases[key] = ScoredCase(self.benchmark, *key, accelerator, audited=audited)
            if len(self._cases) > CASES:
                self._cases.popitem(last=False)
        self._cases.move_to_end(key)
        scored = self._cases[key]
        scored.retrained = scored.rates = None
        scored.observations.clear()
        return scored

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_cases": OrderedDict()}


def _compared(scored: ScoredCase, retrained: bytes | None, folder: Path) -> StoredRetrained | None:
    if retrained is None:
        return None
    given: GivenRetrained = pickle.loads(retrained)
    _write(folder, {"logits": given.logits, "features": given.features or b""})
    stored = StoredRetrained(
        given.hash,
        given.relearn,
        folder / "logits",
        hashlib.sha256(given.logits).hexdigest(),
        folder / "features" if given.features is not None else None,
    )
    scored.compare_with(stored)
    scored.rates = given.rates if given.rates is not None else scored.rates
    return stored


def _given(
    cell: Cell, record: Mapping[str, Any], scored: ScoredCase, folder: Path
) -> GivenRetrained | None:
    """What the others of the case are compared with, if this cell has just made it."""
    made = scored.retrained
    if cell.label != RETRAIN or made is None or made.hash != record["unlearned_hash"]:
        return None
    features = cell.path(folder).with_suffix(FEATURES_SUFFIX)
    seen = scored.observations.get(cell.label)
    packed = features.read_bytes() if features.is_file() else None
    packed = packed_observation(seen) if seen is not None else packed
    return GivenRetrained(
        made.hash, made.relearn, packed_logits(scored.logits), packed, scored.rates
    )


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _beside(record: Path) -> dict[str, bytes]:
    """The evidence of a record, by name."""
    beside = (path for path in record.parent.glob(f"{record.stem}.*") if path != record)
    return {path.name: path.read_bytes() for path in sorted(beside)}
