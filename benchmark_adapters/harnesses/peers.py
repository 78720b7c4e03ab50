"""A harness's own methods as unlearners of ours, so that a table can hold a peer's implementation.

The loop is theirs: no stop rule, no BatchNorm policy and no history of ours, and one process. The
cost counts every image that their loop reads as one forward pass, which is a lower bound.
"""

from __future__ import annotations

import dataclasses
import os
import sys
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from suli_plugin.hyperparameters import bounds
from suli_plugin.images import ImageSet
from suli_plugin.session import Session
from suli_plugin.unlearner import Resource, Scope, Unlearner

Row = Callable[[Tensor, int], tuple[Any, ...]]


@dataclass(frozen=True, kw_only=True)
class PeerMethod(Unlearner):
    """A method of another harness, by its own code.

    there: what it is called there. batch_size: of the loaders that it is given.
    """

    there: ClassVar[str]

    batch_size: int = field(default=64, metadata=bounds(at_least=1))

    def unlearn(self, model: nn.Module, session: Session) -> nn.Module:
        """See `Unlearner.unlearn`."""
        if session.accelerator.num_processes > 1:
            raise ValueError(f"{self.name} runs in one process, this is one of several")
        if session.accelerator.mixed_precision != "no":
            raise ValueError(f"{self.name} runs in float32; run without mixed precision")
        session.stop_reason = "the harness's own loop ended"
        # They report by print; standard output belongs to whoever called us.
        with redirect_stdout(sys.stderr), session.update_clock.running():
            return self._theirs(model, session)

    @abstractmethod
    def _theirs(self, model: nn.Module, session: Session) -> nn.Module:
        """Run their code on `model` and return the unlearned model."""

    def loader(
        self, session: Session, images: ImageSet, row: Row, *, shuffle: bool = True
    ) -> DataLoader[Any]:
        """A loader of the form that they expect, over all images, the last batch included."""
        return DataLoader(
            CountedRows(session, images, row),
            self.batch_size,
            shuffle=shuffle,
            generator=session.generator if shuffle else None,
        )


def peer_method(
    base: type[PeerMethod],
    name: str,
    there: str,
    paper: str,
    needs: Mapping[Scope, frozenset[Resource]],
    **defaults: float,
) -> type[PeerMethod]:
    """The unlearner of one method. defaults: its hyper-parameters there, with their defaults."""
    fields = [(key, type(value), field(default=value)) for key, value in defaults.items()]
    made: type[PeerMethod] = dataclasses.make_dataclass(
        "".join(part.title() for part in name.split("_")),
        fields,
        bases=(base,),
        frozen=True,
        kw_only=True,
        namespace={
            "__doc__": f"{there}, by the harness's own code.",
            "name": name,
            "there": there,
            "paper": paper,
            "needs": dict(needs),
        },
    )
    return made


class CountedRows(Dataset[tuple[Any, ...]]):
    """Normalised images and labels of a set in a harness's rows; what is read is counted."""

    def __init__(self, session: Session, images: ImageSet, row: Row) -> None:
        self.session, self.images, self.row = session, images, row
        self.targets = images.labels.tolist()

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, position: int) -> tuple[Any, ...]:
        self.session.passes.forward[self.images.kind] += 1
        batch = self.images.batch(
            torch.tensor([position]), self.session.device, self.session.augmentation
        )
        return self.row(batch.images[0], int(batch.labels[0]))


@contextmanager
def environment(**values: str) -> Iterator[None]:
    """Set environment variables for the block."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
