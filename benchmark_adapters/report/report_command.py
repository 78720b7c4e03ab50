"""`suli bench report`: a page and pictures from a run's records. Imports torch only inside."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from benchmark_adapters.command_line.command_accelerator import command_accelerator
from benchmark_adapters.command_line.one_line_errors import one_line_errors
from benchmark_adapters.grid.options import check_writable, listed
from suli_plugin.cli import as_json

if TYPE_CHECKING:
    from benchmark_adapters.report.page import Section
    from benchmark_adapters.report.pictures import Choice
    from benchmark_adapters.report.run_folder import RunFolder

EXTRA = ("matplotlib", "captum")


@click.command("report")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--output", type=click.Path(path_type=Path), help="Folder; by default DIR/report.")
@click.option("--scenario", metavar="LIST", help="Scenarios to picture; globs work.")
@click.option("--methods", metavar="LIST", help="Methods to picture; globs work.")
@click.option("--seed", type=int, help="The seed of curves and models; by default the lowest.")
@click.option("--data", metavar="DIR|ORG/NAME", help="The images, if they have moved.")
@click.option("--original", metavar="DIR|ORG/NAME", help="The original, if it has moved.")
@click.option("--records-only", is_flag=True, help="Open neither models nor images.")
@as_json
def report(
    folder: Path,
    output: Path | None,
    scenario: str | None,
    methods: str | None,
    seed: int | None,
    data: str | None,
    original: str | None,
    records_only: bool,
    as_json: bool,
) -> None:
    """Make a page with pictures from the records in DIR, the folder of `suli bench run`.

    DIR/report/index.html needs no other file and no network; each picture is a PNG file beside
    it, too, on light and on dark. Pictures of models need what `suli bench run` keeps, and the
    images; without them the page says what is missing.

    \b
    suli bench report runs
    suli bench report runs/digits --scenario class-3 --methods 'suli*,retrain,bn_drift' --seed 1
    """
    _check_extra()
    with one_line_errors():
        from benchmark_adapters.report.pictures import Choice
        from benchmark_adapters.report.run_folder import read_run_folder
        from benchmark_adapters.report.shown_models import Folders

        run = read_run_folder(folder)
        output = output or folder / "report"
        check_writable(output)
        choice = Choice(
            scenarios=listed(scenario),
            methods=listed(methods),
            seed=seed,
            models=not records_only,
            folders=Folders(data, original),
        )
        sections = _sections(run, choice)
        written = _write(output, run, sections)
    _say(written, sections, as_json)


def _check_extra() -> None:
    missing = [name for name in EXTRA if find_spec(name) is None]
    if missing:
        raise click.ClickException(
            f"a report needs {' and '.join(missing)}: pip install 'suli-plugin[report]'"
        )


def _sections(run: RunFolder, choice: Choice) -> list[Section]:
    from benchmark_adapters.report.page import Section
    from benchmark_adapters.report.pictures import gallery, pictured

    accelerator = command_accelerator("no")
    chosen = pictured(run, choice)
    return [
        Section(each, gallery(each, choice, accelerator) if each in chosen else None)
        for each in run.scenarios
    ]


def _write(output: Path, run: RunFolder, sections: list[Section]) -> list[Path]:
    """Write page and pictures; the paths, the page first."""
    from benchmark_adapters.report.page import anchor, page

    written = {output / "index.html": page(run, sections).encode()}
    for section in sections:
        for picture in section.pictures:
            stem = f"{anchor(section.scenario)}-{picture.name}"
            written[output / f"{stem}-light.png"] = picture.light
            written[output / f"{stem}-dark.png"] = picture.dark
    for path, content in written.items():
        path.write_bytes(content)
    return list(written)


def _say(written: list[Path], sections: list[Section], as_json: bool) -> None:
    left_out = [
        {"scenario": str(section.scenario), "picture": each.title, "reason": each.reason}
        for section in sections
        for each in section.left_out
    ]
    if as_json:
        paths = [str(path) for path in written]
        click.echo(json.dumps({"page": paths[0], "pictures": paths[1:], "left_out": left_out}))
        return
    click.echo(f"{written[0]}: {len(sections)} scenarios, {len(written) // 2} pictures")
    for each in left_out:
        click.echo(f"not shown: {each['scenario']}: {each['picture']}: {each['reason']}")
