"""What requests in turn have come to so far, kept until the checkpoint of all of them is whole.

A process that is killed between two requests goes on behind the last one that was done. One file
holds weights and everything else that was found out, and takes its place in one atomic step.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from benchmark_adapters.records.record import write_atomically

_SUFFIX = ".safetensors"


class KeptSteps:
    """The folder beside an output; None keeps nothing."""

    def __init__(self, output: Path | None) -> None:
        self.folder: Path | None = None
        if output is not None:
            target = Path(os.path.abspath(output))
            self.folder = target.with_name(f".{target.name}.requests")

    def write(self, key: str, model: nn.Module, done: list[dict[str, Any]]) -> None:
        """Keep a model and what is known of the requests that made it. key: of the whole run."""
        if self.folder is None:
            return
        state = {
            name: value.detach().cpu().clone(memory_format=torch.contiguous_format)
            for name, value in model.state_dict().items()
        }
        about = {"key": key, "done": json.dumps(done, allow_nan=False)}
        path = self.folder / f"{len(done)}{_SUFFIX}"
        write_atomically(path, safetensors.torch.save(state, metadata=about))
        for other in self.folder.glob(f"*{_SUFFIX}"):
            if other != path:
                other.unlink(missing_ok=True)

    def read(self, key: str) -> tuple[Mapping[str, Tensor], list[dict[str, Any]]] | None:
        """The same of the furthest request of this very run, None if there is nothing of it."""
        if self.folder is None:
            return None
        files = sorted(self.folder.glob(f"[0-9]*{_SUFFIX}"), key=lambda path: -int(path.stem))
        return next((found for path in files if (found := _read(path, key)) is not None), None)

    @property
    def holds_any(self) -> bool:
        """Whether anything is kept, of whichever run."""
        return self.folder is not None and any(self.folder.glob(f"[0-9]*{_SUFFIX}"))

    def remove(self) -> None:
        """Nothing is to be continued any more."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)


def _read(path: Path, key: str) -> tuple[Mapping[str, Tensor], list[dict[str, Any]]] | None:
    try:
        with safe_open(path, "pt") as file:
            about = file.metadata() or {}
            if about.get("key") != key:
                return None
            done: list[dict[str, Any]] = json.loads(about["done"])
            return {name: file.get_tensor(name) for name in file.keys()}, done  # noqa: SIM118  # no dict
    except (OSError, SafetensorError, KeyError, ValueError):
        return None
