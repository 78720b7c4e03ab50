"""The leaderboards as tables: a row for each submission, and the paper's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmark_adapters.grid.columns import gap_to_retrain
from benchmark_adapters.grid.retrains import RETRAIN, is_yardstick
from leaderboards.board.board import Board, board_names, load_board
from leaderboards.board.metrics import AUDIT_COUNTS
from leaderboards.claims.submission import Submission, record_name
from leaderboards.rendering.rows import AUDIT, GAP, BoardRow, Spread, board_rows
from leaderboards.rendering.shown_metrics import COLUMNS
from leaderboards.reproduction.paper_tables import published_as
from leaderboards.reproduction.table import Record, Recorded, Row, Table, columns_of, recorded
from leaderboards.store.aggregate import rows, stored_submissions
from leaderboards.store.place import store_files

Retrained = Mapping[str, Record]


def board_tables(store: Path) -> list[Table]:
    """All boards that ship, with the submissions of a store in a folder."""
    files = store_files(None, str(store))
    submissions = stored_submissions(files)
    # Further trainings by Retrain's recipe have rows of their own here, to be run again.
    shown = board_rows([{**each, "part_of": None} for each in rows(files)])
    reported = [each for each in shown if each.paper]
    own = [each for each in shown if not each.paper]
    pairs = list(zip(submissions, own, strict=True))
    return [_table(load_board(name), pairs, reported) for name in board_names()]


def _table(
    board: Board, pairs: Sequence[tuple[Submission, BoardRow]], reported: Sequence[BoardRow]
) -> Table:
    paper = {each.method: each.metrics for each in reported if each.board == board.name}
    mine = [(submission, shown) for submission, shown in pairs if shown.board == board.name]
    retrained = _retrained([submission for submission, _ in mine])
    columns = columns_of(_names(board))
    found = [_row(*pair, retrained, paper.get(published_as(pair[0].method), {})) for pair in mine]
    alone = set(paper) - {each.method for each in found}
    rest = [Row(method, "the paper's alone", (), {}, paper[method]) for method in sorted(alone)]
    note = "" if found or rest else f"no submission yet: {board.not_measured or 'none was made'}"
    return Table(board.name, board.title, columns, (*found, *rest), note)


def _names(board: Board) -> Iterator[str]:
    for name in COLUMNS[board.scope]:
        yield from AUDIT_COUNTS if name == AUDIT else (name,)


def _retrained(submissions: Sequence[Submission]) -> Retrained:
    """Retrains that others are compared with, by the hash of their weights."""
    return {
        record["unlearned_hash"]: record
        for submission in submissions
        if submission.method == RETRAIN
        for record in submission.claimed
        if is_yardstick(record)
    }


def _row(
    submission: Submission, shown: BoardRow, retrained: Retrained, paper: Mapping[str, Spread]
) -> Row:
    own = tuple(_recorded(record, submission, retrained) for record in submission.claimed)
    gap = {GAP: shown.gap_to_retrain} if shown.gap_to_retrain else {}
    return Row(submission.method, "", own, {**shown.metrics, **gap}, paper)


def _recorded(record: Record, submission: Submission, retrained: Retrained) -> Recorded:
    counts = {k: float(v) for k, v in submission.audits.get(record_name(record), {}).items()}
    gap = gap_against(record, retrained.get(record.get("compared_with") or ""))
    more = counts if gap is None else {**counts, GAP: gap}
    return recorded(record, more=more, beside=(RETRAIN,) if more else ())


def gap_against(record: Record, golden: Record | None) -> float | None:
    """A record's gap to one of Retrain, None where there is none to be compared with."""
    return gap_to_retrain(record, {record["seed"]: golden}) if golden is not None else None
