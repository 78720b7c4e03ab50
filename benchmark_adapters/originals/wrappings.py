"""What people wrap a network in before they save it: prefixes, and a layer that normalises."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from benchmark_adapters.originals.layouts import Facts
from benchmark_adapters.originals.skeleton import skeleton
from benchmark_adapters.originals.weight_files import State, Weights

# DataParallel, torch.compile, and the names that wrappers give to what they wrap.
PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "network.")
_COMPILED = "_orig_mod."
_STATISTICS = {"mean": "std", "mu": "sigma", "pixel_mean": "pixel_std", "new_mean": "new_std"}


@dataclass(frozen=True)
class Normalisation:
    """Statistics that a layer before the network applies: their names, and a value a channel."""

    names: tuple[str, str]
    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class Reading:
    """One way to read a state: the weights of the network, and what normalises before it."""

    state: State
    normalisation: Normalisation | None = None


def without_wrappings(facts: Facts, weights: Weights) -> tuple[Facts, Weights, tuple[str, ...]]:
    """The facts with the statistics of a layer before the network, and the network's own weights.

    Last, what to say of that layer. A network that normalises by itself gets pixels as they are.
    Raises ValueError if something else is said of the normalisation than what the layer does.
    """
    read = _as_described(facts, weights.state)
    inside = read.normalisation
    if inside is None and (own := _normalisation(read.state)) is not None:
        count = len(own.mean)
        facts = {"mean": (0.0,) * count, "std": (1.0,) * count, **facts}
    notes: tuple[str, ...] = ()
    if inside is not None:
        _check_said(facts, inside)
        facts = {**facts, "mean": inside.mean, "std": inside.std}
        taken = f"mean {inside.mean} and std {inside.std}"
        notes = (f"{taken} are those of the original's layer {' and '.join(inside.names)}",)
    return facts, replace(weights, state=read.state), notes


def readings(state: State) -> Iterator[Reading]:
    """The state as it is, then without one wrapping after the other."""
    yield Reading(state)
    for inner in _without_prefixes(state, PREFIXES):
        state = inner
        yield Reading(state)
    inside = _normalisation(state)
    if inside is not None:
        state = {key: value for key, value in state.items() if key not in inside.names}
        yield Reading(state, inside)
        # nn.Sequential(normalise, network) calls the network `1`.
        parts = {f"{key.partition('.')[0]}." for key in state}
        for inner in _without_prefixes(state, (*PREFIXES, *parts)):
            yield Reading(inner, inside)


def _as_described(facts: Facts, state: State) -> Reading:
    """The reading with the names of the architecture, or, if it isn't known, the innermost."""
    found = list(readings(state))
    expected = skeleton(facts) if len(found) > 1 and "architecture" in facts else None
    if expected is None:
        return found[-1]
    return min(found, key=lambda read: len(expected.keys() ^ read.state.keys()))


def _without_prefixes(state: State, prefixes: Sequence[str]) -> Iterator[State]:
    """The state without each prefix that all of its names have, from the outermost on."""
    if any(_COMPILED in key for key in state):
        # A part of a network may be compiled as well.
        state = {key.replace(_COMPILED, ""): value for key, value in state.items()}
        yield state
    while prefix := next((one for one in prefixes if _all_have(state, one)), None):
        state = {key.removeprefix(prefix): value for key, value in state.items()}
        yield state


def _all_have(state: State, prefix: str) -> bool:
    return bool(state) and all(key.startswith(prefix) for key in state)


def _normalisation(state: State) -> Normalisation | None:
    """The only statistics a channel at the top of a state or a level below it."""
    found = []
    for key, value in state.items():
        layer, _, name = key.rpartition(".")
        other = key.removesuffix(name) + _STATISTICS.get(name, "")
        if "." not in layer and name in _STATISTICS and other in state:
            found += [(key, other)] if value.shape == state[other].shape else []
    if len(found) != 1 or not _per_channel(state[found[0][0]]):
        return None
    mean, std = (_numbers(state[key]) for key in found[0])
    # Of pixels from 0 to 255, as some write them.
    scale = 255.0 if max(mean) > 1 else 1.0
    per_one = [tuple(value / scale for value in values) for values in (mean, std)]
    return Normalisation(found[0], per_one[0], per_one[1])


def _per_channel(value: Tensor) -> bool:
    # (C,), (C, 1, 1) or (1, C, 1, 1)
    return value.is_floating_point() and 0 < value.numel() == max(value.shape, default=0)


def _numbers(value: Tensor) -> list[float]:
    # The shortest decimals that are these float32: 0.4914, not 0.49140000343.
    return [float(str(number)) for number in value.flatten().float().numpy()]


def _check_said(facts: Facts, inside: Normalisation) -> None:
    for name, own, nothing in (("mean", inside.mean, 0.0), ("std", inside.std, 1.0)):
        said = tuple(facts.get(name, own))
        same = len(said) == len(own) and all(map(_close, said, own))
        if not same and set(said) != {nothing}:
            raise ValueError(
                f"its layer {' and '.join(inside.names)} normalises with {name} {own}, and "
                f"{name} is said to be {said}: leave out mean= and std="
            )


def _close(said: object, own: float) -> bool:
    return isinstance(said, (int, float)) and math.isclose(said, own, abs_tol=1e-4)
