"""Tensors on disk under a key of what decides them: made once, written whole, checked when read."""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor

logger = logging.getLogger(__name__)
Tensors = dict[str, Tensor]


def cache_folder() -> Path:
    """Where what is made once is kept: SULI_CACHE, or suli-plugin in the user's cache folder."""
    own = os.environ.get("SULI_CACHE")
    users = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(own) if own else Path(users) / "suli-plugin"


def kept_tensors(
    key: str, make: Callable[[], Mapping[str, Tensor]], accelerator: Accelerator | None = None
) -> Tensors:
    """What `make` gives, on the CPU: made once for a key, read from the cache folder from then on.

    key: the file's name without its ending, what the tensors are and a hash of all that decides
    them. A damaged file is made anew; where the folder can't be written, nothing is kept.
    accelerator: of several processes all make or all read, so that `make` may use all of them,
    and the main one writes. Two runs that ask together: one makes, the other waits and reads.
    """
    path = cache_folder() / f"{key}.safetensors"
    on_main = accelerator is None or accelerator.is_main_process
    with locked(path) if on_main else nullcontext(False) as may_write:
        if accelerator is not None:
            # Whoever is not the main process reads once the main one holds the lock.
            accelerator.wait_for_everyone()
        found = read_tensors(path)
        if _on_all_processes(found is not None, accelerator):
            return found[0]  # type: ignore[index]  # found here, too
        made = {name: tensor.detach().cpu() for name, tensor in make().items()}
        if may_write:
            write_tensors(path, made)
    return made


def kept_file(name: str) -> bytes | None:
    """The file that `kept_tensors` keeps under a key, for a machine with another cache folder."""
    path = cache_folder() / f"{name}.safetensors"
    return path.read_bytes() if read_tensors(path) is not None else None


def put_kept_file(name: str, data: bytes) -> None:
    """Keep such a file, unless there is one; where the folder can't be written, nothing is kept."""
    path = cache_folder() / f"{name}.safetensors"
    if path.is_file():
        return
    with locked(path) as may_write:
        if may_write and not path.is_file():
            unfinished = path.with_suffix(".part")
            unfinished.write_bytes(data)
            os.replace(unfinished, path)


@contextmanager
def locked(path: Path) -> Iterator[bool]:
    """Hold the lock of a file of the cache; False where the folder can't be written to."""
    from filelock import FileLock

    lock = FileLock(path.with_suffix(".lock"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError as error:
        _warn(path, error)
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def write_tensors(
    path: Path, tensors: Mapping[str, Tensor], told: Mapping[str, str] | None = None
) -> bool:
    """Write tensors of the CPU beside their SHA-256, or leave no file; whether they were written.

    told: what else a reader must know.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    written = None
    try:
        handle, written = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".part")
        os.close(handle)
        whole = {name: tensor.contiguous() for name, tensor in tensors.items()}
        save_file(whole, written, metadata={**(told or {}), "sha256": tensors_hash(whole)})
        with open(written, "rb") as file:
            os.fsync(file.fileno())
        os.replace(written, path)
    except (OSError, SafetensorError) as error:
        _warn(path, error)
        return False
    finally:
        # Also after an interrupt; after the rename there is nothing of this name any more.
        if written is not None:
            Path(written).unlink(missing_ok=True)
    return True


def read_tensors(path: Path) -> tuple[Tensors, dict[str, str]] | None:
    """The tensors, mapped from the file, and what it tells; None if missing or damaged."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            told = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no dict
    except (SafetensorError, OSError) as error:
        logger.warning("%s is damaged and is made anew: %s", path, error)
        return None
    if tensors_hash(tensors) != told.get("sha256"):
        logger.warning("%s is damaged and is made anew: its bytes have changed", path)
        return None
    return tensors, told


def tensors_hash(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, types, shapes and bytes of tensors, wherever they are."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu()
        digest.update(f"\0{name}\0{tensor.dtype}{tuple(tensor.shape)}\0".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _on_all_processes(here: bool, accelerator: Accelerator | None) -> bool:
    if accelerator is None or accelerator.num_processes == 1:
        return here
    count = torch.tensor([float(here)], device=accelerator.device)
    return int(accelerator.reduce(count, "sum")) == accelerator.num_processes


def _warn(path: Path, error: Exception) -> None:
    # What could not be kept is made again next time; that is no reason to stop.
    logger.warning("made tensors are not kept in %s: %s", path.parent, error)
