"""SISA: one network a shard, of which those that saw a forgotten sample are trained again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from torch import nn
from typing_extensions import Self

from benchmark_adapters.baselines.shard_ensemble import Aggregation, ShardEnsemble
from suli_plugin.hyperparameters import bounds
from suli_plugin.logits import logits_of
from suli_plugin.session import Session
from suli_plugin.unlearner import Resource, Scope, Unlearner


@dataclass(frozen=True, kw_only=True)
class Sisa(Unlearner):
    """Exact unlearning of a training in shards and slices: sharded, isolated, sliced, aggregated.

    The training set is cut at random into disjoint shards, each into slices. A shard's network
    learns in stages, the first r slices in stage r, of 2 e / (R + 1) epochs each where the
    original's recipe has e, and is kept before each stage. To forget, each shard that holds a
    forgotten sample goes back to before the first slice that holds one and is trained again
    without them: the same weights as if they had never been there. The other shards are kept.

    The result is no longer the original but an ensemble of as many networks, which were trained
    on less each: `skeleton` makes what its weights fit. Forgetting a class touches every shard,
    as do forgotten samples that outnumber the shards a few times; the notes count how many were
    touched. Passes and seconds are those of training again: that all shards were trained before
    is what the method costs whoever trains the original, and is in the notes, too.

    A reconstruction from the public code and notes on the paper. shards, slices: S and R; 5 shards
    are those of the code's example, 5 slices our choice. aggregation: the mean of the networks'
    probabilities, or the majority's vote, the code's default (its `softmax` can't run: a name is
    not imported).
    BatchNorm: as in the original's recipe, which trains every stage; always running statistics
    to answer, where the public code leaves its networks in training mode. Each stage has an
    optimiser, a cycle of the learning rate and random numbers of its own, which nothing needs to
    keep; the public code goes on with an optimiser and random numbers that it does not keep, so
    that it is exact for plain SGD only, and sorts samples where these are shuffled.
    """

    name: ClassVar[str] = "sisa"
    paper: ClassVar[str] = (
        "Bourtoule et al., Machine Unlearning, IEEE Symposium on Security and Privacy 2021, "
        "section IV"
    )
    bibtex: ClassVar[str] = """@inproceedings{bourtoule2021machine,
  title = {Machine Unlearning},
  author = {Bourtoule, Lucas and Chandrasekaran, Varun and Choquette-Choo, Christopher A. and
            Jia, Hengrui and Travers, Adelin and Zhang, Baiwu and Lie, David and Papernot, Nicolas},
  booktitle = {IEEE Symposium on Security and Privacy},
  pages = {141--159},
  year = {2021}
}"""
    needs: ClassVar[dict[Scope, frozenset[Resource]]] = {
        "class-wise": frozenset({"retain", "shards"}),
        "instance-wise": frozenset({"retain", "shards"}),
    }
    search_space: ClassVar[Mapping[str, Sequence[Any]]] = {
        "shards": (2, 5, 10, 20),
        "slices": (1, 2, 5, 10),
        "aggregation": ("mean", "vote"),
    }
    expected_failures: ClassVar[dict[str, str]] = {
        "frozen_parameters_stay": "its networks are new, no weight is the original's"
    }

    shards: int = field(default=5, metadata=bounds(at_least=1, at_most=64))
    slices: int = field(default=5, metadata=bounds(at_least=1, at_most=64))
    aggregation: Aggregation = "mean"

    def record(self, name: Resource, make: Callable[..., Any]) -> Any:
        """See `Unlearner.record`: so many shards of so many slices."""
        return make(self.shards, self.slices)

    def skeleton(self, fresh_model: Callable[[], nn.Module]) -> nn.Module:
        """See `Unlearner.skeleton`: a network for each shard."""
        return ShardEnsemble([fresh_model() for _ in range(self.shards)], self.aggregation)

    def check(self, session: Session) -> None:
        """See `Unlearner.check`."""
        left = int((~session.shards.forgotten).sum())
        if len(session.retain) != left:
            raise ValueError(
                f"sisa trains shards again on the retain set, the training set without what is "
                f"forgotten: {left} images, got {len(session.retain)}"
            )
        if session.logits_of is not logits_of:
            raise ValueError(
                "sisa makes a model that answers with logits; it can't do that for one whose "
                "output logits_of= takes apart"
            )

    def unlearn(self, model: nn.Module, session: Session) -> nn.Module:
        """See `Unlearner.unlearn`."""
        shards = session.shards
        affected = [shards.first_affected(shard) for shard in range(self.shards)]
        session.notes.update(
            shards_affected=sum(first is not None for first in affected),
            shards=self.shards,
            stages_again=sum(self.slices - first for first in affected if first is not None),
            stages=self.shards * self.slices,
            not_counted="the training of all stages before anything was to be forgotten",
        )
        networks = [
            _left_by(session.twin(model), shard, first, session)
            for shard, first in enumerate(affected)
        ]
        return ShardEnsemble(networks, self.aggregation)

    @classmethod
    def preset_official(cls, scope: Scope) -> Self:
        """The public code's example (cleverhans-lab/machine-unlearning at 50a3ada), both scopes.

        For Purchase: 5 shards of one slice, and the majority's vote.
        """
        return cls(shards=5, slices=1, aggregation="vote")


def _left_by(network: nn.Module, shard: int, first: int | None, session: Session) -> nn.Module:
    """A shard's network, trained again from the first slice that holds a forgotten sample."""
    shards = session.shards
    begin = shards.stages if first is None else first
    network.load_state_dict(shards.checkpoint(shard, begin))
    network.requires_grad_(True)
    for stage in range(begin, shards.stages):
        images = session.retain.subset(shards.retained(shard, stage))
        shards.fit(network, images, session, shard, stage)
    return network
