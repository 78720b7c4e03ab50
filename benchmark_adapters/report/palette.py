"""Colours and marks of the pictures, on light and on dark, that colour-blind readers can tell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, cycle
from typing import Any

from benchmark_adapters.grid.retrains import is_retrain

# Shapes repeat after another number than hues do, so that a pair of both names one method.
SHAPES = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h")
# Of the further Retrains, which may be asked for, too.
TRIPODS = ("1", "2", "3", "4")
# Of the references, by name: their shape, and whether it is filled.
REFERENCES = {"original": ("*", False), "retrain": ("*", True), "retrain_held_out": ("d", True)}


@dataclass(frozen=True)
class Theme:
    """One background. hues: of methods. classes: of the classes in a feature space."""

    name: str
    background: str
    text: str
    faint: str
    grid: str
    hues: Sequence[str]
    classes: Sequence[str]

    def settings(self) -> dict[str, Any]:
        """Matplotlib's settings for this background."""
        drawn = ("text.color", "axes.labelcolor", "xtick.color", "ytick.color")
        return {
            **dict.fromkeys(drawn, self.text),
            "figure.facecolor": self.background,
            "axes.facecolor": self.background,
            "savefig.facecolor": self.background,
            "axes.edgecolor": self.faint,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "grid.color": self.grid,
            "legend.frameon": False,
            "font.family": "DejaVu Sans",
            "font.size": 10,
            "axes.titlesize": 10.5,
            # A `$` in a method's name is no formula.
            "text.parse_math": False,
        }


# After Okabe and Ito (hues) and Paul Tol's scheme `muted` (classes), moved apart where they were
# close for readers with protanopia, deuteranopia or tritanopia (simulated after Machado et al.,
# 2009), and, for the hues, to a contrast of 3 with the background. Shapes and numbers say the same.
LIGHT = Theme(
    "light",
    background="#ffffff",
    text="#1b1f24",
    faint="#7b838d",
    grid="#dfe3e8",
    hues=("#d55e00", "#004f80", "#009e73", "#c46a9c", "#5e4300", "#3f97cc"),
    classes=(
        "#332288", "#6cb0dd", "#2f9d8b", "#117733", "#8a8a1f",
        "#c9a92c", "#d1667a", "#882255", "#aa4499", "#5a6b7b",
    ),
)  # fmt: skip
DARK = Theme(
    "dark",
    background="#14171c",
    text="#e8eaed",
    faint="#8a929c",
    grid="#343a42",
    hues=("#ff8a3d", "#3d93d0", "#2fc9a0", "#d987b5", "#f7dc7c", "#a9dcfb"),
    classes=(
        "#8f86e8", "#88ccee", "#44bb99", "#4fae63", "#bbbb44",
        "#eedd88", "#ee8899", "#c9568c", "#cc77bb", "#a0764a",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Mark:
    """How a method is drawn everywhere: colour, shape, and filled unless it is a control."""

    color: str
    shape: str
    filled: bool

    @property
    def face(self) -> Any:
        """What fills it: marks at one place must all be seen, so that only stars are opaque."""
        if not self.filled:
            return "none"
        return self.color if self.shape == "*" else (self.color, 0.35)


def marks(theme: Theme, labels: Iterable[str], controls: Iterable[str]) -> dict[str, Mark]:
    """One mark a method; references have the colour of the text, controls are hollow and grey.

    The first hue goes to the first method alone, which is SULI where it runs.
    """
    apart, found = set(controls), {}
    hues = chain(theme.hues[:1], cycle(theme.hues[1:]))
    shapes, hollow, tripods = cycle(SHAPES), cycle(SHAPES), cycle(TRIPODS)
    for label in labels:
        if label in apart:
            found[label] = Mark(theme.faint, next(hollow), filled=False)
        elif label in REFERENCES:
            found[label] = Mark(theme.text, *REFERENCES[label])
        elif is_retrain(label):
            found[label] = Mark(theme.text, next(tripods), filled=True)
        else:
            found[label] = Mark(next(hues), next(shapes), filled=True)
    return found


def shortened(label: str, length: int = 22) -> str:
    """A name that fits beside a mark: no control characters, an ellipsis where it is cut."""
    clean = "".join(letter for letter in label if letter.isprintable())
    return clean if len(clean) <= length else f"{clean[: length - 1]}…"
