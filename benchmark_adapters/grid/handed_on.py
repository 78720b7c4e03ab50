"""What cells on workers start from and are compared with, which the client has and hands on."""

from __future__ import annotations

import pickle
from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark_adapters.cluster.crew import Crew, Task
from benchmark_adapters.cluster.worker_accelerator import Arithmetic
from benchmark_adapters.grid.cell_work import GivenRetrained
from benchmark_adapters.grid.original_work import AskedOriginal, OriginalWork
from benchmark_adapters.grid.plan import Cell
from benchmark_adapters.grid.retrains import trained_before
from benchmark_adapters.grid.stored_retrained import StoredRetrained, find_retrained
from benchmark_adapters.records.evidence import evidence_path
from suli_plugin.benchmark import Benchmark
from suli_plugin.kept_tensors import kept_file, put_kept_file

if TYPE_CHECKING:
    from distributed import Future

Record = Mapping[str, Any]
# So many originals are held for workers; an older one is read from the cache once more.
LATEST = 16
# So often a case's data are handed on anew where all who had them died, as often as Dask tries.
ANEW = 3


class Originals:
    """The originals that a benchmark trains: each by one task, unless the client has kept it."""

    def __init__(self, crew: Crew, benchmark: Benchmark, arithmetic: Arithmetic) -> None:
        self._crew, self._benchmark = crew, benchmark
        self._work = pickle.dumps(OriginalWork(benchmark, arithmetic))
        self._names: dict[int, str | None] = {}
        # Those that were used last, by name: with one a seed there may be thousands.
        self._handed_on: OrderedDict[str, Future] = OrderedDict()
        # Could not be made: the cells then say why.
        self._failed: set[str] = set()
        self._waiting: dict[str, list[Cell]] = {}

    def is_there(self, cell: Cell) -> bool:
        """Whether the cell's original can be handed on, or is none of these."""
        name = self._name(cell)
        if name is None or name in self._handed_on or name in self._failed:
            return True
        found = kept_file(name) if name not in self._waiting else None
        if found is not None:
            self._hand_on(name, found)
        return found is not None

    def task(self, cell: Cell) -> Task | None:
        """The task that makes it; None where it is under way. The cell waits for it."""
        name = self._name(cell)
        assert name is not None
        self._waiting.setdefault(name, []).append(cell)
        if len(self._waiting[name]) > 1:
            return None
        return Task(self._work, AskedOriginal(name, cell.scenario, cell.seed))

    def ended(self, asked: AskedOriginal, result: bytes | Exception) -> list[Cell]:
        """Keep what was made; the cells that waited for it."""
        if isinstance(result, bytes):
            put_kept_file(asked.name, result)
            self._hand_on(asked.name, result)
        else:
            self._failed.add(asked.name)
        return self._waiting.pop(asked.name)

    def handed_on(self, cell: Cell) -> Future | None:
        """Its pickled name and file."""
        name = self._name(cell)
        if name is None or name not in self._handed_on:
            return None
        found = kept_file(name) if self._handed_on[name].status == "error" else None
        if found is not None:
            self._hand_on(name, found)
        self._handed_on.move_to_end(name)
        return self._handed_on[name]

    def _hand_on(self, name: str, data: bytes) -> None:
        self._handed_on[name] = self._crew.hand_on(pickle.dumps((name, data)))
        if len(self._handed_on) > LATEST:
            self._handed_on.popitem(last=False)

    def _name(self, cell: Cell) -> str | None:
        if cell.seed not in self._names:
            self._names[cell.seed] = self._benchmark.kept_original(cell.seed)
        return self._names[cell.seed]


class CaseData:
    """Of each case what its cells start from and are compared with, for a `CellWork`.

    Its cells prefer the workers that have it, and so have loaded the case.
    """

    def __init__(self, crew: Crew, originals: Originals, folder: Path) -> None:
        self._crew, self._originals, self._folder = crew, originals, folder
        self._made: dict[tuple[str, int], GivenRetrained] = {}
        self._handed_on: dict[tuple[str, int], tuple[str | None, Future]] = {}
        self._lost: Counter[tuple[str, int]] = Counter()

    def made(self, cell: Cell, given: GivenRetrained) -> None:
        """A cell of this run made it."""
        self._made[cell.scenario, cell.seed] = given

    def stored_hash(self, cell: Cell) -> str | None:
        """The hash of the one that the run folder keeps."""
        found = find_retrained(self._folder, *_case(cell))
        return found.hash if found is not None else None

    def handed_on(self, cell: Cell, *, compared: bool) -> Future:
        """The original, and a pickled `GivenRetrained` of the run folder or of this run.

        compared: whether cells are compared with a retrained model at all.
        """
        key, retrained = (cell.scenario, cell.seed), self._retrained(cell) if compared else None
        hashed, before = self._handed_on.get(key, (None, None))
        of = retrained.hash if retrained is not None else None
        if before is None or hashed != of:
            data = pickle.dumps(_given(retrained)) if retrained is not None else None
            original = self._originals.handed_on(cell)
            self._handed_on[key] = of, self._crew.hand_on(original, data, beside=before)
        return self._handed_on[key][1]

    def are_lost(self, cell: Cell, given: Future | None) -> bool:
        """Whether it is these data that the cell lacked; they are handed on anew, `ANEW` times.

        Dask takes a task for the culprit on which several workers died one after the other, and
        where all are killed at once that may be the one that only hands data on.
        """
        if given is None or given.status != "error":
            return False
        key = (cell.scenario, cell.seed)
        if self._handed_on.get(key, (None, None))[1] is given:
            if self._lost[key] == ANEW:
                return False
            self._lost[key] += 1
            del self._handed_on[key]
        return True

    def forget(self, cell: Cell) -> None:
        """The cell's case is through."""
        for known in (self._made, self._handed_on, self._lost):
            known.pop((cell.scenario, cell.seed), None)

    def _retrained(self, cell: Cell) -> GivenRetrained | StoredRetrained | None:
        made = self._made.get((cell.scenario, cell.seed))
        found = find_retrained(self._folder, *_case(cell))
        # What this run made has the rates as they are, which files have in float32.
        return made if found is None or (made is not None and made.hash == found.hash) else found


def _given(retrained: GivenRetrained | StoredRetrained) -> GivenRetrained:
    if isinstance(retrained, GivenRetrained):
        return retrained
    features = retrained.features.read_bytes() if retrained.features is not None else None
    logits = retrained.logits.read_bytes()
    return GivenRetrained(retrained.hash, retrained.relearn, logits, features)


def files_of(cell: Cell, record: Record, folder: Path) -> dict[str, bytes]:
    """A record and its evidence, by path below the run folder. record: that at the cell's path."""
    path = cell.path(folder)
    kept = (evidence_path(path, record, kind) for kind in record.get("evidence") or {})
    return _read([path, *(each for each in kept if each is not None)], folder)


def training_before(known: Record, folder: Path) -> dict[str, bytes]:
    """The record and the weights of the very same training, see `trained_before`; none if none."""
    found = trained_before(folder, known)
    if found is None:
        return {}
    _, weights = found
    return _read([weights.with_suffix(".json"), weights], folder)


def _read(paths: Iterable[Path], folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def _case(cell: Cell) -> tuple[str, str, int, str]:
    return cell.benchmark, cell.scenario, cell.seed, cell.case
