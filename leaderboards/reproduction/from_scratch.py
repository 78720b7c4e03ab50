"""The paper's Tables 2 to 5 from scratch: an original, Retrains of its recipe, methods, tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from accelerate import Accelerator

from benchmark_adapters.grid.aligned import aligned_lines
from benchmark_adapters.grid.benchmark_options import made_benchmark
from benchmark_adapters.grid.cell_maker import reusable
from benchmark_adapters.grid.outcome import Outcome
from benchmark_adapters.grid.plan import Cell, plan
from benchmark_adapters.grid.run import run_grid
from leaderboards.comparison.paper import SETTING, comparison_tables
from leaderboards.reproduction.place import Place
from leaderboards.reproduction.table import Record
from suli_plugin.benchmark import Benchmark
from suli_plugin.registry import Registry

# So many retain images stand for all, as on the boards.
PRECISION, RETAIN_SCORED = "bf16", 4_500
TITLES = {
    "paper.table-2": "Table 2: class-wise accuracy",
    "paper.table-3": "Table 3: instance-wise accuracy",
    "paper.table-4": "Table 4: accuracy of membership inference",
    "paper.table-5": "Table 5: cost over SULI's, seconds in the paper and passes here",
}
# Ten million attacked images class-wise, as published, are more than all the rest.
_ATTACKS = {"adversarial_images": 1, "iterations": 20, "updates_per_check": None}


@dataclass(frozen=True)
class Part:
    """Methods on scenarios. changes: what is shorter than published, by label."""

    scenarios: Sequence[str]
    methods: Sequence[str]
    changes: Mapping[str, Mapping[str, Any]]


# The paper's methods on every class, those that it does not have on one; that one is made first.
PARTS = (
    Part(
        ("class-1", "class-*", "instance-64", "instance-512"),
        ("original", "retrain", "neg_grad", "random_label", "initial_label", "boundary_shrink",
         "adv_imp", "su@official", "suli@official"),
        {"adv_imp": _ATTACKS},
    ),
    Part(
        ("class-1",),
        ("forget-only",),
        {"adv": _ATTACKS, "adv_imp": _ATTACKS, "mu_mis": {"epochs": 10}},
    ),
)  # fmt: skip


@dataclass(frozen=True)
class FromScratch:
    """The cells of the tables, whose records are those of `suli bench run` in the same folder."""

    cells: Sequence[Cell]
    benchmark: Benchmark
    registry: Registry
    accelerator: Accelerator

    @classmethod
    def planned(
        cls,
        registry: Registry,
        accelerator: Accelerator,
        place: Place,
        *,
        limit_images: int | None = None,
        rows: Sequence[str] = (),
        cells: Sequence[str] = (),
    ) -> FromScratch:
        """All cells, or those that are meant. limit_images: see `RealImages`. rows: globs of
        methods; cells: of `class-3/0`. Raises ValueError where none is meant, and for an original
        of the user's, whose Retrains would be of another recipe.
        """
        if place.original is not None:
            raise ValueError("leave out --original: from scratch an original is trained, too")
        given = {**place.given, "limit_images": limit_images, "retain_scored": RETAIN_SCORED}
        benchmark = made_benchmark(registry.benchmark(SETTING), given)
        every = [
            cell for part in PARTS for cell in _of_part(part, benchmark, registry, accelerator)
        ]
        chosen = [
            cell
            for cell in dict.fromkeys(every)
            if _is_meant(rows, cell.label) and _is_meant(cells, f"{cell.scenario}/{cell.seed}")
        ]
        if not chosen:
            raise ValueError("no cell is meant by --row and --cell; without them all are")
        return cls(chosen, benchmark, registry, accelerator)

    def run(self, folder: Path, progress: Callable[[Cell], None]) -> Outcome:
        """Run what has no record yet; of the models Retrains alone are kept, to go on with."""
        return run_grid(
            self.cells,
            self.benchmark,
            self.registry,
            folder,
            self.accelerator,
            progress=progress,
            evidence="retrains",
        )

    def records(self, folder: Path) -> list[dict[str, Any]]:
        """Those that a folder has already."""
        found = (reusable(cell, folder) for cell in self.cells)
        return [record for record in found if record is not None]


def shown_tables(records: Sequence[Record], name: str) -> Iterator[str]:
    """Text of the tables of a name (`paper` for all) beside the paper's figures."""
    for table, markdown in comparison_tables(records).items():
        if name in (table, "paper") and markdown:
            yield f"{TITLES[table]}\n\n{_aligned(markdown)}"


def shortened(records: Sequence[Record]) -> Iterator[str]:
    """A line for each method of these records that ran with less than its source has."""
    labels = {record["method"] for record in records}
    changes = {label: own for part in PARTS for label, own in part.changes.items()}
    for label, own in changes.items():
        if label in labels:
            told = ", ".join(f"{name}={value}" for name, value in own.items())
            yield f"{label} is no row as published: {told}, for the time it takes"


def _of_part(
    part: Part, benchmark: Benchmark, registry: Registry, accelerator: Accelerator
) -> list[Cell]:
    return plan(
        benchmark,
        registry,
        scenarios=part.scenarios,
        methods=part.methods,
        seeds=[0],
        changes=part.changes,
        accelerator=accelerator,
    )


def _is_meant(patterns: Sequence[str], name: str) -> bool:
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)


def _aligned(markdown: str) -> str:
    """Tables and the lines between them, without marks and without columns of dashes alone."""
    return "\n\n".join(_aligned_block(block) for block in markdown.split("\n\n"))


def _aligned_block(block: str) -> str:
    rows = [
        [cell.strip(" `") for cell in line.strip("|").split("|")]
        for line in block.splitlines()
        if not line.startswith("| :--")
    ]
    columns = [column for column in zip(*rows, strict=True) if set(column[1:]) != {"–"}]
    return "\n".join(aligned_lines(list(zip(*columns, strict=True))))
