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

SUFFIXES = (".safetensors", ".bin", ".th", ".pth", ".pt")
State = dict[str, Tensor]


@dataclass(frozen=True)
class Weights:
    """What a file held.

    state: tensors by name, on the CPU. sha256: of the file's bytes. pickled: not safetensors.
    parallel: the names carried the prefix `module.` of DataParallel, which is stripped.
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
    if parallel:
        state = {key.removeprefix("module."): value for key, value in state.items()}
    return Weights(state, found, pickled=True, parallel=parallel)


def load_weights(model: nn.Module, weights: Weights, what: str) -> None:
    """Load weights that fit exactly; half precision becomes the model's float32 without loss.

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
        raise ValueError(
            f"{name} is not a whole file of weights alone, and nothing else is unpickled: "
            f"{_line(error)}"
        ) from error
    state = loaded.get("state_dict", loaded) if isinstance(loaded, Mapping) else loaded
    return _checked_state(state, name)


def _checked_state(state: Any, name: str) -> State:
    if not isinstance(state, Mapping) or not state:
        raise ValueError(f"{name} holds {type(state).__name__}, expected a state dict")
    for key, value in state.items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            raise ValueError(
                f"{name} holds {type(value).__name__} under {key!r}, expected a state dict: "
                f"tensors by name, at the top or under 'state_dict'"
            )
    return dict(state)


def _widened(value: Tensor, expected: Tensor | None) -> Tensor:
    half = value.dtype in (torch.float16, torch.bfloat16)
    return (
        value.float()
        if half and expected is not None and expected.dtype == torch.float32
        else value
    )


def _form(value: Tensor) -> str:
    return f"{tuple(value.shape)} {str(value.dtype).removeprefix('torch.')}"


def _is_counter(key: str) -> bool:
    return key.endswith("num_batches_tracked")


def _line(error: Exception) -> str:
    """What went wrong, without torch's advice to switch the safety off."""
    lines = (str(error).strip() or type(error).__name__).splitlines()
    refused = [line for line in lines if "GLOBAL" in line or line.startswith("Unsupported")]
    return (refused or lines)[0].split(". ")[0].rstrip(".")
