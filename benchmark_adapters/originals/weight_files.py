"""Read a file of weights without running it, and check that it fits a model exactly."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

SUFFIXES = (".safetensors", ".bin", ".th", ".pth", ".pt", ".ckpt", ".pth.tar")
State = dict[str, Tensor]
# Under which names training scripts put the weights beside an optimiser, an epoch and so on.
_PLACES = (
    *("state_dict", "model_state_dict", "model", "net", "network", "model_state", "net_state_dict"),
    *("weights", "params"),
)
_ALONE = "save the weights alone, where the model was made: torch.save(model.state_dict(), {!r})"


@dataclass(frozen=True)
class Weights:
    """What a file held.

    state: tensors by name, on the CPU. sha256: of the file's bytes. pickled: not safetensors.
    parallel: all names carry the prefix `module.` of DataParallel.
    """

    state: State
    sha256: str
    pickled: bool = False
    parallel: bool = False


def read_weights(data: bytes, name: str, *, sha256: str | None = None) -> Weights:
    """The weights in a file's bytes; the hash is compared before anything is parsed.

    name: the file's name, whose ending says what it is. sha256: the hash that is expected.
    Raises ValueError for other bytes, a damaged file, and a pickle that is more than tensors.
    """
    found = hashlib.sha256(data).hexdigest()
    if sha256 is not None and found != sha256.lower():
        raise ValueError(f"{name} has sha256 {found}, expected {sha256.lower()}")
    if PurePath(name).suffix == ".safetensors":
        return Weights(_of_safetensors(data, name), found)
    state = _of_pickle(data, name)
    parallel = all(key.startswith("module.") for key in state)
    return Weights(state, found, pickled=True, parallel=parallel)


def load_weights(model: nn.Module, weights: Weights, what: str) -> None:
    """Load weights that fit exactly; half and double precision become the model's float32.

    what: names the model in messages. Raises ValueError for a missing or unexpected weight, or
    one of another shape or type, naming the first few.
    """
    expected, state = model.state_dict(), weights.state
    if weights.pickled and not any(map(_is_counter, state)):
        # Files older than PyTorch 0.4.1 do not count BatchNorm's batches.
        state = {**{key: expected[key] for key in expected if _is_counter(key)}, **state}
    state = {key: _widened(value, expected.get(key)) for key, value in state.items()}
    check_fit(expected, state, what)
    model.load_state_dict(state, strict=True)


def check_fit(expected: Mapping[str, Tensor], state: Mapping[str, Tensor], what: str) -> None:
    """Raise ValueError unless both have the same names, shapes and types."""
    differing = [
        f"{key} is {_form(state[key])} instead of {_form(expected[key])}"
        for key in expected
        if key in state and _form(state[key]) != _form(expected[key])
    ]
    problems = {
        "missing": [key for key in expected if key not in state],
        "unexpected": [key for key in state if key not in expected],
        "different": differing,
    }
    said = [f"{kind}: {first_few(found)}" for kind, found in problems.items() if found]
    if said:
        raise ValueError(f"the weights do not fit {what}; {'; '.join(said)}")


def first_few(names: list[str]) -> str:
    """Three names, and how many more there are."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _of_safetensors(data: bytes, name: str) -> State:
    try:
        return safetensors.torch.load(data)
    except Exception as error:
        # Broken headers raise the library's own error, KeyError and others.
        raise ValueError(f"{name} is not a whole safetensors file: {_line(error)}") from error


def _of_pickle(data: bytes, name: str) -> State:
    if tuple(int(part) for part in torch.__version__.split(".")[:2]) < (2, 6):
        raise ValueError(
            f"{name} is a pickle, and torch {torch.__version__} can be made to run code by one "
            f"(CVE-2025-32434); install torch 2.6 or later, or use safetensors"
        )
    try:
        loaded = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:
        # A foreign pickle can fail in any way; weights_only refuses what is not tensors.
        reason = _line(error)
        if _is_refusal(reason):
            raise ValueError(
                f"{name} is not a file of weights alone, and nothing else is unpickled, since "
                f"that may run code ({reason}): {_alone(name)}"
            ) from error
        raise ValueError(f"{name} is not a whole file of weights: {reason}") from error
    return _state_in(loaded, name)


def _state_in(loaded: Any, name: str) -> State:
    """The state dict at the top of what was loaded, or in the one place that holds one."""
    if _is_state(loaded):
        return dict(loaded)
    found = _places(loaded)
    if len(found) > 1:
        raise ValueError(
            f"{name} holds several state dicts, under {' and '.join(map(repr, found))}, and not "
            f"which is meant: {_alone(name)}"
        )
    if not found:
        raise ValueError(
            f"{name} holds {_contents(loaded)}, expected a state dict: tensors by name, at the "
            f"top or under one of {', '.join(_PLACES[:4])}; {_alone(name)}"
        )
    return next(iter(found.values()))


def _places(loaded: Any) -> dict[str, State]:
    """The state dicts by the usual names, or in a mapping of that name."""
    found: dict[str, State] = {}
    for place in _PLACES if isinstance(loaded, Mapping) else ():
        held = loaded.get(place)
        if _is_state(held):
            found[place] = dict(held)
        else:
            found |= {f"{place}.{inner}": state for inner, state in _places(held).items()}
    return found


def _is_state(held: Any) -> bool:
    return (
        isinstance(held, Mapping)
        and len(held) > 0
        and all(isinstance(key, str) and isinstance(held[key], Tensor) for key in held)
    )


def _contents(loaded: Any) -> str:
    kind = type(loaded).__name__
    if not isinstance(loaded, Mapping) or not loaded:
        return kind
    return first_few([f"{key!r} ({type(value).__name__})" for key, value in loaded.items()])


def _alone(name: str) -> str:
    return _ALONE.format(f"{PurePath(name).name.partition('.')[0]}-weights.pth")


def rounded(weights: Weights, model: nn.Module) -> list[str]:
    """The weights of double precision that the model's float32 has only nearly."""
    own = model.state_dict()
    return [
        key
        for key, value in weights.state.items()
        if value.dtype == torch.float64 and key in own and not torch.equal(own[key].double(), value)
    ]


def _widened(value: Tensor, expected: Tensor | None) -> Tensor:
    other = value.dtype in (torch.float16, torch.bfloat16, torch.float64)
    single = expected is not None and expected.dtype == torch.float32
    return value.float() if other and single else value


def _form(value: Tensor) -> str:
    return f"{tuple(value.shape)} {str(value.dtype).removeprefix('torch.')}"


def _is_counter(key: str) -> bool:
    return key.endswith("num_batches_tracked")


def _line(error: Exception) -> str:
    """What went wrong, without torch's advice to switch the safety off."""
    lines = (str(error).strip() or type(error).__name__).splitlines()
    refused = [line for line in lines if _is_refusal(line)]
    return (refused or lines)[0].split(". ")[0].rstrip(".")


def _is_refusal(line: str) -> bool:
    """Whether this is about code in a pickle, and not about damage."""
    return "GLOBAL" in line or line.startswith("Unsupported")
