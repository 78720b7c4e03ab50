"""UNSC: runner-up labels, learnt where the retained classes' activations are (almost) zero."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer
from typing_extensions import Self

from benchmark_adapters.baselines.runner_up import runner_up_labels
from suli_plugin.batch_norm import BATCH_NORM, BatchNorm, evaluation_mode
from suli_plugin.forget_only import ForgetOnly
from suli_plugin.hyperparameters import bounds
from suli_plugin.last_layers import trained_alone
from suli_plugin.layer_inputs import Moments, input_moments
from suli_plugin.optimizers import SGD
from suli_plugin.rounds import cross_entropy
from suli_plugin.session import Session
from suli_plugin.unlearner import Resource, Scope
from suli_plugin.updates import Projection, trainable

READ_AT_ONCE = 32


@dataclass(frozen=True, kw_only=True)
class Unsc(ForgetOnly):
    """Minimise CE(forget, runner-up labels) with each layer's gradient G projected: G - G Q Q'.

    Q: an orthonormal basis of what the layer gets to see of retained images. It is extended class
    by class, in ascending order, with the fewest principal directions with which it holds this
    share of the class's activation energy: `energy` for class 0, `last_energy` for the last, in
    equal steps. Read for it is one batch of each retained class, `class_images` drawn at random:
    the method declares the retain set, and is not retain-free, though it trains on forget images
    alone. Labels are the frozen original's likeliest classes that are not forgotten. Biases,
    normalisation and weights other than of linear and 2-d convolutional layers stay as they are.

    As in the official code, which is followed where only the paper's beginning could be read;
    but every layer has all of the images (there 24 to 256), patches include padding and keep
    their stride, and the first class, too, reaches its energy (there one direction fewer). In
    its CIFAR-10 notebook the n-th of three trials uses the basis of the first n classes alone.
    BatchNorm is frozen, as there. A layer of D inputs takes up to 8 D^2 bytes for its basis and,
    for each class whose energy it does not hold yet, an eigendecomposition of D x D.
    """

    name: ClassVar[str] = "unsc"
    paper: ClassVar[str] = "Chen et al., Machine Unlearning via Null Space Calibration, IJCAI 2024"
    bibtex: ClassVar[str] = """@inproceedings{chen2024machine,
  title = {Machine Unlearning via Null Space Calibration},
  author = {Chen, Huiqiang and Zhu, Tianqing and Yu, Xin and Zhou, Wanlei},
  booktitle = {Proceedings of the Thirty-Third International Joint Conference on Artificial
    Intelligence},
  eprint = {2404.13588},
  archivePrefix = {arXiv},
  year = {2024}
}"""
    needs: ClassVar[dict[Scope, frozenset[Resource]]] = {
        "class-wise": frozenset({"forget", "retain"})
    }
    search_space: ClassVar[Mapping[str, Sequence[Any]]] = {
        "lr": (1e-3, 4e-3, 1e-2, 4e-2, 0.1),
        "batch_norm": BATCH_NORM,
        "energy": (0.9, 0.97, 0.99),
    }

    epochs: int = field(default=25, metadata=bounds(at_least=0))
    batch_size: int = field(default=512, metadata=bounds(at_least=1))
    lr: float = field(default=0.04, metadata=bounds(at_least=0))
    class_images: int = field(default=256, metadata=bounds(at_least=1))
    energy: float = field(default=0.97, metadata=bounds(at_least=0, at_most=1))
    last_energy: float = field(default=0.997, metadata=bounds(at_least=0, at_most=1))
    batch_norm: BatchNorm = "frozen"

    def unlearn(self, model: nn.Module, session: Session) -> nn.Module:
        """See `Unlearner.unlearn`."""
        before = session.predict(model, session.forget)
        labels = runner_up_labels(before.logits, before.labels, session.forbidden_classes)
        outputs = before.logits.shape[1]
        session.notes["label_counts"] = torch.bincount(labels, minlength=outputs).tolist()
        bases = self._bases(model, outputs, session)
        with trained_alone(bases, model):
            weights = trainable(model)
            session.notes["free_share"] = [_free_share(bases[weight]) for weight in weights]
            session.train(
                model,
                session.epochs(
                    session.forget.relabelled(labels),
                    cross_entropy,
                    epochs=self.epochs,
                    batch_size=self.batch_size,
                ),
                self._optimizer,
                batch_norm=self.batch_norm,
                projections=[_off_space(bases[weight].to(weight)) for weight in weights],
                stop=session.stop_rule(model, self.stop, before=before),
            )
        return model

    def _bases(
        self, model: nn.Module, outputs: int, session: Session
    ) -> dict[nn.Parameter, Tensor]:
        """Q of each weight, float64 (D, R) on the device, after the last retained class."""
        bases: dict[nn.Parameter, Tensor] = {}
        for label, positions in _images_by_class(self.class_images, session):
            step = (self.last_energy - self.energy) / max(1, outputs - 1)
            for weight, moment in _moments(model, positions, session).items():
                wanted = self.energy + step * label
                bases[weight] = extended_basis(bases.get(weight), moment.double(), wanted)
        return bases

    def _optimizer(self, parameters: list[nn.Parameter]) -> Optimizer:
        return SGD(parameters, lr=self.lr)

    @classmethod
    def preset_official(cls, scope: Scope) -> Self:
        """The released notebook's settings for an All-CNN on CIFAR-10, class-wise.

        HQC-ML/UNSC at 661cbd3: SGD 0.04, 25 epochs, batches of 512, energies 0.97 + 0.003 c; the
        defaults, without a stop rule.
        """
        return cls(stop="never")


def extended_basis(basis: Tensor | None, moment: Tensor, energy: float) -> Tensor:
    """The basis (D, Q) and the fewest directions (D, R) with which it holds so much energy.

    moment: the second moment of some inputs, float64 (D, D), whose trace is their energy. What is
    added is orthonormal and orthogonal to the basis: the first principal directions of what the
    basis leaves of the inputs. Saha et al., Gradient Projection Memory, ICLR 2021, section 4.
    """
    held = moment.new_zeros(len(moment), 0) if basis is None else basis
    missing = energy * moment.trace() - ((moment @ held) * held).sum()
    if missing <= 0:
        return held
    outside = torch.eye(len(moment)).to(moment) - held @ held.T
    values, vectors = torch.linalg.eigh(outside @ moment @ outside)
    reached = values.flip(0).cumsum(0)
    count = min(int((reached < missing).sum()) + 1, len(moment) - held.shape[1])
    return torch.cat([held, vectors.flip(1)[:, :count]], 1)


def _images_by_class(count: int, session: Session) -> Iterator[tuple[int, Tensor]]:
    """Each retained class in ascending order, and so many positions of it, drawn at random."""
    order = torch.randperm(len(session.retain), generator=session.generator)
    labels = session.retain.labels[order]
    for label in sorted(set(labels.unique().tolist()) - set(session.forbidden_classes)):
        yield label, order[labels == label][:count]


def _moments(model: nn.Module, positions: Tensor, session: Session) -> Moments:
    """Of what the layers get to see of these retained images; the same on all processes."""
    session.passes.add(session.retain.kinds(positions))
    with evaluation_mode(model), input_moments(model) as moments:
        for part in positions.split(READ_AT_ONCE):
            session.forward(model, session.retain.batch(part, session.device))
    return moments


def _off_space(basis: Tensor) -> Projection:
    def project(gradient: Tensor) -> Tensor:
        rows = gradient.flatten(1)
        return (rows - rows @ basis @ basis.T).view_as(gradient)

    return project


def _free_share(basis: Tensor) -> float:
    return 1 - basis.shape[1] / basis.shape[0]
