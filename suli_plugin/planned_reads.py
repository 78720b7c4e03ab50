"""Batches of image sets that are announced, so that what is streamed is decoded ahead of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager

from torch import Tensor

from suli_plugin.images import ImageSet
from suli_plugin.pixel_store import PixelStore


@contextmanager
def planned(reads: Iterable[tuple[ImageSet, Tensor]]) -> Iterator[None]:
    """Within the block, these batches are read in this order; see `PixelStore.planned`.

    reads: a set and positions in it, int64 (B,), for each batch. Whatever else is read in between
    is decoded when it is asked for. Of sets in memory nothing is done.
    """
    stores: dict[int, tuple[PixelStore, list[Tensor]]] = {}
    for images, positions in reads:
        for store, rows in images.stored(positions):
            stores.setdefault(id(store), (store, []))[1].append(rows)
    with ExitStack() as plans:
        for store, batches in stores.values():
            plans.enter_context(store.planned(batches))
        yield
