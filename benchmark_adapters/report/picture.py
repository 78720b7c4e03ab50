"""A picture of the report: the same drawing on light and on dark, its caption and its words."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmark_adapters.report.palette import DARK, LIGHT, Theme

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DOTS_PER_INCH = 150
# What a page of 960 CSS pixels shows at 100 pixels an inch.
WIDTH = 9.6


class CannotBeDrawn(ValueError):
    """A picture that this run cannot show; the message says why and what would help."""


@dataclass(frozen=True)
class Numbers:
    """What a picture shows, as a table: the first column names the rows."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Picture:
    """name: of its files. alt: for those who do not see it. light, dark: PNG files."""

    name: str
    title: str
    caption: str
    alt: str
    light: bytes
    dark: bytes
    numbers: Numbers | None = None


def picture(
    name: str,
    title: str,
    draw: Callable[[Theme], Figure],
    *,
    caption: str,
    alt: str,
    numbers: Numbers | None = None,
) -> Picture:
    """Draw it twice. draw: makes the figure for a theme, whose settings are in force."""
    light, dark = (_png(draw, theme) for theme in (LIGHT, DARK))
    return Picture(name, title, caption, alt, light, dark, numbers)


def _png(draw: Callable[[Theme], Figure], theme: Theme) -> bytes:
    from matplotlib import rc_context

    file = io.BytesIO()
    with rc_context(theme.settings()):
        draw(theme).savefig(file, format="png", dpi=DOTS_PER_INCH)
    return file.getvalue()
