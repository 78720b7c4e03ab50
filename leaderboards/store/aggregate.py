"""The rows of a leaderboard: one for each submission, averaged over its records, never typed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from benchmark_adapters.grid.columns import gap_to_retrain
from benchmark_adapters.grid.retrains import RETRAIN, is_yardstick
from benchmark_adapters.records.run_record import precision_told
from benchmark_adapters.records.strict_json import JSON_LIMIT
from leaderboards.board.board import board_names, is_reference, load_board
from leaderboards.board.metrics import TO_RETRAIN, score_values
from leaderboards.claims.submission import FOLDER, Submission, read_submission, record_name
from leaderboards.claims.verdict import Verdict, Verdicts, read_verdicts, verdicts_path
from leaderboards.store.audits import audit_of
from leaderboards.store.files import StoreFiles
from leaderboards.store.paper_rows import paper_rows
from leaderboards.store.retrains import Looked, with_retrains
from leaderboards.store.spreads import Record, Spread, Values, by_scenario, spread, spreads

Retrained = Mapping[str, tuple[Submission, Record]]
# What a faster machine changes: the row says on which hardware its seconds were claimed.
_CLOCKS = ("update_seconds", "total_seconds")


def rows(store: StoreFiles) -> list[dict[str, Any]]:
    """The rows of all boards: reported ones of the paper, then submissions by board and method.

    metrics: values that were found again where somebody did, else as claimed (which is which is
    in `verified_metrics`). Each seed's value is the mean over the scenarios; `mean` and `std` are
    over the `n` seeds. A seed of which relearning ran out of updates counts in neither; `above`,
    which is there only then, is the largest number of updates at which it was given up. What
    compares with a Retrain is left out, unless that had the original's recipe. Raises ValueError
    for a submission or verdicts that cannot be read.
    """
    submissions = stored_submissions(store)
    reported = [row for name in board_names() for row in paper_rows(load_board(name))]
    retrained = {
        record["unlearned_hash"]: (submission, record)
        for submission in submissions
        if submission.method == RETRAIN
        for record in submission.claimed
        if is_yardstick(record)
    }
    looked = [_looked(each, verdicts_of(store, each), retrained) for each in submissions]
    own = [_row(each, verdicts_of(store, each.submission), retrained, store) for each in looked]
    return [*reported, *with_retrains(own, looked)]


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


def _is_submission(path: str) -> bool:
    return path.startswith(f"{FOLDER}/") and path.endswith(".json")


def _looked(submission: Submission, verdicts: Verdicts, retrained: Retrained) -> Looked:
    verdict = verdicts.on(submission)
    counts = submission.audits
    claims = {
        name: {**_comparable(score_values(record), record, retrained), **counts.get(name, {})}
        for name, record in ((record_name(each), each) for each in submission.claimed)
    }
    values = {
        name: _comparable(_believed(claims[name], name, verdict), record, retrained)
        for name, record in zip(claims, submission.claimed, strict=True)
    }
    return Looked(submission, verdict.outcome if verdict else "claimed", claims, values)


def _comparable(values: Values, record: Record, retrained: Retrained) -> Values:
    """Without what compares with Retrain where that is none of the original's recipe, or itself."""
    compared = record.get("compared_with")
    if compared in retrained and compared != record["unlearned_hash"]:
        return values
    return {name: value for name, value in values.items() if name not in TO_RETRAIN}


def _row(
    looked: Looked, verdicts: Verdicts, retrained: Retrained, store: StoreFiles
) -> dict[str, Any]:
    submission, claims, values = looked.submission, looked.claims, looked.values
    verdict, first = verdicts.on(submission), submission.claimed[0]
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
        "state": looked.state,
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
        "metrics": spreads(submission.claimed, values),
        "claimed_metrics": spreads(submission.claimed, claims),
        "gap_to_retrain": _gap(submission, values, retrained, store),
        "hyperparameters": dict(submission.hyperparameters),
        "command": first["command"],
        "plugin": dict(submission.plugin),
        "precision": precision_told(first),
        "original": first["original"],
        "submission": submission.id,
        "submitter": submission.submitter,
        "created": submission.created,
        **audit_of(submission, verdicts),
        "evidence_dropped": verdicts.evidence_dropped(submission) or None,
    }
    if row["scope"] == "instance-wise":
        row["by_scenario"] = by_scenario(submission.claimed, values)
    if submission.method == RETRAIN:
        row["same_recipe"] = all(map(is_yardstick, submission.claimed))
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


def _gap(
    submission: Submission,
    values: Mapping[str, Values],
    retrained: Retrained,
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
    return spread(submission.claimed, gaps)
