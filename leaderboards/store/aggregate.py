"""The rows of a leaderboard: one for each submission, averaged over its records, never typed."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmark_adapters.grid.columns import gap_to_retrain, unreached
from benchmark_adapters.grid.retrains import RETRAIN
from benchmark_adapters.records.strict_json import JSON_LIMIT
from leaderboards.board.board import Board, board_names, is_reference, load_board
from leaderboards.board.metrics import score_values
from leaderboards.board.paper_values import paper_values
from leaderboards.claims.submission import FOLDER, Submission, read_submission, record_name
from leaderboards.claims.verdict import Verdict, Verdicts, read_verdicts, verdicts_path
from leaderboards.store.files import StoreFiles

Record = Mapping[str, Any]
Spread = dict[str, float | int | None]
Values = Mapping[str, float]
# What a faster machine changes: the row says on which hardware its seconds were claimed.
_CLOCKS = ("update_seconds", "total_seconds")


def rows(store: StoreFiles) -> list[dict[str, Any]]:
    """The rows of all boards: reported ones of the paper, then submissions by board and method.

    metrics: values that were found again where somebody did, else as claimed (which is which is
    in `verified_metrics`). Each seed's value is the mean over the scenarios; `mean` and `std` are
    over the `n` seeds. A seed of which relearning ran out of updates counts in neither; `above`,
    which is there only then, is the largest number of updates at which it was given up. Raises
    ValueError for a submission or verdicts that cannot be read.
    """
    submissions = stored_submissions(store)
    reported = [row for name in board_names() for row in paper_rows(load_board(name))]
    retrained = {
        record["unlearned_hash"]: (submission, record)
        for submission in submissions
        if submission.method == RETRAIN
        for record in submission.claimed
    }
    own = [_row(each, verdicts_of(store, each), retrained, store) for each in submissions]
    return [*reported, *own]


def stored_submissions(store: StoreFiles) -> list[Submission]:
    """All submissions of a store, by the names of their files."""
    paths = [path for path in sorted(store.sizes) if _is_submission(path)]
    return [read_submission(store.read(path, JSON_LIMIT), path) for path in paths]


def verdicts_of(store: StoreFiles, submission: Submission) -> Verdicts:
    """What a store says was found about a submission."""
    path = verdicts_path(submission.id)
    if path not in store.sizes:
        return Verdicts(submission.id)
    return read_verdicts(store.read(path, JSON_LIMIT), path)


def paper_rows(board: Board) -> list[dict[str, Any]]:
    """What the paper reports for a board's setting; none where it has no such setting."""
    paper = paper_values()
    setting = paper["settings"].get(board.benchmark, {})
    by_scenario: dict[str, Mapping[str, Any]] = {
        name: methods
        for name, methods in setting.items()
        if name == board.scope or (board.scope == "instance-wise" and name.startswith("instance-"))
    }
    methods = dict.fromkeys(method for each in by_scenario.values() for method in each)
    return [_paper_row(board, method, by_scenario, paper) for method in methods]


def _is_submission(path: str) -> bool:
    return path.startswith(f"{FOLDER}/") and path.endswith(".json")


def _paper_row(
    board: Board, method: str, by_scenario: Mapping[str, Mapping[str, Any]], paper: Any
) -> dict[str, Any]:
    reported = {name: each[method] for name, each in by_scenario.items() if method in each}
    metrics: dict[str, Spread] = {}
    for name in dict.fromkeys(metric for each in reported.values() for metric in each):
        told = [each[name] for each in reported.values() if name in each]
        # Deviations of several scenarios can't be joined: their seeds are not reported.
        std = told[0]["std"] if len(told) == 1 else None
        mean = statistics.fmean(each["mean"] for each in told)
        metrics[name] = {"mean": mean, "std": std, "n": paper["seeds"]}
    row = {
        "board": board.name, "scope": board.scope, "method": method, "control": False,
        "reference_row": is_reference(method), "paper": True, "state": "reported",
        "n": paper["seeds"], "metrics": metrics, "source": paper["source"],
    }  # fmt: skip
    if board.scope == "instance-wise":
        row["by_scenario"] = {
            name: {metric: {**value, "n": paper["seeds"]} for metric, value in each.items()}
            for name, each in reported.items()
            if name != board.scope
        }
    return row


