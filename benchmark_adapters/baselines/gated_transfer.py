"""One round of GKT: a generator's step against the student, then the student's own."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import Self

from benchmark_adapters.baselines.attention import attention_distance, attention_maps
from benchmark_adapters.baselines.pseudo_images import PseudoImages
from suli_plugin.batch_norm import training_mode
from suli_plugin.images import Batch
from suli_plugin.optimizers import Adam
from suli_plugin.session import Session
from suli_plugin.updates import trainable

# After so many rounds without an image the generator is lost; the source's number.
EMPTY_IN_A_ROW = 100


class GatedTransfer:
    """The three networks of GKT, within a block that hooks the student's and teacher's attention.

    method: a `Gkt`, for its hyper-parameters. The teacher must be in evaluation mode and without
    gradients, the student in training mode.
    """

    def __init__(
        self, method: Any, teacher: nn.Module, student: nn.Module, session: Session
    ) -> None:
        self.method, self.teacher, self.student = method, teacher, student
        self.session = session
        self.student_optimizer = Adam(trainable(student), lr=method.lr)
        self.made = self.passed = self.empty = self.empty_in_a_row = self.restarts = 0
        self._new_generator()

    def __enter__(self) -> Self:
        self._hooks = ExitStack()
        self._own = self._hooks.enter_context(attention_maps(self.student))
        self._taught = self._hooks.enter_context(attention_maps(self.teacher))
        return self

    def __exit__(self, *error: Any) -> None:
        self._hooks.close()

    def notes(self) -> dict[str, Any]:
        """JSON-able: the fraction of images let through, rounds without one, new generators."""
        return {
            "gate_passed": self.passed / max(self.made, 1),
            "empty_rounds": self.empty,
            "generator_restarts": self.restarts,
        }

    def round(self) -> list[float]:
        """All steps on the images of new codes; the student's losses, none if nothing passes."""
        size = (self.method.batch_size, self.method.code_size)
        drawn = torch.randn(size, generator=self.session.generator)
        codes = drawn.to(self.session.device, non_blocking=True)
        with training_mode(self.generator, "update"):
            losses = self._student_steps(codes) if self._generator_step(codes) else []
        if losses:
            self.empty_in_a_row = 0
        else:
            self._count_empty()
        return losses

    def _generator_step(self, codes: Tensor) -> bool:
        """One step up the divergence; False where nothing passes the gate."""
        with torch.enable_grad():
            images, taught, _ = self._gated(codes)
            if len(images) == 0:
                return False

            def loss() -> Tensor:
                return -self._divergence(taught, self._logits(self.student, images))

            self._steps(self.generator, self.generator_optimizer, loss, 1)
        # The gradient came through the teacher, too.
        self.session.passes.add({"synthetic": len(images)}, forward=0, backward=1)
        # What the student attended to here is nobody's lesson.
        self._own()
        return True

    def _student_steps(self, codes: Tensor) -> list[float]:
        images, taught, maps = self._gated(codes)
        if len(images) == 0:
            return []

        def loss() -> Tensor:
            loss = self._divergence(taught, self._logits(self.student, images))
            own = self._own()
            if self.method.attention_weight:
                loss = loss + self.method.attention_weight * attention_distance(own, maps)
            return loss

        with torch.enable_grad():
            count = self.method.student_steps
            return self._steps(self.student, self.student_optimizer, loss, count)

    def _gated(self, codes: Tensor) -> tuple[Tensor, Tensor, list[Tensor]]:
        """The images let through, with the teacher's logits and attention maps for them."""
        with self.session.update_clock.running():
            images = self.generator(codes)
            taught = self._logits(self.teacher, images)
            let_through = passes(taught, self.session.forbidden_classes, self.method.threshold)
        self.made += len(images)
        self.passed += int(let_through.sum())
        maps = [each[let_through] for each in self._taught()]
        return images[let_through], taught[let_through], maps

    def _logits(self, network: nn.Module, images: Tensor) -> Tensor:
        positions = torch.arange(len(images))
        labels = torch.zeros(len(images), dtype=torch.int64, device=images.device)
        self.session.passes.add({"synthetic": len(images)}, backward=int(network is self.student))
        return self.session.forward(network, Batch(images, labels, positions, "synthetic"))

    def _divergence(self, taught: Tensor, logits: Tensor) -> Tensor:
        """KL(teacher || student), mean over samples, or over all elements as the code has it."""
        target = (taught / self.method.temperature).log_softmax(1)
        own = (logits / self.method.temperature).log_softmax(1)
        mean = (target.exp() * (target - own)).sum(1).mean()
        return mean / logits.shape[1] if self.method.kl_mean == "elements" else mean

    def _steps(self, network: nn.Module, optimizer: Adam, loss: Any, count: int) -> list[float]:
        clipping = self.method.max_grad_norm
        return self.session.steps(network, optimizer, loss, count=count, max_grad_norm=clipping)

    def _count_empty(self) -> None:
        self.empty += 1
        self.empty_in_a_row += 1
        if self.empty_in_a_row >= EMPTY_IN_A_ROW:
            self.restarts, self.empty_in_a_row = self.restarts + 1, 0
            self._new_generator()

    def _new_generator(self) -> None:
        made = PseudoImages(self.method.code_size, self.session.image_shape)
        self.generator = made.to(self.session.device)
        self.generator_optimizer = Adam(self.generator.parameters(), lr=self.method.generator_lr)


def passes(logits: Tensor, forgotten: tuple[int, ...], threshold: float) -> Tensor:
    """Which of the images with these logits (B, K) the gate lets through, bool (B,).

    Those whose probability of each forgotten class is at most the threshold.
    """
    return (logits.detach().softmax(1)[:, list(forgotten)] <= threshold).all(1)
