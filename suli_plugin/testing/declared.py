"""Rules for what a method declares: nothing is run."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from typing import Any

from suli_plugin.request import RESOURCES, SCOPES
from suli_plugin.testing.rule import ConformanceError, rule
from suli_plugin.unlearner import Unlearner


def declaration_is_valid(unlearner: Unlearner) -> None:
    """What the class declares has the form that it must have."""
    cls = type(unlearner)
    rule(cls.name.isidentifier() and cls.name.islower(), "`name` is a lower-case identifier")
    rule(bool(cls.paper), "`paper` cites the source")
    rule(bool(cls.needs), "`needs` names at least one scope")
    for scope, needed in cls.needs.items():
        rule(scope in SCOPES, f"`needs` has scopes of {SCOPES}, got {scope!r}")
        rule(set(needed) <= set(RESOURCES), f"`needs` has resources of {RESOURCES}, got {needed}")
        for preset in cls.presets():
            rule(isinstance(cls.preset(preset, scope), cls), f"preset {preset} makes a {cls.name}")
    rule(all(_has_default(f) for f in dataclasses.fields(unlearner)), "every field has a default")


def hyperparameters_are_json(unlearner: Unlearner) -> None:
    """The fields survive JSON, and nobody can change them."""
    rule(
        dataclasses.is_dataclass(unlearner) and type(unlearner).__dataclass_params__.frozen,  # type: ignore[attr-defined]  # dataclass internals
        "an unlearner is a frozen dataclass",
    )
    values = unlearner.hyperparameters()
    again = type(unlearner)(**json.loads(json.dumps(values, allow_nan=False)))
    rule(again == unlearner, "the fields survive JSON; use numbers, strings, booleans, tuples")


def search_space_is_valid(unlearner: Unlearner) -> None:
    """Every value to try fits its field."""
    for name, values in type(unlearner).search_space.items():
        rule(name in unlearner.hyperparameters(), f"`search_space` has {name!r}, a field")
        different = {json.dumps(value) for value in values}
        rule(len(different) == len(values) > 1, f"{name} has two or more values, each once")
        for made in _with_each(unlearner, name, values):
            hyperparameters_are_json(made)


def _with_each(unlearner: Unlearner, name: str, values: Sequence[Any]) -> Iterator[Unlearner]:
    """The method with each value, as tuning makes it; none where the field is switched off."""
    if getattr(unlearner, name) is None and None not in values:
        return
    for value in values:
        try:
            made = dataclasses.replace(unlearner, **{name: value})
        except (TypeError, ValueError) as error:
            raise ConformanceError(f"every value to try fits its field: {error}") from error
        kept = getattr(made, name)
        rule(kept == value, f"{name} keeps the value to try, {value!r}, but became {kept!r}")
        yield made


def _has_default(field: dataclasses.Field[Any]) -> bool:
    missing = dataclasses.MISSING
    return field.default is not missing or field.default_factory is not missing


DECLARED = (declaration_is_valid, hyperparameters_are_json, search_space_is_valid)
