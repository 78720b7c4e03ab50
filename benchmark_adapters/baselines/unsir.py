"""UNSIR: impair with noise that maximises the error of the forgotten class, then repair."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor, nn
from typing_extensions import Self

from benchmark_adapters.baselines.impair_repair import ImpairRepair
from suli_plugin.hyperparameters import bounds
from suli_plugin.images import ImageSet
from suli_plugin.session import Session
from suli_plugin.unlearner import Resource, Scope


@dataclass(frozen=True, kw_only=True)
class Unsir(ImpairRepair):
    """No forgotten image is seen ("zero glance"): noise stands for the class.

    1. For each forgotten class c learn one batch of `noise_images` images by `iterations` steps of
       Adam (`noise_lr`) on -CE(f(noise), c) + noise_penalty * mean |noise|^2, f frozen.
    2. Impair: `impair_epochs` over `copies` copies of each batch, labelled c, shuffled with at most
       `samples_per_class` retained images a class, CE, Adam `lr`: what led to c is overwritten.
    3. Repair: `repair_epochs` over these retained images alone, CE, Adam `repair_lr`.

    Class-wise only: there is no class to learn noise for otherwise. Which retained images are used
    is drawn from the run's seed (the public code takes the first ones). BatchNorm is in training
    mode in both steps, as in the code; noise and images share their batches. What the code does
    and we don't: it labels the noise of every class 0, and it learns the noise in training
    mode, so that the running statistics move before anything is impaired. Formulas and values are
    those of the public code.
    The cross-entropy that the noise reached is in the result's notes.
    """

    name: ClassVar[str] = "unsir"
    paper: ClassVar[str] = "Tarun et al., Fast Yet Effective Machine Unlearning, IEEE TNNLS 2023"
    bibtex: ClassVar[str] = """@article{tarun2023fast,
  title = {Fast Yet Effective Machine Unlearning},
  author = {Tarun, Ayush K. and Chundawat, Vikram S. and Mandal, Murari and Kankanhalli, Mohan},
  journal = {IEEE Transactions on Neural Networks and Learning Systems},
  doi = {10.1109/TNNLS.2023.3266233},
  year = {2023}
}"""
    needs: ClassVar[dict[Scope, frozenset[Resource]]] = {"class-wise": frozenset({"retain"})}

    samples_per_class: int = field(default=1000, metadata=bounds(at_least=1))

    def _kept(self, model: nn.Module, session: Session) -> ImageSet:
        positions = some_of_each(session.retain.labels, self.samples_per_class, session.generator)
        session.notes["retained_images"] = len(positions)
        return session.retain.subset(positions)

    def _image_shape(self, session: Session) -> tuple[int, ...]:
        return tuple(session.retain.batch(torch.tensor([0]), session.device).images.shape[1:])

    @classmethod
    def preset_official(cls, scope: Scope) -> Self:
        """The values of the public code (vikram2000b/Fast-Machine-Unlearning at 252bc92).

        256 images of noise, 40 steps of Adam 0.1, penalty 0.1; 20 copies, 1,000 images a class;
        one epoch at 0.02, one at 0.01, batches of 256. They are the defaults.
        """
        return cls()

    @classmethod
    def preset_ssd(cls, scope: Scope) -> Self:
        """The rerun by SSD's authors (if-loops/selective-synaptic-dampening at cdfdc0e).

        32 images of noise, 25 steps, 80 copies, 500 images a class; both epochs with Adam 1e-4,
        batches of 32 to impair and 128 to repair.
        """
        return cls(
            noise_images=32,
            iterations=25,
            copies=80,
            samples_per_class=500,
            lr=1e-4,
            batch_size=32,
            repair_lr=1e-4,
            repair_batch_size=128,
        )


def some_of_each(labels: Tensor, most: int, generator: torch.Generator) -> Tensor:
    """Positions of at most `most` samples of each class, drawn, class after class, int64."""
    chosen = []
    for label in labels.unique():
        positions = torch.where(labels == label)[0]
        order = torch.randperm(len(positions), generator=generator)
        chosen.append(positions[order[:most]])
    return torch.cat(chosen)
