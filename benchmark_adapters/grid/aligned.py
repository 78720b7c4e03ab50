"""Text tables: cells in columns."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean, stdev


def aligned_lines(cells: Sequence[Sequence[str]]) -> list[str]:
    """A line for each row of cells, in columns; the first to the left, the others to the right."""
    widths = [max(len(line[index]) for line in cells) for index in range(len(cells[0]))]
    return ["  ".join(_aligned(line, widths)).rstrip() for line in cells]


def _aligned(line: Sequence[str], widths: Sequence[int]) -> list[str]:
    first, *rest = zip(line, widths, strict=True)
    return [first[0].ljust(first[1]), *(text.rjust(width) for text, width in rest)]


def with_deviation(values: Sequence[float], decimals: int) -> str:
    """Mean, and ± standard deviation if there are several values; a dash if there is none."""
    if not values:
        return "-"
    spread = f" ± {stdev(values):.{decimals}f}" if len(values) > 1 else ""
    return f"{mean(values):.{decimals}f}{spread}"
