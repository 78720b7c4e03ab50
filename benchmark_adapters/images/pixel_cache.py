"""Decoded pixels among the tensors that are kept on disk."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from suli_plugin.kept_tensors import read_tensors, write_tensors

logger = logging.getLogger(__name__)
_NAME = "pixels"


@dataclass(frozen=True)
class Kept:
    """Decoded pixels, uint8 (N, C, H, W). converted: some images were made gray or colour."""

    pixels: Tensor
    converted: bool


def write_pixels(path: Path, kept: Kept) -> bool:
    """Write the pixels, or leave no file; whether they were written."""
    told = {"converted": "yes" if kept.converted else "no"}
    return write_tensors(path, {_NAME: kept.pixels}, told)


def read_pixels(path: Path, *, count: int) -> Kept | None:
    """The pixels, uint8 (count, C, H, W), mapped from the file; None if missing or damaged."""
    found = read_tensors(path)
    if found is None:
        return None
    tensors, told = found
    pixels = tensors.get(_NAME, torch.empty(0))
    if pixels.dtype != torch.uint8 or pixels.dim() != 4 or len(pixels) != count:
        logger.warning("%s is damaged and is made anew: it holds other pixels", path)
        return None
    return Kept(pixels, told.get("converted") == "yes")
