"""What the paper reports, as data."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any


def paper_values() -> dict[str, Any]:
    """The paper's Tables 2 to 5: `settings[benchmark][scenario][method][metric]`, fractions."""
    text = files("leaderboards.board").joinpath("paper_values.json").read_text(encoding="utf-8")
    values: dict[str, Any] = json.loads(text)
    return values
