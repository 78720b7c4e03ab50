"""Make what only training can leave, by training again: a log, the last epochs, shards."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from suli_plugin.images import ImageSet
from suli_plugin.randomness import seeded
from suli_plugin.request import ForgetRequest
from suli_plugin.rounds import Term, cross_entropy
from suli_plugin.runner import run
from suli_plugin.training import Trainer
from suli_plugin.training_records import EpochEnd, LastEpochs, Recipe, Shards, State, TrainingLog
from suli_plugin.unlearner import Unlearner

Keep = Callable[[str, Callable[[], State]], State]
"""`(name, make) -> state`: what `make` gives, or what was kept of it under that name."""


@dataclass(frozen=True)
class Training:
    """A training that can be done again.

    recipe: trains what `fresh_model` makes on the retain set. seed: of the run. original: what
    came out of it, to see that it is the same training.
    """

    recipe: Unlearner
    train: ImageSet
    fresh_model: Callable[[], nn.Module]
    original: nn.Module
    seed: int
    accelerator: Accelerator

    def again(
        self,
        watch: Callable[[nn.Module, Sequence[Term]], Iterator[None]],
        progress: Callable[[nn.Module], None] = lambda model: None,
    ) -> None:
        """Train once more. watch: a generator that is resumed after the update it was made for.

        progress: told the model after each epoch. Raises ValueError if other weights come out.
        """
        made: list[nn.Module] = []

        def fresh() -> nn.Module:
            made.append(self.fresh_model())
            return made[-1]

        trained = run(
            self.recipe,
            self.original,
            ForgetRequest(retain=self.train, fresh_model=fresh),
            accelerator=self.accelerator,
            seed=self.seed,
            watch=lambda terms: contextmanager(watch)(made[-1], terms),
            progress=lambda entry: progress(made[-1]),
        ).model
        self._demand_the_same(trained.state_dict())

    def _demand_the_same(self, found: Mapping[str, Tensor]) -> None:
        wanted = self.original.state_dict()
        apart = [key for key in wanted if not torch.equal(found[key].cpu(), wanted[key].cpu())]
        if apart:
            raise ValueError(
                f"the original's training can't be done again bit by bit here (other values in "
                f"{apart[0]} and {len(apart) - 1} more): a record of another training is none"
            )


def log_of(training: Training, forgotten: Tensor) -> TrainingLog:
    """What the updates changed that saw a forgotten sample. forgotten: bool (N,)."""
    log = _RunningSum(forgotten)
    training.again(log.watch)
    change = {name: value.cpu() for name, value in log.change.items()}
    if not change:
        change = {k: torch.zeros_like(v) for k, v in _floating(training.original).items()}
    return TrainingLog(change, log.sensitive_steps, log.steps)


class _RunningSum:
    def __init__(self, forgotten: Tensor) -> None:
        self.forgotten, self.change = forgotten, dict[str, Tensor]()
        self.steps = self.sensitive_steps = 0

    def watch(self, model: nn.Module, terms: Sequence[Term]) -> Iterator[None]:
        self.steps += 1
        if not any(bool(self.forgotten[term.positions].any()) for term in terms):
            yield
            return
        self.sensitive_steps += 1
        before = {name: value.clone() for name, value in _floating(model).items()}
        yield
        for name, value in _floating(model).items():
            moved = value - before[name]
            self.change[name] = self.change[name] + moved if name in self.change else moved


def last_epochs_of(training: Training) -> LastEpochs:
    """How the last two epochs ended. Raises ValueError for a training of fewer."""
    ends = deque[State](maxlen=2)
    training.again(_unwatched, lambda model: ends.append(_on_cpu(model.state_dict())))
    if len(ends) < 2:
        raise ValueError("the original was trained for one epoch, and its last two are needed")
    before_last, last = (_end_of(training, state) for state in ends)
    return LastEpochs(before_last, last, len(training.train))


def _unwatched(model: nn.Module, terms: Sequence[Term]) -> Iterator[None]:
    yield


def _end_of(training: Training, state: State) -> EpochEnd:
    with seeded(training.seed, training.accelerator.device):
        model = training.fresh_model().to(training.accelerator.device)
    model.load_state_dict(state)
    named = [(name, value) for name, value in model.named_parameters() if value.requires_grad]
    total = [torch.zeros_like(value) for _, value in named]
    trainer = Trainer(accelerator=training.accelerator)
    for gradients, count in trainer.gradients(model, training.train, cross_entropy, batch_size=256):
        for sum_, gradient in zip(total, gradients, strict=True):
            sum_.add_(gradient, alpha=count / len(training.train))
    whole = {name: sum_.cpu() for (name, _), sum_ in zip(named, total, strict=True)}
    return EpochEnd({name: state[name] for name in whole}, whole)


@dataclass(frozen=True)
class ShardedTraining:
    """Trains shards by slices; each stage's end is kept, and made when it is first asked for."""

    recipe: Recipe
    train: ImageSet
    fresh_model: Callable[[], nn.Module]
    seed: int
    accelerator: Accelerator
    keep: Keep

    def shards(self, forgotten: Tensor, shards: int, slices: int) -> Shards:
        """The training in so many shards of so many slices each, drawn by the seed.

        forgotten: bool (N,). Raises ValueError for more slices than there are samples.
        """
        if shards * slices > len(self.train):
            raise ValueError(
                f"{shards} shards of {slices} slices need as many training samples at least, "
                f"got {len(self.train)}"
            )
        draw = torch.Generator().manual_seed(self.seed)
        order = torch.randperm(len(self.train), generator=draw)
        parts = tuple(tuple(part.tensor_split(slices)) for part in order.tensor_split(shards))
        # Nothing is forgotten while the shards are trained.
        whole = Shards(self.recipe, parts, torch.zeros_like(forgotten), _none, self.seed)
        checkpoint = partial(self._checkpoint, whole)
        for shard in range(shards):
            checkpoint(shard, slices)
        return Shards(self.recipe, parts, forgotten, checkpoint, self.seed)

    def _checkpoint(self, shards: Shards, shard: int, stage: int) -> State:
        name = f"{len(shards.slices)}-{shards.stages}-{shard}-{stage}"
        return self.keep(name, lambda: self._trained(shards, shard, stage))

    def _trained(self, shards: Shards, shard: int, stage: int) -> State:
        device = self.accelerator.device
        with seeded(self.seed + 1_000 * shard, device):
            model = self.fresh_model().to(device)
            if stage:
                model.load_state_dict(self._checkpoint(shards, shard, stage - 1))
                images = self.train.subset(shards.positions(shard, stage - 1))
                shards.fit(model, images, Trainer(accelerator=self.accelerator), shard, stage - 1)
        return _on_cpu(model.state_dict())


def _none(shard: int, stage: int) -> State:
    raise LookupError("shards in training have no checkpoint to be asked for")


def _floating(model: nn.Module) -> dict[str, Tensor]:
    return {k: v.detach() for k, v in model.state_dict().items() if v.is_floating_point()}


def _on_cpu(state: Mapping[str, Tensor]) -> State:
    return {name: value.detach().cpu().clone() for name, value in state.items()}
