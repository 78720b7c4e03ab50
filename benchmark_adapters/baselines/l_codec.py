"""L-CODEC: a Newton step for each forgotten sample, on the units that its loss depends on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from typing_extensions import Self

from benchmark_adapters.baselines.codec import foci
from benchmark_adapters.baselines.network_units import (
    Unit,
    flat,
    load,
    put,
    rows_of,
    trainable,
    unit_means,
)
from benchmark_adapters.baselines.newton_removal import Curvature, RankOne, removal_step
from suli_plugin.batch_norm import evaluation_mode
from suli_plugin.divergence import Diverged
from suli_plugin.hyperparameters import bounds
from suli_plugin.images import Batch, ImageSet
from suli_plugin.rounds import cross_entropy
from suli_plugin.session import Session
from suli_plugin.unlearner import Resource, Scope, Unlearner

# Smoothness and Lipschitz constant that the source assumes for cross-entropy, and its step for
# the finite difference of a sample's gradient.
SMOOTH, LIPSCHITZ, PROBE = 0.25, 1.0, 1e-3
BATCH = 250


@dataclass(frozen=True, kw_only=True)
class LCodec(Unlearner):
    """w + (H + damping I)^-1 g / (n - 1) on a few weights, then noise; sample after sample.

    A reconstruction from the public code and the slides that are in it, without the paper's text.

    Of a sample, `perturbations` noisy copies (deviation `noise`) are run once; FOCI selects the
    units (rows of linear layers, filters of convolutions) whose mean activations decide the loss
    of the copies, at most `max_units`, no limit in the source. g is the sample's gradient in
    their weights, and H = (n H_D - H_z) / (n - 1), the Hessian without the sample: H_D from
    parameters and gradients at the end of the last two epochs of training, H_z from the sample's
    gradient before and after a step of SGD (1e-3). n: of training samples. A removal after which
    the accuracy on the reference set is lower by more than `max_drop` is undone, and the sample
    stays; None reads no reference set. A class is removed sample by sample.

    epsilon, delta: of the certificate of Sekhari et al., whose noise on the selected weights has
    the deviation 2 M L^2 / (n^2 damping^3 epsilon) sqrt(2 log(1.25 / delta)) with M 1/4, L 1. It is
    .006 for 50,000 samples and 120 for 359, which no network survives; None adds none.
    curvature: `secant` is dg dg' / dg'dw, the rank-one matrix that maps the step to the change of
    the gradient (0 where it is no positive curvature). `outer`, the public code's, divides by the
    L1 norm of dw instead, for which there is no derivation. Either has rank one, so that the step
    is found in time and memory linear in the number of weights, where the code solves a matrix of
    their square. Evaluation mode throughout, as in effect in the code: BatchNorm does not move.

    Not repeated of the code: a second sample gradient that is read from the first (H_z was 0), and
    gradients under a layer's printed form, where layers of one shape overwrite each other.
    Where no unit decides the loss, none is changed, as FOCI says; the code takes one all the same.
    """

    name: ClassVar[str] = "l_codec"
    paper: ClassVar[str] = (
        "Mehta et al., Deep Unlearning via Randomized Conditionally Independent Hessians, CVPR 2022"
    )
    bibtex: ClassVar[str] = """@inproceedings{mehta2022deep,
  title = {Deep Unlearning via Randomized Conditionally Independent Hessians},
  author = {Mehta, Ronak and Pal, Sourav and Singh, Vikas and Ravi, Sathya N.},
  booktitle = {IEEE/CVF Conference on Computer Vision and Pattern Recognition},
  year = {2022}
}"""
    needs: ClassVar[dict[Scope, frozenset[Resource]]] = {
        "class-wise": frozenset({"forget", "last_epochs", "reference"}),
        "instance-wise": frozenset({"forget", "last_epochs", "reference"}),
    }
    zero_steps: ClassVar[dict[str, int]] = {"max_units": 0}
    search_space: ClassVar[Mapping[str, Sequence[Any]]] = {
        "damping": (1e-4, 1e-3, 1e-2, 1e-1),
        "noise": (0.03, 0.1, 0.3),
        "max_units": (4, 16, 64),
        "curvature": ("secant", "outer"),
    }

    perturbations: int = field(default=1000, metadata=bounds(at_least=2))
    noise: float = field(default=0.1, metadata=bounds(above=0))
    max_units: int = field(default=64, metadata=bounds(at_least=0))
    damping: float = field(default=0.01, metadata=bounds(above=0))
    epsilon: float | None = field(default=0.1, metadata=bounds(above=0))
    delta: float = field(default=0.01, metadata=bounds(above=0, below=1))
    curvature: Curvature = "secant"
    max_drop: float | None = field(default=0.05, metadata=bounds(at_least=0))

    def resources(self, scope: Scope) -> frozenset[Resource]:
        """See `Unlearner.resources`."""
        needed = self.needs[scope]
        return needed - {"reference"} if self.max_drop is None else needed

    def unlearn(self, model: nn.Module, session: Session) -> nn.Module:
        """See `Unlearner.unlearn`."""
        accuracy = self._accuracy(model, session)
        units, reverted = 0, 0
        for position in range(len(session.forget)):
            image = session.forget.subset([position])
            chosen = self._units(model, image, session)
            units += len(chosen)
            before = {name: value.detach().clone() for name, value in trainable(model).items()}
            if chosen:
                with session.update_clock.running():
                    self._remove(model, chosen, image, session)
            after = self._after(model, session) if chosen else accuracy
            if self.max_drop is not None and accuracy - after > self.max_drop:
                load(model, before)
                reverted += 1
            else:
                accuracy = after
        session.notes.update(
            reverted=reverted,
            units_a_sample=units / len(session.forget),
            deviation=self.deviation(session.last_epochs.count),
        )
        session.stop_reason = "all samples done"
        return model

    def _accuracy(self, model: nn.Module, session: Session) -> float:
        if self.max_drop is None:
            return 0.0
        return session.predict(model, session.reference).accuracy()

    def _after(self, model: nn.Module, session: Session) -> float:
        try:
            return self._accuracy(model, session)
        except Diverged:
            # Noise on the weights of a network that a removal has inflated: undone as a drop is.
            return -math.inf

    def _units(self, model: nn.Module, image: ImageSet, session: Session) -> list[Unit]:
        """The units that the loss of noisy copies of the image depends on."""
        if not self.max_units:
            return []
        session.passes.add({"synthetic": self.perturbations})
        batch = image.batch(torch.tensor([0]), session.device)
        names, means, losses = list[Unit](), list[Tensor](), list[Tensor]()
        for size in [len(part) for part in torch.arange(self.perturbations).split(BATCH)]:
            drawn = torch.randn(size, *batch.images.shape[1:], generator=session.generator)
            copies = batch.images + self.noise * drawn.to(session.device)
            labels = batch.labels.expand(size)
            with evaluation_mode(model), unit_means(model) as seen:
                noisy = Batch(copies, labels, torch.zeros(size, dtype=torch.int64), "synthetic")
                losses.append(cross_entropy(session.forward(model, noisy), noisy))
            names = [(layer, row) for layer, of in seen.items() for row in range(of.shape[1])]
            means.append(torch.cat(list(seen.values()), 1))
        chosen = foci(
            torch.cat(means), torch.cat(losses), limit=self.max_units, generator=session.generator
        )
        return [names[column] for column in chosen]

    def _remove(
        self, model: nn.Module, units: list[Unit], image: ImageSet, session: Session
    ) -> None:
        weights, rows = trainable(model), rows_of(units, trainable(model))
        gradients = _gradients(model, image, session)
        old, gradient = flat(weights, rows), flat(gradients, rows)
        kept = {name: value.detach().clone() for name, value in weights.items()}
        load(model, {name: value - PROBE * gradients[name] for name, value in kept.items()})
        probed, moved = flat(_gradients(model, image, session), rows), flat(weights, rows)
        load(model, kept)
        last, before = session.last_epochs.last, session.last_epochs.before_last
        step = removal_step(
            gradient,
            RankOne.between(
                (flat(last.gradients, rows) - flat(before.gradients, rows)).to(old.device),
                (flat(last.parameters, rows) - flat(before.parameters, rows)).to(old.device),
                self.curvature,
            ),
            RankOne.between(probed - gradient, moved - old, self.curvature),
            count=session.last_epochs.count,
            damping=self.damping,
        )
        drawn = torch.randn(len(old), generator=session.generator).to(old.device)
        noise = self.deviation(session.last_epochs.count) * drawn
        put(weights, rows, old + step.to(old) + noise)

    def deviation(self, count: int) -> float:
        """Of the noise on selected weights, for so many training samples."""
        if self.epsilon is None:
            return 0.0
        gamma = 2 * SMOOTH * LIPSCHITZ**2 / (count**2 * self.damping**3)
        return gamma / self.epsilon * math.sqrt(2 * math.log(1.25 / self.delta))

    @classmethod
    def preset_official(cls, scope: Scope) -> Self:
        """The public code's settings (vsingh-group/LCODEC-deep-unlearning at 1d4873e).

        Its script for CIFAR-10: 1,000 copies, damping .01, epsilon .1, delta .01, its rank-one
        matrix over the L1 norm; more units than 64 are not selected here.
        """
        return cls(curvature="outer")


def _gradients(model: nn.Module, image: ImageSet, session: Session) -> dict[str, Tensor]:
    """Of the image's loss, by the parameter's name."""
    [(found, _)] = session.gradients(model, image, cross_entropy, batch_size=1)
    return dict(zip(trainable(model), found, strict=True))
