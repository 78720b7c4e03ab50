"""Hold a submission to its board: all that can be told from the claims alone."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from benchmark_adapters.grid.choices import (
    OfBenchmark,
    choices_of,
    provenance,
    settings_with_choices,
)
from benchmark_adapters.grid.retrains import RETRAIN, same_recipe, settings_of
from benchmark_adapters.metrics.panel import ANAMNESIS
from benchmark_adapters.records.record import canonical
from benchmark_adapters.records.run_record import cell_of_record
from leaderboards.board.board import Board, is_reference
from leaderboards.board.measure import board_options
from leaderboards.board.metrics import OPTIONAL, TO_RETRAIN
from leaderboards.claims.submission import Submission, record_name
from suli_plugin.registry import Registry, without_choice
from suli_plugin.unlearner import Unlearner

Record = Mapping[str, Any]
# What all records of one entry must share; a mixture is no one method.
_SHARED = ("hyperparameters", "plugin", "precision", "compiled", "processes",
           "device", "control")  # fmt: skip


def reasons_against(
    submission: Submission,
    board: Board,
    registry: Registry,
    benchmark: OfBenchmark,
) -> list[str]:
    """Why the board does not take these claims; none if it does, before anything is computed.

    benchmark: the board's, whose settings and choices presets and `METHOD@chosen` must have.
    """
    if board.not_measured:
        return [f"{board.name} takes no submissions yet: {board.not_measured}"]
    if submission.board != board.name:
        return [f"it is for the board {submission.board}, not {board.name}"]
    reasons = list(_of_cells(submission, board))
    for record in submission.claimed:
        reasons += [
            f"{record_name(record)}: {why}" for why in _of_record(record, submission, board)
        ]
    reasons += _of_entry(submission)
    reasons += _of_choice(submission, benchmark, board)
    settings = settings_with_choices(benchmark, board.scope)
    return reasons or list(_of_method(submission, board, registry, settings))


def _of_choice(submission: Submission, benchmark: OfBenchmark, board: Board) -> Iterator[str]:
    """What it says of how its settings were chosen is what the benchmark's choice says."""
    choice = choices_of(benchmark, board.scope).get(submission.method)
    expected = None if choice is None else provenance(benchmark, choice, {})
    for record in submission.claimed:
        if "choice" in record and canonical(record["choice"]) != canonical(expected):
            yield (
                f"{record_name(record)}: its choice is {record['choice']!a:.120}, that of "
                f"{submission.method} on {board.benchmark} is {expected!a:.120}"
            )


def _of_cells(submission: Submission, board: Board) -> Iterator[str]:
    claimed = Counter((record["scenario"], record["seed"]) for record in submission.claimed)
    for scenario, seed in board.cells:
        if claimed[scenario, seed] != 1:
            times = claimed[scenario, seed] or "no"
            yield f"the board asks for one record of {scenario}/{seed}, there are {times}"
    for scenario, seed in sorted(claimed.keys() - set(board.cells)):
        yield f"the board has no {scenario}/{seed}"


def _of_record(record: Record, submission: Submission, board: Board) -> Iterator[str]:
    expected = {"benchmark": board.benchmark, "scope": board.scope, "method": submission.method}
    for key, value in expected.items():
        if record[key] != value:
            yield f"{key} is {record[key]!r:.60}, expected {value!r}"
    if (record["scenario"], record["seed"]) not in board.cells:
        return
    yield from _of_sets(record, board)
    yield from _of_original(record, board)
    if canonical(board_options(record["options"])) != canonical(board.options):
        yield f"options are {record['options']!r:.200}, the board's are {board.options!r:.200}"
    if record["method"] == RETRAIN and record.get("same_recipe") not in (None, _agrees(record)):
        yield f"same_recipe is {record['same_recipe']}, its hyper-parameters say otherwise"
    if record["cell"] != cell_of_record(record):
        yield "its cell key is not that of its hyper-parameters, seed and data: it was altered"
    yield from _of_metrics(record, board)


def _agrees(record: Record) -> bool:
    return same_recipe(record["original"].get("recipe"), record["hyperparameters"])


def _of_sets(record: Record, board: Board) -> Iterator[str]:
    scenario = board.scenarios[record["scenario"]]
    hashes = scenario.hashes[str(record["seed"])]
    for name, expected in hashes.items():
        found = record["set_hashes"].get(name)
        if found != expected:
            yield f"the {name} set has the hash {found!s:.12}, the board's has {expected:.12}"
        if record["sizes"].get(name) != scenario.sizes[name]:
            size = record["sizes"].get(name)
            yield f"the {name} set has {size!r:.20} images, the board's {scenario.sizes[name]}"
    if record["forget_set_hash"] != hashes["forget"]:
        yield f"forget_set_hash is {record['forget_set_hash']:.12}, expected {hashes['forget']:.12}"


