"""Templates of pages that need no other file and no network; every text in them is escaped."""

from __future__ import annotations

import base64
from importlib.metadata import version
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from benchmark_adapters.records.provenance import command
from benchmark_adapters.report.palette import DARK, LIGHT
from benchmark_adapters.report.picture import DOTS_PER_INCH, Picture

PIXELS_PER_INCH = 100


def rendered(template: str, **values: Any) -> str:
    """A page. template: its file below this package; `report/page.css` is there for all."""
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        loader=PackageLoader("benchmark_adapters", ""),
    )
    made = {"light": LIGHT, "dark": DARK, "version": version("suli-plugin"), "command": command()}
    return environment.get_template(template).render(**made, **values)


def shown(picture: Picture, *, of: str) -> dict[str, Any]:
    """What `report/figure.html` needs of a picture. of: what it is a picture of."""
    return {
        "title": picture.title,
        "of": of,
        "caption": " ".join(picture.caption.split()),
        "alt": picture.alt,
        "numbers": picture.numbers,
        "light": _data_uri(picture.light),
        "dark": _data_uri(picture.dark),
        "width": round(_width(picture.light) / DOTS_PER_INCH * PIXELS_PER_INCH),
    }


def _data_uri(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _width(png: bytes) -> int:
    """Pixels across, which a PNG file says after its signature and the head of its first chunk."""
    return int.from_bytes(png[16:20], "big")
