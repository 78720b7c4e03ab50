"""The models of an audit by their sources: all must be of the original's kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmark_adapters.deletion.class_order import outputs_by_name
from benchmark_adapters.originals.load import LoadedOriginal, load_original

# Rounding of what a file says in decimals.
SAME_NORMALISATION = 1e-4


def load_beside(
    source: str, original: LoadedOriginal, given: Mapping[str, Any], option: str
) -> LoadedOriginal:
    """A model of the original's kind. given: said of the original's files beyond what they say.

    What its own files do not say is taken from the original, as for bare weights. option: names
    it in messages. Raises ValueError for another number of outputs, classes in another order and
    another normalisation.
    """
    loaded = _loaded(source, original, given)
    _check_outputs(loaded, original, option)
    _check_classes(loaded, original, option)
    for name in ("mean", "std"):
        own, wanted = getattr(loaded.config, name), getattr(original.config, name)
        if len(own) != len(wanted) or _furthest(own, wanted) > SAME_NORMALISATION:
            raise ValueError(
                f"{option} {source} takes images of {name} {_listed(own)}, and the original "
                f"{original.source} of {_listed(wanted)}: say which with --{name}"
            )
    return loaded


def _loaded(source: str, original: LoadedOriginal, given: Mapping[str, Any]) -> LoadedOriginal:
    try:
        return load_original(source, **given)
    except ValueError:
        config = original.config
        names = ("architecture", "options", "num_classes", "classes", "mean", "std")
        facts = {name: getattr(config, name) for name in names}
        return load_original(source, **{k: v for k, v in facts.items() if v is not None})


def _check_outputs(loaded: LoadedOriginal, original: LoadedOriginal, option: str) -> None:
    own, wanted = loaded.config.num_classes, original.config.num_classes
    if own != wanted:
        raise ValueError(
            f"{option} {loaded.source} has {own} outputs, and the original {original.source} has "
            f"{wanted}: an audit compares models with the same outputs"
        )


def _check_classes(loaded: LoadedOriginal, original: LoadedOriginal, option: str) -> None:
    own, wanted = loaded.config.classes, original.config.classes
    if not own or not wanted:
        return
    moved = [
        (name, place)
        for place, (name, output) in enumerate(zip(own, outputs_by_name(own, wanted), strict=True))
        if output not in (place, -1)
    ]
    if moved:
        name, place = moved[0]
        raise ValueError(
            f"{option} {loaded.source} has class {name!r} at output {place}, and the original "
            f"{original.source} has it elsewhere: an audit compares models with the same outputs"
        )


def _furthest(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


def _listed(values: tuple[float, ...]) -> str:
    return ",".join(f"{value:g}" for value in values)