def _row(
    submission: Submission,
    verdicts: Verdicts,
    retrained: Mapping[str, tuple[Submission, Record]],
    store: StoreFiles,
) -> dict[str, Any]:
    verdict, first = verdicts.on(submission), submission.claimed[0]
    claims = {record_name(record): score_values(record) for record in submission.claimed}
    values = {name: _believed(claim, name, verdict) for name, claim in claims.items()}
    names = [metric for each in values.values() for metric in each]
    row = {
        "board": submission.board,
        "scope": first["scope"],
        "method": submission.method,
        "control": bool(first.get("control", False)),
        "reference_row": is_reference(submission.method),
        "paper": False,
        "needs": list(submission.needs),
        "needs_only_forget": list(submission.needs) == ["forget"],
        "state": verdict.outcome if verdict else "claimed",
        "verified_by": verdict.by if verdict else None,
        "verified_at": verdict.at if verdict else None,
        "verified_level": verdict.level if verdict else None,
        "verified_metrics": _verified(names, verdict),
        "verified_with": dict(verdict.versions) if verdict else None,
        "verified_on": verdict.hardware if verdict else None,
        "reason": "; ".join(verdict.reasons[:3]) if verdict and verdict.reasons else None,
        "notes": list(verdict.notes) if verdict else [],
        "versions": first["versions"],
        "hardware": ", ".join(sorted({record["hardware"] for record in submission.claimed})),
        "n": len({record["seed"] for record in submission.claimed}),
        "seeds": sorted({record["seed"] for record in submission.claimed}),
        "scenarios": list(dict.fromkeys(record["scenario"] for record in submission.claimed)),
        "metrics": _spreads(submission.claimed, values),
        "claimed_metrics": _spreads(submission.claimed, claims),
        "gap_to_retrain": _gap(submission, values, retrained, store),
        "hyperparameters": dict(submission.hyperparameters),
        "command": first["command"],
        "plugin": dict(submission.plugin),
        "precision": first["precision"],
        "original": first["original"],
        "submission": submission.id,
        "submitter": submission.submitter,
        "created": submission.created,
        "evidence_dropped": verdicts.evidence_dropped(submission) or None,
    }
    if row["scope"] == "instance-wise":
        row["by_scenario"] = _by_scenario(submission.claimed, values)
    return row


def _believed(claim: Values, name: str, verdict: Verdict | None) -> Values:
    """A record's values: found again where they were, of a submission that was not refuted."""
    if verdict is None or verdict.outcome == "refuted":
        return claim
    found = verdict.found.get(name, {})
    return {**claim, **{key: value for key, value in found.items() if key not in _CLOCKS}}


def _verified(names: Iterable[str], verdict: Verdict | None) -> list[str]:
    """The metrics that were found again."""
    if verdict is None or verdict.outcome == "refuted":
        return []
    found = {metric for values in verdict.found.values() for metric in values}
    return [name for name in dict.fromkeys(names) if name in found and name not in _CLOCKS]


def _spreads(records: Sequence[Record], values: Mapping[str, Values]) -> dict[str, Spread]:
    """Mean, deviation and number of seeds of each metric, over the means of each seed."""
    names = dict.fromkeys(metric for each in values.values() for metric in each)
    spreads = {
        metric: _spread(records, {k: v.get(metric) for k, v in values.items()}) for metric in names
    }
    if "relearn_updates" in spreads:
        spreads["relearn_updates"] = _relearn_spread(records, values)
    return {metric: spread for metric, spread in spreads.items() if spread is not None}


def _relearn_spread(records: Sequence[Record], values: Mapping[str, Values]) -> Spread | None:
    """Over the seeds of which relearning came to its end in every scenario, with the bound."""
    bounds = {name: unreached(each) for name, each in values.items()}
    cut = {record["seed"] for record in records if bounds.get(record_name(record)) is not None}
    whole = [record for record in records if record["seed"] not in cut]
    updates = {name: each.get("relearn_updates") for name, each in values.items()}
    spread = _spread(whole, updates)
    own = (bounds.get(record_name(record)) for record in records)
    above = max((bound for bound in own if bound is not None), default=None)
    if above is None:
        return spread
    return {**(spread or {"mean": None, "std": None, "n": 0}), "above": above}


def _spread(records: Sequence[Record], values: Mapping[str, float | None]) -> Spread | None:
    by_seed: dict[int, list[float]] = {}
    for record in records:
        value = values.get(record_name(record))
        if value is not None:
            by_seed.setdefault(record["seed"], []).append(value)
    means = [statistics.fmean(each) for _, each in sorted(by_seed.items())]
    if not means:
        return None
    std = statistics.stdev(means) if len(means) > 1 else None
    return {"mean": statistics.fmean(means), "std": std, "n": len(means)}


def _by_scenario(
    records: Sequence[Record], values: Mapping[str, Values]
) -> dict[str, dict[str, Spread]]:
    scenarios = dict.fromkeys(record["scenario"] for record in records)
    return {
        scenario: _spreads([r for r in records if r["scenario"] == scenario], values)
        for scenario in scenarios
    }


def _gap(
    submission: Submission,
    values: Mapping[str, Values],
    retrained: Mapping[str, tuple[Submission, Record]],
    store: StoreFiles,
) -> Spread | None:
    """The gap to the Retrain that each record is compared with, where the store has it."""
    gaps: dict[str, float | None] = {}
    for record in submission.claimed:
        found = retrained.get(record.get("compared_with") or "")
        if found is None:
            continue
        other, golden = found
        name = record_name(record)
        believed = _believed(
            score_values(golden), record_name(golden), verdicts_of(store, other).on(other)
        )
        mine = {**record, "metrics": values[name]}
        gaps[name] = gap_to_retrain(mine, {record["seed"]: {**golden, "metrics": believed}})
    return _spread(submission.claimed, gaps)
