"""The images of a base dataset as an `ImageSet`: decoded once per content, or streamed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from benchmark_adapters.command_line.main_process import main_first
from benchmark_adapters.images.base_data import BaseData
from benchmark_adapters.images.chosen_images import ChosenImages
from benchmark_adapters.images.encoded_images import Channels, EncodedImages
from benchmark_adapters.images.pixel_cache import Kept, read_pixels, write_pixels
from benchmark_adapters.preprocessing.preprocessing import Preprocessing
from suli_plugin.images import Augment, ImageSet, Kind
from suli_plugin.kept_tensors import cache_folder, locked
from suli_plugin.pixel_store import MEMORY_LIMIT, PixelStore
from suli_plugin.read_ahead import decode_workers

if TYPE_CHECKING:
    from accelerate import Accelerator


def image_set(
    base: BaseData | ChosenImages,
    *,
    size: int | Preprocessing | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    augment: Augment | None = None,
    kind: Kind = "synthetic",
    memory_limit: int = MEMORY_LIMIT,
    accelerator: Accelerator | None = None,
) -> ImageSet:
    """All images of the base with their stable ids, as an `ImageSet`.

    They are decoded into one uint8 tensor once for each content and kept in the cache folder
    (SULI_CACHE, by default ~/.cache/suli-plugin). A set whose tensor would be larger than
    `memory_limit` bytes is streamed: each batch is decoded by worker processes (see
    `decode_workers`) while earlier ones are used. size: of the squares that images are resized
    to, or what becomes of them. accelerator: of several processes only the main one writes the
    cache. Raises ValueError for an image that is damaged or not 8 bits a channel, and for
    different sizes where no `size` is given. Images are gray or colour as the mean has one or
    three channels; without a mean, as all of them are.
    """
    encoded = EncodedImages(base, size, channels_for(mean))
    store, _ = pixel_store(encoded, memory_limit=memory_limit, accelerator=accelerator)
    return ImageSet(store, mean=mean, std=std, augment=augment, ids=base.ids, kind=kind)


def pixel_store(
    encoded: EncodedImages,
    *,
    memory_limit: int = MEMORY_LIMIT,
    accelerator: Accelerator | None = None,
) -> tuple[PixelStore, bool]:
    """The pixels, decoded or to be streamed, and whether they are known to be those of the files.

    They are others where images were resized, or made gray or colour.
    """
    if encoded.decoded_bytes() > memory_limit:
        store = PixelStore(
            encoded,
            memory_limit=0,
            labels=encoded.base.labels,
            workers=decode_workers(),
            made_of=encoded.made_of,
        )
        return store, False
    kept = decoded(encoded, accelerator)
    as_in_files = encoded.size is None and not kept.converted
    store = PixelStore.of_tensors(kept.pixels, encoded.base.labels, encoded.made_of)
    return store, as_in_files


def channels_for(mean: Sequence[float] | None) -> Channels:
    """The channels that a model takes whose normalisation has this mean."""
    taken: dict[int, Channels] = {1: 1, 3: 3}
    return taken.get(len(mean or ()), "common")


def decoded(encoded: EncodedImages, accelerator: Accelerator | None = None) -> Kept:
    """All pixels, uint8 (N, C, H, W), from the cache or, once, by decoding."""
    if len(encoded) == 0:
        raise ValueError(f"{encoded.base.pinned}: split {encoded.base.split!r} holds no image")

    return main_first(accelerator, lambda on_main: _cached(encoded, may_write=on_main))


def _cached(encoded: EncodedImages, *, may_write: bool) -> Kept:
    path = cache_folder() / f"pixels-{encoded.key()}.safetensors"
    found = read_pixels(path, count=len(encoded))
    if found is not None:
        return found
    if not may_write:
        return _decoded_now(encoded)
    # Two runs that start together: one decodes, the other waits and reads.
    with locked(path) as writable:
        found = read_pixels(path, count=len(encoded)) if writable else None
        if found is not None:
            return found
        made = _decoded_now(encoded)
        if writable:
            write_pixels(path, made)
    return made


def _decoded_now(encoded: EncodedImages) -> Kept:
    pixels = encoded.decode_all()
    return Kept(torch.from_numpy(pixels), encoded.converted)
