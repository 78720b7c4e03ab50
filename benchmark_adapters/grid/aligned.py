"""Text tables: cells in columns."""

from __future__ import annotations

from collections.abc import Sequence


def aligned_lines(cells: Sequence[Sequence[str]]) -> list[str]:
    """A line for each row of cells, in columns; the first to the left, the others to the right."""
    widths = [max(len(line[index]) for line in cells) for index in range(len(cells[0]))]
    return ["  ".join(_aligned(line, widths)).rstrip() for line in cells]


def _aligned(line: Sequence[str], widths: Sequence[int]) -> list[str]:
    first, *rest = zip(line, widths, strict=True)
    return [first[0].ljust(first[1]), *(text.rjust(width) for text, width in rest)]
