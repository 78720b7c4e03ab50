"""The command line `suli`: its frame, and what is installed. Plugins add the other commands."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from importlib.metadata import version
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any

import click

from suli_plugin import plugins

if TYPE_CHECKING:
    from suli_plugin.harness import Harness
    from suli_plugin.registry import PluginReport

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")


class Suli(click.Group):
    """The group `suli`; commands of plugins are added when it is first used."""

    command_plugins: Sequence[PluginReport] | None = None

    def load(self) -> Sequence[PluginReport]:
        """Let the plugins add their commands, once; say which could not."""
        if self.command_plugins is None:
            self.command_plugins = plugins.load_commands(self)
            for report in self.command_plugins:
                if report.state == "failed":
                    click.echo(
                        f"warning: {report.origin} was not loaded: {report.reason}", err=True
                    )
        return self.command_plugins

    def list_commands(self, ctx: click.Context) -> list[str]:
        """See `click.Group.list_commands`."""
        self.load()
        return super().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """See `click.Group.get_command`."""
        self.load()
        return super().get_command(ctx, cmd_name)


@click.group(cls=Suli, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("suli-plugin"), prog_name="suli")
def main() -> None:
    """Unlearn with SULI, SU and the methods they are compared with.

    Exit codes: 0 done, 1 something failed and is named, 2 wrong usage.
    """


@main.command("plugins")
@click.option("--strict", is_flag=True, help="Fail at the first plugin that does not load.")
@as_json
def list_plugins(strict: bool, as_json: bool) -> None:
    """Show the plugins that were found, what they bring, and which failed and why."""
    try:
        reports = plugins.load_plugins(strict=strict).reports
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    reports = [*reports, *(main.load() if isinstance(main, Suli) else [])]
    rows = [_plugin_row(report) for report in reports]
    if as_json:
        _print_json(rows)
        return
    for row in rows:
        brings = (
            ", ".join([*row["unlearners"], *row["benchmarks"], *row["architectures"]])
            or row["reason"]
            or row["group"]
        )
        click.echo(
            f"{row['state']:8} {row['plugin']:12} {row['distribution']} {row['version']}: {brings}"
        )
    for row in rows:
        for each in row["harnesses"]:
            sees = f"{each['version']}: sees {', '.join(each['sees'])}"
            click.echo(f"harness  {each['harness']:12} {sees if each['version'] else each['hint']}")


@main.command("methods")
@click.argument("method", required=False)
@click.option("--markdown", is_flag=True, help="Print the table of the README.")
@as_json
def list_methods(method: str | None, markdown: bool, as_json: bool) -> None:
    """Show the unlearning methods: what each needs in which scope, source, year and presets.

    With METHOD or METHOD@PRESET, show all of that one: fields, values to search, where its
    presets come from, and its BibTeX entry.
    """
    from suli_plugin.method_listing import list_text, markdown_table, method_text
    from suli_plugin.method_rows import known_method, method_row, method_rows

    found = plugins.registry()
    if method:
        try:
            name, preset = known_method(method, found)
        except ValueError as error:
            raise click.UsageError(str(error)) from error
        row = method_row(name, found, preset)
        _print_json(row) if as_json else click.echo(method_text(row, preset, _columns()))
        return
    rows = method_rows(found)
    if as_json:
        _print_json(rows)
        return
    click.echo(markdown_table(rows) if markdown else list_text(rows, _columns()))
    _warn_of_failed(found.reports)


def _columns() -> int:
    """The terminal's width where it is between 80 and 120 columns, else the nearer of the two."""
    return min(max(get_terminal_size().columns, 80), 120)


def _plugin_row(report: PluginReport) -> dict[str, Any]:
    return {
        "plugin": report.origin.plugin,
        "distribution": report.origin.distribution,
        "version": report.origin.version,
        "group": report.group,
        "state": report.state,
        "reason": report.reason,
        "unlearners": list(report.unlearners),
        "benchmarks": list(report.benchmarks),
        "architectures": list(report.architectures),
        "harnesses": [_harness_row(harness) for harness in report.harnesses],
    }


def _harness_row(harness: Harness) -> dict[str, Any]:
    return {
        "harness": harness.name,
        "version": harness.version,
        "sees": list(harness.sees()) if harness.version else [],
        "hint": harness.hint,
    }


def _warn_of_failed(reports: Sequence[PluginReport]) -> None:
    for report in reports:
        if report.state == "failed":
            click.echo(f"warning: {report.origin} was not loaded: {report.reason}", err=True)


def _print_json(value: Any) -> None:
    json.dump(value, sys.stdout, indent=1)
    click.echo()
