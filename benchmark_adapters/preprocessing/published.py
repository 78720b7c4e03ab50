"""What the configurations of timm, transformers and torchvision say about preprocessing."""

from __future__ import annotations

from collections.abc import Mapping
from math import floor
from typing import Any

from benchmark_adapters.preprocessing.preprocessing import USUAL_CROP, Preprocessing

# Pillow's numbers of its filters, by which processors of transformers name them.
_RESAMPLING = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")
# Processors with rules of their own that are not followed here.
_OTHER_RULES = ("PoolFormer", "Perceiver", "Glpn", "Deta", "Vilt")


def of_timm(
    config: Mapping[str, Any], said_by: str = "timm's pretrained_cfg"
) -> Preprocessing | None:
    """What a `pretrained_cfg` says (timm.data.create_transform); None where it says nothing.

    Only of square inputs. Centre crops and squashed images are followed, borders are not.
    """
    side, part = _square(config.get("input_size")), config.get("crop_pct")
    mode = config.get("crop_mode") or "center"
    if side is None or not isinstance(part, (int, float)) or not 0 < part <= 1:
        return None
    if mode not in ("center", "squash"):
        return None
    return Preprocessing(
        size=side,
        resize=floor(side / part),
        squash=mode == "squash",
        interpolation=_known(config.get("interpolation")),
        said_by=said_by,
    )


def of_transformers(processor: Mapping[str, Any]) -> Preprocessing | None:
    """What a preprocessor_config.json says; None where it says nothing that is followed here."""
    kind = str(processor.get("image_processor_type") or processor.get("feature_extractor_type"))
    size = processor.get("size")
    if not processor.get("do_resize", True) or size is None or kind.startswith(_OTHER_RULES):
        return None
    shortest = size.get("shortest_edge") if isinstance(size, Mapping) else None
    side = shortest if shortest is not None else _square(size)
    cut = _square(processor.get("crop_size")) if processor.get("do_center_crop") else None
    if type(side) is not int:
        return None
    resize, squash, result = side, shortest is None, cut or side
    if kind.startswith("ConvNext"):
        resize, squash, result = _of_convnext(side, processor.get("crop_pct"))
    elif kind.startswith("Levit"):
        # Of LevitImageProcessor: the shortest side is larger by 256/224.
        resize, squash = int(256 / 224 * side), False
    if resize < result:
        return None
    return Preprocessing(
        size=result,
        resize=resize,
        squash=squash,
        interpolation=_resampling(processor.get("resample")),
        said_by="transformers' preprocessor_config.json",
    )


def of_torchvision(transforms: Any) -> Preprocessing | None:
    """What the transforms of torchvision's published weights do."""
    resize, size = getattr(transforms, "resize_size", None), getattr(transforms, "crop_size", None)
    if resize is None or size is None or resize[0] < size[0]:
        return None
    return Preprocessing(
        size=size[0],
        resize=resize[0],
        interpolation=_known(transforms.interpolation.value),
        said_by="the transforms of torchvision's weights",
    )


def _of_convnext(side: int, part: Any) -> tuple[int, bool, int]:
    """Resize, squash and size, as ConvNextImageProcessor has them, which ResNets use, too."""
    if side >= 384:
        return side, True, side
    return int(side / (part or USUAL_CROP)), False, side


def _square(size: Any) -> int | None:
    """The side of `224`, `[3, 224, 224]`, `[224, 224]` or `{height, width}`; None for others."""
    if isinstance(size, Mapping):
        size = [size.get("height"), size.get("width")]
    sides = [size] if type(size) is int else list(size or ())[-2:]
    same = len(set(sides)) == 1 and type(sides[0]) is int
    return sides[0] if same else None


def _known(interpolation: Any) -> str:
    """timm names `random` and torchvision `nearest-exact`, too; bilinear is both their default."""
    known = ("nearest", "bilinear", "bicubic", "lanczos", "box", "hamming")
    return interpolation if interpolation in known else "bilinear"


def _resampling(number: Any) -> str:
    return _RESAMPLING[number] if number in range(len(_RESAMPLING)) else "bilinear"
