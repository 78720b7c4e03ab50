"""Whether data and original belong together: what the original knows of them, before anything.

An original that answers the forget set as if by chance has nothing to forget there: labels that
count from 1, classes in another order, another normalisation or size. To unlearn from it would
end at once, and the outcome would be called forgetting.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from benchmark_adapters.deletion.forgotten_before import NOTHING, ForgottenBefore
from benchmark_adapters.metrics.accuracy import part
from benchmark_adapters.metrics.scoring import of_classes
from suli_plugin.evaluation import Predictions
from suli_plugin.failure import Failure

# Of what lies between guessing and no error: less than the first is near chance; with the second
# a modest original answers, which would give as few right answers by bad luck once in a hundred.
NEAR, MODEST, BAD_LUCK = 0.1, 0.5, 0.01
# From so many on, a modest original never comes near chance.
_MANY = 500
_ALIKE = 0.8
_CHECK = (
    "check the order of the classes (--class-names), that labels count from 0, the normalisation "
    "(--mean, --std) and the size of the images (--image-size)"
)


def near_chance(right: int, count: int, outputs: int) -> bool:
    """Whether so few right answers, of `count`, look like guessing among so many outputs.

    A handful of samples proves nothing: it takes as many as a modest original (halfway between
    guessing and no error) would hardly ever answer so badly.
    """
    chance = 1 / outputs
    if right >= (chance + NEAR * (1 - chance)) * count:
        return False
    return count > _MANY or _at_most(right, count, chance + MODEST * (1 - chance)) < BAD_LUCK


def check_belonging(
    predictions: Mapping[str, Predictions],
    forget_classes: Sequence[int],
    *,
    original: str,
    outputs: Sequence[str] | Sequence[int],
    before: ForgottenBefore = NOTHING,
) -> None:
    """Raise Failure where the original's answers to the data look like guessing.

    predictions: the original's, of `forget` and of whichever other sets there are, by their
    names. forget_classes: the forgotten ones, none if instance-wise. original: its name.
    outputs: what messages call each output. before: what the original was made to forget, of which
    it need not know classes that are forgotten once more; and what may have ruined it. A forget set
    that is hardly known is no reason while another set shows that the two belong together, unless
    the order of the classes explains it.
    """
    known = _Known(original, outputs, before)
    kept = {
        name: part(found, ~of_classes(found.labels, forget_classes))
        for name, found in predictions.items()
        if name != "forget"
    }
    kept = {name: found for name, found in kept.items() if len(found.labels)}
    for name, found in kept.items():
        known.refuse_chance(name, found)
    once_more = set(forget_classes) & set(before.classes)
    for forgotten in _by_class(predictions["forget"], forget_classes):
        if int(forgotten.labels[0]) in once_more:
            continue
        if not kept:
            known.refuse_chance("forget", forgotten, alone=True)
        for found in kept.values():
            known.refuse_exchange(forgotten, found)


@dataclass(frozen=True)
class _Known:
    """What an original makes of data. outputs: its outputs' names."""

    original: str
    outputs: Sequence[str] | Sequence[int]
    before: ForgottenBefore

    def refuse_chance(self, name: str, found: Predictions, *, alone: bool = False) -> None:
        """Raise Failure if the answers look like guessing. alone: there is no other set."""
        right, count = _right(found), len(found.labels)
        if not near_chance(right, count, len(self.outputs)):
            return
        remedy = "; if it knows them so poorly, show with --retain or --test that they do" * alone
        raise Failure(
            f"data and original do not seem to belong together: {self.original} has {right} of "
            f"{count} images of the {name} set right ({right / count:.2f}, and guessing gives "
            f"{1 / len(self.outputs):.2f}){self._pattern(found)}; {self._check}{remedy}"
        )

    def refuse_exchange(self, forgotten: Predictions, kept: Predictions) -> None:
        """Raise Failure if forgotten images are taken for a class that itself is not known.

        That is how exchanged classes look; a class that is poorly known is taken for one that is
        known.
        """
        if not near_chance(_right(forgotten), len(forgotten.labels), len(self.outputs)):
            return
        taken_for, _ = _commonest(forgotten.logits.argmax(1))
        other = part(kept, kept.labels == taken_for)
        if near_chance(_right(other), len(other.labels), len(self.outputs)):
            raise Failure(
                f"data and original do not seem to belong together: {self.original} takes "
                f"forgotten images for {self.outputs[taken_for]!r}, and has {_right(other)} of "
                f"{len(other.labels)} images of {self.outputs[taken_for]!r} right"
                f"{self._pattern(forgotten)}; {self._check}"
            )

    @property
    def _check(self) -> str:
        """What to look at."""
        if not self.before.requests:
            return _CHECK
        told = ", ".join(f"{each.words} ({each.method})" for each in self.before.requests)
        return f"{_CHECK}, and whether forgetting {told} left a model that knows anything"

    def _pattern(self, found: Predictions) -> str:
        """What the wrong answers have in common, if anything."""
        answers, labels = found.logits.argmax(1), found.labels
        offset, share = _commonest(answers - labels)
        if offset and share >= _ALIKE and len(labels.unique()) > 1:
            return f"; {share:.0%} of its answers are the label {offset:+d}"
        answer, share = _commonest(answers)
        if share >= _ALIKE:
            return f"; {share:.0%} of its answers are {self.outputs[answer]!r}"
        return ""


def _by_class(forget: Predictions, classes: Sequence[int]) -> list[Predictions]:
    if not classes:
        return [forget]
    return [part(forget, forget.labels == label) for label in classes]


def _right(found: Predictions) -> int:
    return int((found.logits.argmax(1) == found.labels).sum())


def _commonest(values: Tensor) -> tuple[int, float]:
    """The commonest value, and its share."""
    found, counts = torch.unique(values, return_counts=True)
    return int(found[counts.argmax()]), float(counts.max()) / len(values)


def _at_most(right: int, count: int, rate: float) -> float:
    """The probability of at most so many right answers at this rate, of the binomial."""
    return sum(
        math.comb(count, hits) * rate**hits * (1 - rate) ** (count - hits)
        for hits in range(right + 1)
    )
