"""What there is to say of the registered methods, JSON-able."""

from __future__ import annotations

import dataclasses
import difflib
import re
import types
import typing
from collections.abc import Iterable, Mapping
from inspect import getdoc
from typing import Any, Literal, Union, get_args, get_origin

from suli_plugin.registry import Registry
from suli_plugin.request import TRAINING_RECORDS, Resource
from suli_plugin.unlearner import Unlearner

FORGET_ONLY, RETAINED = "forget-only", "needs retained data"
TRAINING = "needs the original's training"
NO_DATA, YARDSTICK, CONTROL, PEER = "needs no data", "yardstick", "control", "of another harness"
GROUPS = {
    FORGET_ONLY: "the forget set is all that they train on",
    RETAINED: "they read the retained images, too",
    TRAINING: "a log of it, its last epochs, or shards",
    NO_DATA: "they read no image",
    YARDSTICK: "what unlearning is compared with",
    CONTROL: "they forget nothing and show what a number is worth",
    PEER: "by the harness's own code",
}


def method_rows(found: Registry) -> list[dict[str, Any]]:
    """A row of each method, group by group, as registered within them."""
    rows = [method_row(name, found) for name in found.unlearners]
    return sorted(rows, key=lambda row: list(GROUPS).index(row["group"]))


def method_row(name: str, found: Registry, preset: str = "") -> dict[str, Any]:
    """All that is known of a method; presets have the values that differ from the defaults.

    preset: the only one to tell of, '' for all that are listed.
    """
    cls, origin = found.unlearners[name], found.origins[name]
    presets = [preset] if preset else list(cls.presets())
    return {
        "method": name,
        "group": group_of(cls),
        "needs": {scope: sorted(resources) for scope, resources in cls.needs.items()},
        "year": year_of(cls.bibtex),
        "paper": cls.paper,
        "bibtex": cls.bibtex,
        "description": getdoc(cls) or "",
        "fields": _fields(cls),
        "presets": presets,
        "preset_sources": {each: preset_source(cls, each) for each in presets},
        "preset_values": {each: preset_values(cls, each) for each in presets},
        "preset_needs": {each: preset_needs(cls, each) for each in presets},
        "control": cls.control,
        "hyperparameters": cls().hyperparameters(),
        "search_space": {name: list(values) for name, values in cls.search_space.items()},
        "distribution": origin.distribution,
        "version": origin.version,
    }


def known_method(label: str, found: Registry) -> tuple[str, str]:
    """Method and preset ('' for none) of a label.

    Raises ValueError for an unknown one, naming those that are spelt alike.
    """
    name, _, preset = label.partition("@")
    if name not in found.unlearners:
        close = difflib.get_close_matches(name, found.unlearners, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(close)}? " if close else ""
        raise ValueError(f"unknown method {name!r}; {hint}`suli methods` lists them all")
    cls = found.unlearners[name]
    if preset:
        cls.preset(preset, next(iter(cls.needs)))
    return name, preset


def group_of(cls: type[Unlearner]) -> str:
    """The group of `GROUPS` that a method belongs to, by all that it needs in any scope."""
    if cls.peer or cls.yardstick or cls.control:
        return PEER if cls.peer else YARDSTICK if cls.yardstick else CONTROL
    needed: set[Resource] = set().union(*cls.needs.values())
    if needed & set(TRAINING_RECORDS):
        return TRAINING
    if "retain" in needed:
        return RETAINED
    return FORGET_ONLY if "forget" in needed else NO_DATA


def year_of(bibtex: str) -> int | None:
    """The year of a BibTeX entry, None where it has none."""
    found = re.search(r"\byear\s*=\s*[{\"]?(\d{4})", bibtex)
    return int(found[1]) if found else None


def preset_source(cls: type[Unlearner], preset: str) -> str:
    """Where a preset's values come from, in one line; '' for one that is not listed."""
    return " ".join((getdoc(getattr(cls, f"preset_{preset}", None)) or "").split())


def preset_values(cls: type[Unlearner], preset: str) -> dict[str, dict[str, Any]]:
    """By scope, the values of a preset that are not the defaults."""
    defaults = cls().hyperparameters()
    return {
        scope: {
            name: value
            for name, value in cls.preset(preset, scope).hyperparameters().items()
            if value != defaults[name]
        }
        for scope in cls.needs
    }


def preset_needs(cls: type[Unlearner], preset: str) -> dict[str, list[str]]:
    """By scope, what a preset reads, which its values may change."""
    return {scope: sorted(cls.preset(preset, scope).resources(scope)) for scope in cls.needs}


def _fields(cls: type[Unlearner]) -> list[dict[str, Any]]:
    hints = typing.get_type_hints(cls)
    return [
        {
            "name": field.name,
            "type": type_text(hints[field.name]),
            "default": getattr(cls(), field.name),
            "bounds": dict(field.metadata.get("bounds", {})),
        }
        for field in dataclasses.fields(cls)
    ]


def type_text(hint: Any) -> str:
    """A field's type in words: `float or none`, `adam or sgd`, `list of int`."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return " or ".join(type_text(each) for each in inner)
    if origin is Literal:
        return " or ".join(value_text(each) for each in inner)
    if origin in (tuple, list):
        return f"list of {type_text(inner[0])}"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return "mapping"
    return "none" if hint is type(None) else getattr(hint, "__name__", str(hint))


def value_text(value: Any) -> str:
    """A value as `--set` takes it, numbers in their shortest form."""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    if isinstance(value, Iterable) and not isinstance(value, (str, Mapping)):
        return f"[{', '.join(value_text(each) for each in value)}]"
    return str(value)
