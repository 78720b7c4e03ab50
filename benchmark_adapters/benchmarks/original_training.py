"""What the training of a benchmark's original left: made when asked for, kept beside the original.

Each record is bounded: one that would need too much room is refused before it is made.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NoReturn

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from benchmark_adapters.baselines.retrain import Retrain
from benchmark_adapters.records.provenance import state_hash, versions
from suli_plugin.compiled import compiled_by
from suli_plugin.failure import DoesNotApply
from suli_plugin.images import ImageSet
from suli_plugin.kept_tensors import cache_folder, kept_tensors
from suli_plugin.recording import ShardedTraining, Training, last_epochs_of, log_of
from suli_plugin.training_records import (
    EpochEnd,
    LastEpochs,
    Shards,
    State,
    TrainingLog,
    TrainingRecords,
)

# Of what is free on the disk of the cache, a training may take so much for one record.
DISK_SHARE = 0.5
MEMORY = 8 * 2**30
_GIB = 2**30


@dataclass(frozen=True)
class OriginalTraining:
    """The training of an original, which can be done again. seed: of its run."""

    recipe: Retrain
    train: ImageSet
    fresh_model: Callable[[], nn.Module]
    original: nn.Module
    seed: int
    accelerator: Accelerator

    def records(self, forgotten: Tensor) -> TrainingRecords:
        """What it left. forgotten: bool (N,), of the training set."""
        return TrainingRecords(
            training_log=lambda: self._log(forgotten),
            last_epochs=self._last_epochs,
            shards=lambda shards, slices: self._shards(forgotten, shards, slices),
        )

    def _log(self, forgotten: Tensor) -> TrainingLog:
        # In memory at once: the model, its state before an update, and the sum.
        self._check_room("a log of the training", disk=1, memory=4)
        which = hashlib.sha256(forgotten.numpy().tobytes()).hexdigest()[:16]
        kept = self._keep(f"log-{which}", lambda: _packed_log(log_of(self._training, forgotten)))
        sensitive, steps = kept["steps"].tolist()
        return TrainingLog(_part(kept, "change."), sensitive, steps)

    def _last_epochs(self) -> LastEpochs:
        self._check_room("parameters and gradients of two epochs", disk=4, memory=10)
        kept = self._keep("last-epochs", lambda: _packed_ends(last_epochs_of(self._training)))
        return LastEpochs(_end(kept, "before_last."), _end(kept, "last."), count=len(self.train))

    def _shards(self, forgotten: Tensor, shards: int, slices: int) -> Shards:
        what = f"the checkpoints of {shards} shards of {slices} slices"
        self._check_room(what, disk=shards * (slices + 1), memory=shards + 4)
        training = ShardedTraining(
            self.recipe,
            self.train,
            self.fresh_model,
            self.seed,
            self.accelerator,
            keep=lambda name, make: self._keep(f"shards-{name}", make),
        )
        return training.shards(forgotten, shards, slices)

    @property
    def _training(self) -> Training:
        return Training(
            self.recipe,
            self.train,
            self.fresh_model,
            self.original,
            self.seed,
            self.accelerator,
        )

    def _keep(self, name: str, make: Callable[[], State]) -> State:
        return kept_tensors(f"training-{self._key}-{name}", make, self.accelerator)

    @cached_property
    def _key(self) -> str:
        """A hash of the original and of all that made it."""
        made_of = [
            state_hash(self.original),
            self.train.content_hash(),
            self.recipe.recipe(),
            self.seed,
            self.accelerator.mixed_precision,
            self.accelerator.num_processes,
            versions()["torch"],
            *filter(None, [compiled_by(self.accelerator)]),
        ]
        return hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:32]

    def _check_room(self, what: str, *, disk: int, memory: int) -> None:
        """Raise ValueError where a record of so many models' size has no room."""
        size = sum(value.nbytes for value in self.original.state_dict().values())
        free = shutil.disk_usage(_existing(cache_folder())).free
        if size * disk > DISK_SHARE * free:
            raise ValueError(
                f"{what} would take {size * disk / _GIB:.1f} GiB of the {free / _GIB:.1f} GiB "
                f"that are free in {cache_folder()}, more than half: point SULI_CACHE elsewhere"
            )
        if size * memory > MEMORY:
            raise ValueError(
                f"{what} would need {size * memory / _GIB:.1f} GiB of memory, more than "
                f"{MEMORY / _GIB:.0f} GiB"
            )


def no_training() -> TrainingRecords:
    """What a published original brings of its training, which is nothing."""

    def missing(*asked: int) -> NoReturn:
        raise DoesNotApply(
            "the original's training, which a published original does not bring; leave out "
            "--original to train one"
        )

    return TrainingRecords(missing, missing, missing)


def _packed_log(log: TrainingLog) -> dict[str, Tensor]:
    steps = torch.tensor([log.sensitive_steps, log.steps])
    return {**{f"change.{name}": value for name, value in log.change.items()}, "steps": steps}


def _packed_ends(ends: LastEpochs) -> dict[str, Tensor]:
    return {
        f"{when}.{what}.{name}": value
        for when, end in (("before_last", ends.before_last), ("last", ends.last))
        for what, of in (("parameters", end.parameters), ("gradients", end.gradients))
        for name, value in of.items()
    }


def _end(kept: Mapping[str, Tensor], when: str) -> EpochEnd:
    return EpochEnd(_part(kept, f"{when}parameters."), _part(kept, f"{when}gradients."))


def _part(kept: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): value for name, value in kept.items() if name.startswith(prefix)
    }


def _existing(folder: Path) -> Path:
    return next(parent for parent in (folder, *folder.parents) if parent.is_dir())
