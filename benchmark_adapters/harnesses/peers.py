"""A harness's own methods as unlearners of ours, so that a table can hold a peer's implementation.

The loop is theirs: no stop rule, no BatchNorm policy and no history of ours, and one process. What
their models forward and backward is counted as ours is (`counted_passes`).
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

from benchmark_adapters.harnesses.counted_passes import (
    count_passes,
    of_kind,
    with_kinds,
    without_hook,
)
from suli_plugin.batch_norm import evaluation_mode
from suli_plugin.hyperparameters import bounds
from suli_plugin.images import ImageSet, Kind
from suli_plugin.session import Session
from suli_plugin.unlearner import Resource, Scope, Unlearner

SETS: tuple[Kind, ...] = ("forget", "retain")
Row = Callable[[Tensor, int], tuple[Any, ...]]


@dataclass(frozen=True, kw_only=True)
class PeerMethod(Unlearner):
    """A method of another harness, by its own code.

    there: what it is called there. batch_size: of the loaders that it is given.
    """

    there: ClassVar[str]
    peer: ClassVar[bool] = True

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
            outputs = _outputs(model, session)
            hook = count_passes(model, session)
            return without_hook(self._theirs(model, session, outputs), hook)

    @abstractmethod
    def _theirs(self, model: nn.Module, session: Session, outputs: int) -> nn.Module:
        """Run their code on `model`, which tells `outputs` classes apart; return the unlearned."""

    def loader(
        self, session: Session, images: ImageSet, row: Row, *, shuffle: bool = True
    ) -> DataLoader[Any]:
        """A loader of the form that they expect, over all images, the last batch included."""
        return DataLoader(
            PeerRows(session, images, row),
            self.batch_size,
            shuffle=shuffle,
            collate_fn=with_kinds,
            generator=session.generator if shuffle else None,
        )


def peer_method(
    base: type[PeerMethod],
    name: str,
    there: str,
    paper: str,
    needs: Mapping[Scope, frozenset[Resource]],
    **defaults: float | None,
) -> type[PeerMethod]:
    """The unlearner of one method. defaults: its hyper-parameters there, with their defaults.

    None is a number that the harness chooses.
    """
    fields = [
        (key, type(value) if value is not None else "float | None", field(default=value))
        for key, value in defaults.items()
    ]
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


class PeerRows(Dataset[tuple[Any, ...]]):
    """Normalised images and labels of a set in a harness's rows."""

    def __init__(self, session: Session, images: ImageSet, row: Row) -> None:
        self.session, self.images, self.row = session, images, row
        self.targets = images.labels.tolist()

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, position: int) -> tuple[Any, ...]:
        batch = self.images.batch(
            torch.tensor([position]), self.session.device, self.session.augmentation
        )
        return self.row(of_kind(batch.images[0], self.images.kind), int(batch.labels[0]))


def _outputs(model: nn.Module, session: Session) -> int:
    images = next(session.granted[kind] for kind in SETS if kind in session.granted)
    batch = images.batch(torch.tensor([0]), session.device)
    with evaluation_mode(model):
        return int(session.logits_of(model(batch.images)).shape[1])


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
