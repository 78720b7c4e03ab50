"""`Board`: a small declarative file that says what a submission must be about and is held to."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from benchmark_adapters.grid.retrains import HELD_OUT, is_retrain
from benchmark_adapters.records.record import write_atomically
from benchmark_adapters.records.strict_json import strict_json
from leaderboards.board.metrics import BoardMetric, Level
from leaderboards.board.one_request import check_one_request
from suli_plugin.unlearner import SCOPES, Scope

SCHEMA_VERSION = 1
SETS = ("forget", "retain", "test", "reference")


@dataclass(frozen=True)
class BoardScenario:
    """One scenario: how many images each scored set has, and their content hashes by seed."""

    sizes: Mapping[str, int] = field(default_factory=dict)
    hashes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Board:
    """A setting and a scope: `<benchmark>.<scope>`, or `<benchmark>.<scenario>` for one alone.

    options: the benchmark's fields but where its data and original are. dataset: `source` and
    what names its version. original: `kind`, `source` or `recipe`, and `hashes` of its weights by
    seed. outputs: of the network. not_measured: why the hashes are absent, empty if they are not.
    noise: how the tolerances of `rerun` were measured, and those by method; see
    `keeping.noise.with_noise`. Raises ValueError for a scenario of several requests.
    """

    name: str
    title: str
    benchmark: str
    scope: Scope
    options: Mapping[str, Any]
    dataset: Mapping[str, Any]
    original: Mapping[str, Any]
    seeds: tuple[int, ...]
    scenarios: Mapping[str, BoardScenario]
    controls: tuple[str, ...]
    outputs: int = 0
    metrics: tuple[BoardMetric, ...] = ()
    noise: Mapping[str, Any] | None = None
    not_measured: str = ""

    def __post_init__(self) -> None:
        for scenario in self.scenarios:
            check_one_request(scenario)

    @property
    def cells(self) -> list[tuple[str, int]]:
        """The scenarios and seeds that a submission must have, in order."""
        return [(scenario, seed) for scenario in self.scenarios for seed in self.seeds]

    def metric(self, name: str) -> BoardMetric | None:
        """The metric of that name, if the board has it."""
        return next((metric for metric in self.metrics if metric.name == name), None)

    def tolerance(self, name: str, level: Level, method: str) -> float | None:
        """How much a method's value may differ when it is found again at this level.

        None if this level does not find it.
        """
        metric = self.metric(name)
        if metric is None or metric.tolerance[level] is None:
            return None
        if level == "reload" and not metric.trained:
            return metric.tolerance[level]
        if level == "rescore":
            return metric.tolerance[level]
        own = self.noise["rerun"].get(method, {}).get(name) if self.noise else None
        return metric.tolerance["rerun"] if own is None else float(own)

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        scenarios = {name: dataclasses.asdict(each) for name, each in self.scenarios.items()}
        return {
            "schema_version": SCHEMA_VERSION,
            **{field_.name: getattr(self, field_.name) for field_ in dataclasses.fields(self)},
            "scenarios": scenarios,
            "metrics": [metric.as_dict() for metric in self.metrics],
        }


def is_reference(method: str) -> bool:
    """Whether it is no method but what methods are compared with: the original, a Retrain."""
    return method in ("original", HELD_OUT) or is_retrain(method)


def board_names() -> list[str]:
    """The boards that ship."""
    return sorted(path.name.removesuffix(".json") for path in _shipped() if path.is_file())


def load_board(source: str | Path) -> Board:
    """A board that ships, by its name, or one in a JSON file.

    Raises ValueError for an unknown name and a file that is no board.
    """
    path = Path(source)
    if path.suffix == ".json" and path.is_file():
        return _board(path.read_bytes(), str(path))
    if str(source) not in board_names():
        known = ", ".join(board_names())
        raise ValueError(f"there is no board {str(source)!r:.80} and no such file; boards: {known}")
    return _board((_FOLDER / f"{source}.json").read_bytes(), str(source))


def shipped_path(name: str) -> Path:
    """Where a board that ships is."""
    return Path(str(_FOLDER / f"{name}.json"))


def write_board(board: Board, path: Path) -> None:
    """Write a board's file, as `load_board` reads it."""
    write_atomically(path, json.dumps(board.as_dict(), indent=1, ensure_ascii=False) + "\n")


_FOLDER = files("leaderboards") / "boards"


def _shipped() -> Iterator[Any]:
    return (path for path in _FOLDER.iterdir() if path.name.endswith(".json"))


def _board(data: bytes, where: str) -> Board:
    values = strict_json(data, where)
    try:
        return _checked(values)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{where} is not a board: {error}") from error


def _checked(values: dict[str, Any]) -> Board:
    if values.pop("schema_version", None) != SCHEMA_VERSION:
        raise ValueError(f"expected schema_version {SCHEMA_VERSION}")
    if values["scope"] not in SCOPES:
        raise ValueError(f"scope must be one of {', '.join(SCOPES)}, got {values['scope']!r}")
    scenarios = {name: BoardScenario(**each) for name, each in values.pop("scenarios").items()}
    metrics = tuple(BoardMetric(**each) for each in values.pop("metrics", ()))
    seeds, controls = tuple(values.pop("seeds")), tuple(values.pop("controls"))
    return Board(**values, scenarios=scenarios, metrics=metrics, seeds=seeds, controls=controls)
