"""How far an attack must go on this network and these images to be one."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmark_adapters.baselines.adversarial_images import linf_neighbours
from suli_plugin.images import ImageSet
from suli_plugin.session import Session

# A grey level and its doublings: images differ by more than the factor 2 in what it takes.
RADII = tuple(2.0**power / 255 for power in range(7))
_ASKED = 256


def least_radius(
    session: Session,
    model: nn.Module,
    images: ImageSet,
    targets: Tensor,
    *,
    iterations: int,
    hits: float = 0.9,
) -> float:
    """The first of `RADII` (pixel units, L-infinity) at which that part of attacks hits its target.

    targets: int64 (N,). iterations: of a third of the radius each, from the image itself. Asked on
    256 images at most, spread evenly. The one with most hits where none has so many.
    """
    asked = torch.linspace(0, len(images) - 1, min(_ASKED, len(images))).round().long()
    some, wanted = images.subset(asked), targets[asked]
    found: dict[float, float] = {}
    for radius in RADII:
        near = linf_neighbours(
            session,
            model,
            some,
            wanted,
            radius=radius,
            step=radius / 3,
            iterations=iterations,
            random_start=False,
        )
        found[radius] = session.predict(model, near).accuracy()
        if found[radius] >= hits:
            break
    return max(found, key=lambda radius: found[radius])
