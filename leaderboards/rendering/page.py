"""All boards as one HTML file that needs nothing else: styles, script and plots are inside."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined

from leaderboards.rendering.details import reads, row_details
from leaderboards.rendering.plot import FRAME, RADIUS, trade_off_plots
from leaderboards.rendering.tables import NO_YARDSTICK, BoardTable
from leaderboards.untrusted.harmless_text import harmless

_LABELS = {
    "reproduced": ("✓✓", "reproduced"),
    "re-scored": ("✓", "re-scored"),
    "claimed": ("", "claimed"),
    "reported": ("", "reported"),
    "refuted": ("✗", "refuted"),
}


def static_page(tables: Sequence[BoardTable]) -> str:
    """The HTML; the same tables give the same text.

    Everything that came from outside is escaped, and a policy in the page lets no other script,
    style or request be: only the two texts whose hashes it names.
    """
    style, script = page_file("style.css"), page_file("behaviour.js")
    page = _environment().get_template("index.html.jinja")
    return page.render(
        tables=tables,
        plots=[trade_off_plots(table) for table in tables],
        labels=_LABELS,
        style=style,
        script=script,
        style_hash=_policy_hash(style),
        script_hash=_policy_hash(script),
        frame=FRAME,
        radius=RADIUS,
    )


def page_file(name: str) -> str:
    """A file of the page that is taken as it is."""
    return files("leaderboards.rendering").joinpath("template", name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    found = Environment(
        loader=PackageLoader("leaderboards.rendering", "template"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    found.filters["harmless"] = harmless
    found.globals["row_details"] = row_details
    found.globals["reads"] = reads
    found.globals["no_yardstick"] = NO_YARDSTICK
    return found


def _policy_hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