def _of_original(record: Record, board: Board) -> Iterator[str]:
    told, claimed = board.original, record["original"]
    for key in ("kind", "recipe"):
        if claimed.get(key) != told.get(key):
            yield f"the original's {key} is {claimed.get(key)!r:.200}, not {told.get(key)!r:.200}"
    found, seed = record["original_hash"], str(record["seed"])
    if found == told["hashes"][seed]:
        return
    others = [other for other, known in told["hashes"].items() if known == found]
    if others:
        yield f"the original is that of seed {others[0]}, not of seed {seed}"
    elif told["kind"] == "published":
        yield f"the original has the hash {found:.12}, the board's has {told['hashes'][seed]:.12}"


def _of_metrics(record: Record, board: Board) -> Iterator[str]:
    names = {metric.name for metric in board.metrics}
    found = record["metrics"].keys()
    scored = {m.name for m in board.metrics if m.tolerance["reload"] is not None}
    if unknown := sorted(found - names):
        yield f"the board has no metric {', '.join(unknown)!a:.200}"
    if missing := sorted(scored - OPTIONAL - found):
        yield f"it lacks the metric {', '.join(missing)}"
    # Relearning may not end, and has no index then.
    compared = TO_RETRAIN - {ANAMNESIS}
    if record.get("compared_with") is None and compared & found:
        yield "it has distances to Retrain, but does not say to which (compared_with)"
    if record.get("compared_with") is not None and compared - found:
        yield "it is compared with a Retrain, but lacks the distances to it"


def _of_entry(submission: Submission) -> Iterator[str]:
    for key in _SHARED:
        values = {canonical(record.get(key)) for record in submission.claimed}
        if len(values) > 1:
            yield f"its records differ in {key}: {', '.join(sorted(values))!a:.200}"


def _of_method(
    submission: Submission,
    board: Board,
    registry: Registry,
    settings: Mapping[str, Mapping[str, Any]],
) -> Iterator[str]:
    control = submission.claimed[0].get("control", False)
    if control != (submission.method in board.controls):
        wrong = "no control of this board" if control else "a control of this board"
        yield f"it says control: {control}, but {submission.method} is {wrong}"
    name = submission.method.partition("@")[0]
    known = registry.unlearners.get(name)
    if known is None:
        if _is_fixed(submission.method, board):
            yield f"{submission.method} is not installed here"
        return
    known_as = without_choice(submission.method)
    unlearner = _made(lambda: registry.unlearner(known_as, board.scope))
    if isinstance(unlearner, str):
        yield unlearner
        return
    if board.scope not in unlearner.needs:
        yield f"{submission.method} does not support {board.scope} unlearning"
        return
    yield from _of_hyperparameters(submission, board, registry, settings, unlearner)


def _of_hyperparameters(
    submission: Submission,
    board: Board,
    registry: Registry,
    settings: Mapping[str, Mapping[str, Any]],
    unlearner: Unlearner,
) -> Iterator[str]:
    label, fields = submission.method, unlearner.hyperparameters()
    later = {f.name for f in dataclasses.fields(unlearner) if f.metadata.get("added_later")}
    # A record may be older than a field, whose default is what it was run with.
    scope, claimed = board.scope, submission.hyperparameters
    claimed = {**{name: fields[name] for name in later}, **claimed}
    if fields.keys() != claimed.keys():
        differing = ", ".join(sorted(fields.keys() ^ claimed.keys()))
        yield f"its hyper-parameters are not those of {label}: they differ in {differing!a:.200}"
        return
    own = _made(lambda: registry.unlearner(label, scope, claimed))
    if isinstance(own, str):
        yield own
        return
    needs = sorted(own.resources(scope))
    if needs != sorted(submission.needs):
        yield f"{label} needs {needs}, it says {list(submission.needs)!a:.200}"
    if "@" in label or _is_fixed(label, board):
        given = settings_of(settings, label)
        right = _made(lambda: registry.unlearner(label, scope, given))
        if isinstance(right, str):
            yield right
            return
        expected = right.hyperparameters()
        for name, value in expected.items():
            if canonical(claimed[name]) != canonical(value):
                yield (
                    f"{label} has {name}={value!r} on this board, not {claimed[name]!r:.60}: "
                    f"submit other settings under the method's own name"
                )


def _is_fixed(method: str, board: Board) -> bool:
    """Whether its settings are the board's to say."""
    return is_reference(method) or method in board.controls


def _made(make: Callable[[], Unlearner]) -> Unlearner | str:
    """The unlearner, or why there can be none."""
    try:
        return make()
    except (TypeError, ValueError) as error:
        return str(error)
