"""A method on requests that follow one another, beside the same method on everything at once."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from benchmark_adapters.grid.scored_case import ScoredCase
from benchmark_adapters.metrics.accuracy import accuracies, part
from benchmark_adapters.metrics.activation_distance import activation_distance
from benchmark_adapters.metrics.js_divergence import js_divergence
from benchmark_adapters.metrics.probabilities import probabilities
from benchmark_adapters.metrics.scoring import of_classes
from suli_plugin.evaluation import Predictions, evaluate
from suli_plugin.in_turn import joined
from suli_plugin.runner import run
from suli_plugin.unlearned import Unlearned
from suli_plugin.unlearner import Unlearner

Answers = dict[str, Predictions]
_SETS = ("forget", "retain", "test")


def is_in_turn(unlearner: Unlearner, scored: ScoredCase) -> bool:
    """Whether it is asked request after request; yardsticks and controls are what models are
    compared with in the end, and are asked once.
    """
    return bool(scored.case.turns) and not (unlearner.yardstick or unlearner.control)


def run_in_turn(unlearner: Unlearner, scored: ScoredCase) -> Unlearned:
    """The result of all requests; its notes have what was measured, under `sequence`.

    after_each: of each request, see `_after`. drift: how far the result's answers are from those
    of the same method that forgot everything at once, by set; at_once: that one's accuracies.
    The passes are those of the requests alone.
    """
    case, accelerator, seed = scored.case, scored.accelerator, scored.seed
    model, parts, after = case.original, [], []
    for number, turn in enumerate(case.turns, 1):
        unlearned = run(unlearner, model, case.request_of(turn), accelerator=accelerator, seed=seed)
        model = unlearned.model
        parts.append(unlearned.as_dict())
        answers = _answers(model, scored)
        after.append(_after(answers, scored, number))
    once = run(unlearner, case.original, case.request, accelerator=accelerator, seed=seed).model
    other = _answers(once, scored)
    result = joined(model, unlearner, parts)
    result.notes["sequence"] = {
        "after_each": after,
        "drift": {name: _drift(answers[name], other[name]) for name in _SETS},
        "at_once": accuracies(other["forget"], other["retain"], other["test"], case.forget_classes),
    }
    return result


def _answers(model: nn.Module, scored: ScoredCase) -> Answers:
    model = model.to(scored.accelerator.device)
    return {
        name: evaluate(model, scored.sets[name], scored.accelerator, channels_last=True)
        for name in _SETS
    }


def _after(answers: Answers, scored: ScoredCase, number: int) -> dict[str, Any]:
    """Accuracies after a request: on what it forgot, on what earlier ones did, on what is kept.

    Earlier ones and unseen images of forgotten classes are left out where there are none. Kept is
    what is kept in the end, so that requests can be compared.
    """
    turns, forget, test = scored.case.turns[:number], answers["forget"], answers["test"]
    sets = {"forget": part(forget, _mask(forget, [turns[-1].positions]))}
    sets["earlier"] = part(forget, _mask(forget, [turn.positions for turn in turns[:-1]]))
    sets["retain"], sets["test"] = answers["retain"], test
    classes = [label for turn in turns for label in turn.forget_classes]
    if classes:
        sets["test_forget"] = part(test, of_classes(test.labels, classes))
        sets["test_retain"] = part(test, ~of_classes(test.labels, scored.case.forget_classes))
    return {f"{name}_accuracy": of.accuracy() for name, of in sets.items() if len(of.labels)}


def _mask(forget: Predictions, positions: list[torch.Tensor]) -> torch.Tensor:
    mask = torch.zeros(len(forget.labels), dtype=torch.bool)
    for each in positions:
        mask[each] = True
    return mask


def _drift(one: Predictions, other: Predictions) -> dict[str, float]:
    """Distances of two models' answers; same_answers is the fraction of the same first choice."""
    ours, theirs = probabilities(one.logits), probabilities(other.logits)
    same = one.logits.argmax(1) == other.logits.argmax(1)
    return {
        "activation_distance": activation_distance(ours, theirs, norm="l2"),
        "js_divergence": js_divergence(ours, theirs, base=2),
        "same_answers": float(same.double().mean()),
    }
