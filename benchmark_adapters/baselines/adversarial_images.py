"""Adversarial images: FGSM, targeted L2-PGD, neighbours; on pixels in [0, 1], normalised inside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from suli_plugin.batch_norm import evaluation_mode
from suli_plugin.images import Batch, ImageSet
from suli_plugin.rounds import cross_entropy
from suli_plugin.session import Session

BATCH_SIZE = 256
# Both attacks use a gradient's direction only; a power of two leaves it exact and lifts the
# gradients of confident predictions out of what float16 rounds to zero.
LOSS_SCALE = 2.0**10


@dataclass(frozen=True)
class AdversarialImages:
    """images: of kind `synthetic`, under the labels attacked with, in the attacked set's order.

    predicted: the model's labels for them, int64 (N,), on the CPU. hit_rate: fraction, the
    attacks that reached what they were made for.
    """

    images: ImageSet
    predicted: Tensor
    hit_rate: float


def fgsm(
    session: Session, model: nn.Module, images: ImageSet, *, epsilon: float
) -> AdversarialImages:
    """One step of `epsilon` (pixel units, L-infinity) away from each image's label.

    A hit is a prediction that is not the label; classes that were forgotten earlier are left out
    of the predictions. Goodfellow et al., Explaining and Harnessing Adversarial Examples, ICLR
    2015, section 4. Raises ValueError for pixels outside [0, 1].
    """

    def perturb(natural: Tensor, positions: Tensor) -> Tensor:
        gradient = _gradient(session, model, images, images.labels, positions, natural)
        return (natural + epsilon * gradient.sign()).clamp(0, 1)

    made = _attacked(images, images.labels, perturb, session, model)
    before = torch.tensor(session.forgotten_before, dtype=torch.int64)
    logits = session.predict(model, made).logits.index_fill(1, before, -torch.inf)
    predicted = logits.argmax(1)
    hits = predicted != images.labels
    return AdversarialImages(made, predicted, float(hits.double().mean()))


def targeted_l2_pgd(
    session: Session,
    model: nn.Module,
    images: ImageSet,
    targets: Tensor,
    *,
    radius: float,
    step: float,
    iterations: int,
) -> AdversarialImages:
    """Projected gradient descent towards `targets` (int64 (N,)) inside an L2 ball.

    radius, step: L2 norms in pixel units over a whole image. It starts at a random image,
    projected onto the ball, as in advertorch, which L2UL uses; random numbers come from
    `session.generator`. A hit is a prediction that is the target. Madry et al., Towards Deep
    Learning Models Resistant to Adversarial Attacks, ICLR 2018, section 2.1.
    Raises ValueError for pixels outside [0, 1].
    """

    def perturb(natural: Tensor, positions: Tensor) -> Tensor:
        start = torch.rand(natural.shape, generator=session.generator)
        start = start.to(natural.device, non_blocking=True)
        adversarial = _into_ball(start, natural, radius)
        for _ in range(iterations):
            gradient = _gradient(session, model, images, targets, positions, adversarial)
            moved = (adversarial - step * gradient / _norms(gradient)).clamp(0, 1)
            # The ball last: its projection draws towards the natural image, so it stays in the box.
            adversarial = _into_ball(moved, natural, radius)
        return adversarial

    made = _attacked(images, targets, perturb, session, model)
    after = session.predict(model, made)
    return AdversarialImages(made, after.logits.argmax(1), after.accuracy())


def linf_neighbours(
    session: Session,
    model: nn.Module,
    images: ImageSet,
    targets: Tensor,
    *,
    radius: float,
    step: float,
    iterations: int,
    away: bool = False,
    random_start: bool = True,
    smoothing: float = 0.0,
) -> ImageSet:
    """One image near each: PGD towards `targets` (int64 (N,)), or away, in an L-infinity ball.

    radius, step: in pixel units. random_start: whether it starts at random in the ball or at the
    image. smoothing: each gradient is taken where uniform noise of up to so much (pixel units)
    leads, which smooths the loss that is followed. Random numbers come from `session.generator`.
    Of kind `synthetic`, under the targets. Madry et al., Towards Deep Learning Models Resistant
    to Adversarial Attacks, ICLR 2018, section 2.1.
    Raises ValueError for pixels outside [0, 1].
    """
    signed = step if away else -step

    def shifted(pixels: Tensor, largest: float) -> Tensor:
        drawn = torch.rand(pixels.shape, generator=session.generator)
        drawn = drawn.to(pixels.device, non_blocking=True)
        return (pixels + largest * (2 * drawn - 1)).clamp(0, 1)

    def perturb(natural: Tensor, positions: Tensor) -> Tensor:
        near = shifted(natural, radius) if random_start else natural
        for _ in range(iterations):
            asked = shifted(near, smoothing) if smoothing else near
            gradient = _gradient(session, model, images, targets, positions, asked)
            moved = near + signed * gradient.sign()
            near = moved.clamp(natural - radius, natural + radius).clamp(0, 1)
        return near

    return _attacked(images, targets, perturb, session, model)


def check_pixels(session: Session) -> None:
    """Raise ValueError for a forget set with pixels outside [0, 1]."""
    for positions in torch.arange(len(session.forget)).split(BATCH_SIZE):
        _in_unit_box(session.forget.pixels(positions, session.device)[0], session.method)


def _attacked(
    images: ImageSet,
    labels: Tensor,
    perturb: Callable[[Tensor, Tensor], Tensor],
    session: Session,
    model: nn.Module,
) -> ImageSet:
    parts = []
    with evaluation_mode(model):
        for positions in torch.arange(len(images)).split(BATCH_SIZE):
            pixels, _ = images.pixels(positions, session.device)
            natural = _in_unit_box(pixels, session.method)
            parts.append(_stored(perturb(natural, positions), pixels).cpu())
    return ImageSet.of_tensors(
        torch.cat(parts), labels, mean=_as_list(images.mean), std=_as_list(images.std)
    )


def _gradient(
    session: Session,
    model: nn.Module,
    images: ImageSet,
    labels: Tensor,
    positions: Tensor,
    pixels: Tensor,
) -> Tensor:
    """Gradient of each image's cross-entropy with its label, by its pixels in [0, 1]."""
    session.passes.add({images.kind: len(pixels)}, backward=1)
    pixels = pixels.detach().requires_grad_()
    wanted = labels[positions].to(pixels.device, non_blocking=True)
    with torch.enable_grad():
        batch = Batch(images.normalised(pixels), wanted, positions, images.kind)
        loss = cross_entropy(session.forward(model, batch), batch).sum()
        (gradient,) = torch.autograd.grad(loss * LOSS_SCALE, pixels)
    return gradient


