"""What `suli methods` prints: the list, one method, and the table of the README."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from suli_plugin.method_rows import GROUPS, PEER, value_text

INDENT = 2


def list_text(rows: Sequence[Mapping[str, Any]], width: int) -> str:
    """The methods group by group: name, year, what each scope needs, presets, and the paper.

    rows: of `method_rows`. width: columns.
    """
    longest = max(len(row["method"]) for row in rows)
    lines = [f"{'':{INDENT}}{'method':{longest}}  year  needs, presets; source"]
    for group, members in groupby(rows, key=lambda row: row["group"]):
        lines += ["", f"{group}: {GROUPS[group]}"]
        for row in members:
            lines += _entry(row, longest, width)
    return "\n".join(lines)


def _entry(row: Mapping[str, Any], longest: int, width: int) -> Iterator[str]:
    presets = [f"@{preset}" for preset in row["presets"]]
    start = f"{'':{INDENT}}{row['method']:{longest}}  {row['year'] or '-':>4}  "
    indent = " " * len(start)
    yield from _wrapped(f"{start}{'  '.join([_needs_text(row), *presets])}", width, indent)
    yield from _wrapped(f"{indent}{row['paper']}", width, indent)


def method_text(row: Mapping[str, Any], preset: str, width: int) -> str:
    """All of one method, or of one preset of it ('' for all): what it is, needs, and cites."""
    year = f", {row['year']}" if row["year"] else ""
    needs = [f"  {scope}: {', '.join(given) or 'nothing'}" for scope, given in row["needs"].items()]
    searched = [[name, _listed(values)] for name, values in row["search_space"].items()]
    parts = [
        [
            f"{row['method']}: {row['group']}{year}, by {row['distribution']} {row['version']}",
            *_wrapped(row["paper"], width),
        ],
        [row["description"]],
        ["Needs", *needs],
        ["Fields", *_table(_field_cells(row, preset))] if row["fields"] else [],
        ["Search space", *_table(searched)] if searched else [],
        _presets(row, width),
        ["BibTeX", row["bibtex"]] if row["bibtex"] else [],
    ]
    return "\n\n".join("\n".join(part) for part in parts if part)


def _field_cells(row: Mapping[str, Any], preset: str) -> list[list[str]]:
    """Name, default or the preset's value for each scope, and what may be set."""
    values = row["preset_values"][preset] if preset else {"default": {}}
    return [["", *values, "type and bounds"]] + [
        [
            field["name"],
            *(value_text(each.get(field["name"], field["default"])) for each in values.values()),
            ", ".join([field["type"], *_bounds(field)]),
        ]
        for field in row["fields"]
    ]


def _bounds(field: Mapping[str, Any]) -> list[str]:
    return [f"{name.replace('_', ' ')} {value_text(to)}" for name, to in field["bounds"].items()]


def _presets(row: Mapping[str, Any], width: int) -> list[str]:
    lines = []
    for name in row["presets"]:
        given = {scope: _settings(each) for scope, each in row["preset_values"][name].items()}
        lines += _wrapped(f"  @{name}  {row['preset_sources'][name]}", width, "    ")
        for text in [*_by_scope(given), *_other_needs(row, name)]:
            lines += _wrapped(f"    {text}", width, "      ")
    return ["Presets, with the values that are not the defaults", *lines] if lines else []


def _other_needs(row: Mapping[str, Any], preset: str) -> list[str]:
    """A line on what a preset reads, where that is not what the method does by default."""
    needs = row["preset_needs"][preset]
    return [] if needs == row["needs"] else [f"reads {_needs_text({'needs': needs})}"]


def _settings(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value_text(value)}" for name, value in values.items()) or "none"


def _needs_text(row: Mapping[str, Any]) -> str:
    needs = {scope: ", ".join(given) or "nothing" for scope, given in row["needs"].items()}
    return "; ".join(_by_scope(needs))


def _by_scope(texts: Mapping[str, str]) -> list[str]:
    """`class-wise: a` and `instance-wise: b`, or `both scopes: a`."""
    if len(texts) > 1 and len(set(texts.values())) == 1:
        return [f"both scopes: {next(iter(texts.values()))}"]
    return [f"{scope}: {text}" for scope, text in texts.items()]


def _listed(values: Sequence[Any]) -> str:
    return ", ".join(map(value_text, values))


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    cells = [[f"{cell:{size}}" for cell, size in zip(row, widths, strict=True)] for row in rows]
    return [f"  {'  '.join(row)}".rstrip() for row in cells]


def _wrapped(text: str, width: int, indent: str = "") -> list[str]:
    return textwrap.wrap(
        text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def markdown_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """The README's table: method by needs, source, year and presets; without other harnesses'."""
    lines = [
        "| Method | Class-wise reads | Instance-wise reads | Source | Year | Presets |",
        "| :-- | :-- | :-- | :-- | :-- | :-- |",
    ]
    ours = [row for row in rows if row["group"] != PEER]
    for group, members in groupby(ours, key=lambda row: row["group"]):
        lines.append(f"| **{group}** | | | | | |")
        lines += [_markdown_row(row) for row in members]
    return "\n".join(lines)


def _markdown_row(row: Mapping[str, Any]) -> str:
    reads = [
        ", ".join(row["needs"][scope]) or "nothing" if scope in row["needs"] else "–"
        for scope in ("class-wise", "instance-wise")
    ]
    presets = ", ".join(f"`@{name}`" for name in row["presets"])
    cells = [f"`{row['method']}`", *reads, row["paper"], str(row["year"] or ""), presets]
    return f"| {' | '.join(cells)} |"
