"""`suli leaderboard compare`: the page that sets our records beside the paper's tables."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from leaderboards.claims.command_errors import command_errors
from suli_plugin.cli import as_json

FOLDER = Path("leaderboards")
RESULTS = FOLDER / "results"


@click.command()
@click.option(
    "--records", type=click.Path(path_type=Path, file_okay=False), default=RESULTS / "records",
    show_default=True, help="Folder of records.",
)  # fmt: skip
@click.option(
    "--store", type=click.Path(path_type=Path, file_okay=False), default=RESULTS,
    show_default=True, help="Store whose boards of the contest, cifar10-fast, count, too.",
)  # fmt: skip
@click.option(
    "--experiments", type=click.Path(path_type=Path, file_okay=False),
    default=RESULTS / "experiments", show_default=True,
    help="Folder of records that change one setting each.",
)  # fmt: skip
@click.option(
    "--tuning", type=click.Path(path_type=Path, file_okay=False), default=RESULTS / "tuning",
    show_default=True, help="Folder of records of trials.",
)  # fmt: skip
@click.option(
    "--trials", type=click.Path(path_type=Path, file_okay=False), default=RESULTS / "trials",
    show_default=True, help="Folder of `trials` that `suli bench tune` wrote, if there is one.",
)  # fmt: skip
@click.option(
    "--forget-only", type=click.Path(path_type=Path, file_okay=False),
    default=RESULTS / "forget_only", show_default=True,
    help="Folder of a run of all methods that read the forget set alone.",
)  # fmt: skip
@click.option(
    "--trade-off", type=click.Path(path_type=Path, file_okay=False),
    default=RESULTS / "trade_off", show_default=True,
    help="Folder of runs of a method of ours, one a setting.",
)  # fmt: skip
@click.option(
    "--audits", type=click.Path(path_type=Path, file_okay=False), default=RESULTS / "audits",
    show_default=True, help="Folder of the audits behind the boards of the contest.",
)  # fmt: skip
@click.option(
    "--document", "documents", multiple=True, type=click.Path(path_type=Path, dir_okay=False),
    default=[FOLDER / f"{name}.md" for name in ("COMPARISON", "AUDITS", "TUNING")],
    show_default=True,
    help="File whose markers are filled.",
)  # fmt: skip
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 if the file is stale.")
@as_json
def compare(
    records: Path,
    store: Path,
    experiments: Path,
    tuning: Path,
    trials: Path,
    forget_only: Path,
    trade_off: Path,
    audits: Path,
    documents: Sequence[Path],
    check: bool,
    as_json: bool,
) -> None:
    """Fill in our figures beside the paper's Tables 2 to 5, audits, and the trials of tuning.

    Exit codes: 0 done, 1 a stale file or one that cannot be read, 2 wrong usage.
    """
    with command_errors(failed=True):
        from leaderboards.rendering.rendered_files import stale, write_files

        tables = {
            **_tables(records, store, audits, experiments, tuning),
            **_tables_of_runs(trials, forget_only, trade_off),
        }
        files = {document: _filled(document, tables) for document in documents}
        changed = stale(files) if check else write_files(files)
    what = "stale" if check else "written"
    if as_json:
        click.echo(json.dumps({what: [str(path) for path in changed]}, indent=1))
    else:
        for document in documents:
            click.echo(f"{document}: {what if document in changed else 'as the records say'}")
    sys.exit(1 if check and changed else 0)


def _tables(
    records: Path, store: Path, audits: Path, experiments: Path, tuning: Path
) -> dict[str, str]:
    from leaderboards.comparison.audited import audited_tables
    from leaderboards.comparison.nearness import nearness_tables
    from leaderboards.comparison.paper import comparison_tables, experiment_table
    from leaderboards.comparison.record_folder import contest_records, records_below
    from leaderboards.comparison.tuning_tables import tuning_tables

    contest = contest_records(store)
    found = [*records_below(records), *contest]
    changing = records_below(experiments)
    return {
        **comparison_tables(found),
        "paper.nearness": nearness_tables(found),
        **audited_tables(audits, contest),
        "paper.experiments": experiment_table(changing, _published(changing)),
        **tuning_tables(records_below(tuning, trials=True)),
    }


def _tables_of_runs(trials: Path, forget_only: Path, trade_off: Path) -> dict[str, str]:
    from leaderboards.comparison.equal_tuning import equal_tuning_tables
    from leaderboards.comparison.forget_only import forget_only_tables
    from leaderboards.comparison.trade_off import trade_off_tables

    return {
        **equal_tuning_tables(trials),
        **forget_only_tables(forget_only),
        **trade_off_tables(trade_off),
    }


def _filled(document: Path, tables: Mapping[str, str]) -> str:
    from leaderboards.rendering.marked_tables import fill_markers

    try:
        return fill_markers(document.read_text(encoding="utf-8"), tables)
    except (OSError, ValueError) as error:
        raise ValueError(f"cannot fill in {document}: {error}") from error


def _published(records: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """What an experiment starts from, by label: the settings of the source."""
    from suli_plugin.plugins import registry

    return {
        record["method"]: registry().unlearner(record["method"], record["scope"]).hyperparameters()
        for record in records
    }