def _in_unit_box(pixels: Tensor, method: str) -> Tensor:
    unit = pixels.float() / 255 if pixels.dtype == torch.uint8 else pixels.float()
    lowest, highest = float(unit.min()), float(unit.max())
    if lowest < 0 or highest > 1:
        raise ValueError(
            f"{method} works on images whose pixels are in [0, 1] or uint8, got pixels from "
            f"{lowest:.3g} to {highest:.3g}; pass an ImageSet with mean= and std= instead of "
            f"normalised images"
        )
    return unit


def _stored(adversarial: Tensor, pixels: Tensor) -> Tensor:
    """In the natural pixels' own type: of uint8 sets a quarter of the memory of float32.

    Rounded towards the natural pixel, so that no rounding leaves the ball or the box.
    """
    if pixels.dtype != torch.uint8:
        return adversarial
    natural = pixels.float()
    return (natural + (adversarial * 255 - natural).trunc()).to(torch.uint8)


def _into_ball(images: Tensor, centres: Tensor, radius: float) -> Tensor:
    offset = images - centres
    return centres + offset * (radius / _norms(offset)).clamp(max=1)


def _norms(images: Tensor) -> Tensor:
    """L2 norm of each image, shaped to divide it, never zero."""
    norms = images.flatten(1).norm(dim=1).clamp(min=1e-12)
    return norms.view(-1, *[1] * (images.dim() - 1))


def _as_list(values: Tensor | None) -> list[float] | None:
    return None if values is None else values.flatten().tolist()
