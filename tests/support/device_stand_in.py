"""A device that is none: tensors of the CPU as if on an accelerator, and who waits for it.

What is given to `Tensor.to(device)`, made with `device=` or computed from either counts as held
there. On such a tensor, whatever a GPU's host would have to wait for is counted.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_leaves

_READS = {"_local_scalar_dense", "nonzero", "is_nonzero", "masked_select", "_unique2", "equal"}
_FROM_HOST = (torch.tensor, torch.as_tensor)
_READ_BY_PYTHON = (Tensor.tolist, Tensor.numpy, Tensor.__array__)
_PLACES = {"suli_plugin", "benchmark_adapters", "tests"}


class Waits:
    """held: storages on the stand-in, kept so that no other gets their address. waits: each as
    `what (file:line of ours)`."""

    def __init__(self) -> None:
        self.held: dict[int, object] = {}
        self.waits: list[str] = []

    def hold(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        self.held[storage._cdata] = storage

    def holds(self, tensor: object) -> bool:
        return isinstance(tensor, Tensor) and tensor.untyped_storage()._cdata in self.held

    def wait(self, what: str) -> None:
        frames = [
            f"{Path(frame.filename).name}:{frame.lineno}"
            for frame in traceback.extract_stack()
            if frame.filename != __file__ and _PLACES & set(Path(frame.filename).parts)
        ]
        self.waits.append(f"{what} ({frames[-1] if frames else '?'})")


@contextmanager
def device_stand_in() -> Iterator[list[str]]:
    """Within the block, the waits for what is on the accelerator, in their order."""
    seen = Waits()
    with _Calls(seen), _Operators(seen):
        yield seen.waits


class _Calls(TorchFunctionMode):
    """What goes to the device and comes back, which on the CPU is nothing."""

    def __init__(self, seen: Waits) -> None:
        super().__init__()
        self.seen = seen

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func is Tensor.to and self._names_device(args[1:], kwargs):
            return self._sent(func, args, kwargs)
        if func is Tensor.cpu and self.seen.holds(args[0]):
            self.seen.wait("cpu")
            return _copied(args[0])
        if func in _READ_BY_PYTHON and self.seen.holds(args[0]):
            self.seen.wait(func.__name__)
        made = func(*args, **kwargs)
        # A text is torch's own: Adam counts its steps on the host, whatever the device.
        if isinstance(made, Tensor) and isinstance(kwargs.get("device"), torch.device):
            if func in _FROM_HOST and not self.seen.holds(made):
                self.seen.wait("sent")
            self.seen.hold(made)
        return made

    def _names_device(self, args, kwargs):
        """By itself, or by a tensor that is held there."""
        given = (*args, *kwargs.values())
        return any(isinstance(of, (torch.device, str)) or self.seen.holds(of) for of in given)

    def _sent(self, func, args, kwargs):
        if self.seen.holds(args[0]):
            return func(*args, **kwargs)
        blocking = not (kwargs.get("non_blocking") or any(each is True for each in args[1:]))
        if blocking:
            self.seen.wait("sent")
        sent = _copied(func(*args, **kwargs))
        self.seen.hold(sent)
        return sent


class _Operators(TorchDispatchMode):
    """What is computed from what is held is held, and some operators need its values."""

    def __init__(self, seen: Waits) -> None:
        super().__init__()
        self.seen = seen

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        held = [each for each in tree_leaves((args, kwargs)) if self.seen.holds(each)]
        name = func.overloadpacket.__name__
        if held and (name in _READS or self._indexed_by_host_or_mask(name, args)):
            self.seen.wait(name)
        from_host = name == "copy_" and self.seen.holds(args[0]) != self.seen.holds(args[1])
        if from_host and not (len(args) > 2 and args[2]):
            self.seen.wait("copy_")
        made = func(*args, **kwargs)
        if held and not (name == "copy_" and not self.seen.holds(args[0])):
            for each in tree_leaves(made):
                if isinstance(each, Tensor):
                    self.seen.hold(each)
        return made

    def _indexed_by_host_or_mask(self, name, args):
        if name not in ("index", "index_put", "index_put_"):
            return False
        indices = [each for each in args[1] if each is not None]
        return any(of.dtype == torch.bool or not self.seen.holds(of) for of in indices)


def _copied(tensor: Tensor) -> Tensor:
    with _disable_current_modes(), torch.no_grad():
        copy = tensor.detach().clone()
    return copy.requires_grad_(tensor.requires_grad and tensor.is_leaf)
