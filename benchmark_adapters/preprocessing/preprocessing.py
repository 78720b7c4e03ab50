"""`Preprocessing`: from an image of any size to the square that a network takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from math import floor
from typing import Any

INTERPOLATIONS = ("nearest", "box", "bilinear", "hamming", "bicubic", "lanczos")
# Of the shortest side, the part that stays: what torchvision and timm do unless told otherwise.
USUAL_CROP = 0.875


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """Resize, then cut the middle out: what an original's own evaluation does to an image.

    size: the side of the result, in pixels. resize: what the shortest side becomes first, the
    other in proportion; with `squash` both sides, whatever the image's shape. interpolation:
    Pillow's, antialiased. said_by: who says so, for a person.
    Raises ValueError for values that don't fit.
    """

    size: int
    resize: int
    squash: bool = False
    interpolation: str = "bilinear"
    said_by: str = ""

    def __post_init__(self) -> None:
        fit = (
            *(type(value) is int and value > 0 for value in (self.size, self.resize)),
            type(self.squash) is bool,
            self.interpolation in INTERPOLATIONS,
            isinstance(self.said_by, str),
        )
        if not all(fit) or self.resize < self.size:
            raise ValueError(
                f"preprocessing needs a size, a resize of at least that, both in pixels, and one "
                f"of the interpolations {', '.join(INTERPOLATIONS)}; got {self.as_dict()}"
            )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Preprocessing:
        """What `as_dict` gave. Raises ValueError for anything else."""
        try:
            return cls(**values)
        except TypeError:
            known = ", ".join(item.name for item in fields(cls))
            raise ValueError(f"preprocessing has the fields {known}; got {values}") from None

    def as_dict(self) -> dict[str, Any]:
        """The fields as JSON has them."""
        return asdict(self)

    def of_size(self, size: int) -> Preprocessing:
        """The same in proportion, for squares of this side."""
        return replace(self, size=size, resize=floor(self.resize * size / self.size))

    @property
    def words(self) -> str:
        """What is done, in words."""
        first = f"{'both sides' if self.squash else 'the shortest side'} to {self.resize} pixels"
        cut = f", the middle {self.size}x{self.size}" if self.cuts else ""
        return f"{first} ({self.interpolation}){cut}"

    @property
    def cuts(self) -> bool:
        """Whether something is cut off."""
        return self.size != self.resize or not self.squash

    def applied(self, image: Any) -> Any:
        """A Pillow image of mode L or RGB as one of (size, size)."""
        from PIL import Image

        wanted = self._resized(*image.size)
        if wanted != image.size:
            image = image.resize(wanted, Image.Resampling[self.interpolation.upper()])
        if wanted == (self.size, self.size):
            return image
        # The middle as torchvision rounds it.
        left, top = (round((side - self.size) / 2) for side in wanted)
        return image.crop((left, top, left + self.size, top + self.size))

    def _resized(self, width: int, height: int) -> tuple[int, int]:
        if self.squash:
            return self.resize, self.resize
        if width <= height:
            return self.resize, int(self.resize * height / width)
        return int(self.resize * width / height), self.resize


def squashed(size: int) -> Preprocessing:
    """Every image to (size, size), whatever its shape: bilinear, antialiased."""
    return Preprocessing(size=size, resize=size, squash=True, said_by="the size that was asked for")


def usual(size: int) -> Preprocessing:
    """What is done where no file of an original says how its images were made."""
    return Preprocessing(
        size=size,
        resize=floor(size / USUAL_CROP),
        said_by="no file of the original: this is the usual way",
    )
