"""Every registered unlearner, with every preset, keeps the contract; and the suite can fail."""

import dataclasses
import math
from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from accelerate import Accelerator
from short_methods import our_methods, short

from suli_plugin.plugins import registry
from suli_plugin.testing import ConformanceError, check_unlearner, parametrize_unlearners
from suli_plugin.unlearner import Unlearner

REGISTERED = [short(cls()) for cls in registry().unlearners.values()]
BOTH = {"class-wise": frozenset({"forget"}), "instance-wise": frozenset({"forget"})}


@parametrize_unlearners(REGISTERED)
def test_registered_unlearners_keep_the_contract(unlearner, check):
    check(unlearner)


# Presets that are the same for both scopes are checked once.
PRESETS = dict.fromkeys(
    short(cls.preset(name, scope))
    for cls in registry().unlearners.values()
    for name in cls.presets()
    for scope in cls.needs
)


@parametrize_unlearners(list(PRESETS))
def test_presets_keep_the_contract(unlearner, check):
    check(unlearner)


@dataclass(frozen=True, kw_only=True)
class Honest(Unlearner):
    """Halves the last layer; the planted violations below each break one rule."""

    name: ClassVar[str] = "planted"
    paper: ClassVar[str] = "a test"
    needs: ClassVar[dict] = BOTH
    search_space: ClassVar[dict] = {"factor": (0.25, 0.5)}
    factor: float = 0.5

    def unlearn(self, model, session):
        session.predict(model, session.forget)
        with torch.no_grad():
            model[-1].weight.mul_(self.factor)
        return model


class ReadsTooMuch(Honest):
    def unlearn(self, model, session):
        session.predict(model, session.retain)
        return model


class DeclaresTooMuch(Honest):
    needs: ClassVar[dict] = {"class-wise": frozenset({"forget", "retain"})}


class Unseeded(Honest):
    def unlearn(self, model, session):
        session.predict(model, session.forget)
        with torch.no_grad():
            model[-1].weight.add_(torch.rand((), generator=_UNSEEDED))
        return model


class CreatesAccelerator(Honest):
    def unlearn(self, model, session):
        Accelerator()
        return super().unlearn(model, session)


class LosesABuffer(Honest):
    def unlearn(self, model, session):
        session.predict(model, session.forget)
        model[1] = torch.nn.Identity()
        return model


class GoesInfinite(Honest):
    def unlearn(self, model, session):
        session.predict(model, session.forget)
        with torch.no_grad():
            model[-1].weight.fill_(float("inf"))
        return model


class MovesFrozen(Honest):
    def unlearn(self, model, session):
        session.predict(model, session.forget)
        with torch.no_grad():
            model[0].weight.add_(1)
        return model


class MovesAtZeroSteps(Honest):
    zero_steps: ClassVar[dict] = {"factor": 0.9}


class TakesBackNoFailure(Honest):
    expected_failures: ClassVar[dict] = {"frozen_parameters_stay": "it once moved them"}


class SearchesWhatItHasNot(Honest):
    search_space: ClassVar[dict] = {"rate": (0.1, 1.0)}


class SearchesOneValue(Honest):
    search_space: ClassVar[dict] = {"factor": (0.5,)}


class SearchesAValueTwice(Honest):
    search_space: ClassVar[dict] = {"factor": (0.5, 0.5)}


class SearchesAWrongValue(Honest):
    search_space: ClassVar[dict] = {"factor": (0.5, "half")}


class BadScope(Honest):
    needs: ClassVar[dict] = {"everything": frozenset({"forget"})}


_UNSEEDED = torch.Generator()


@pytest.mark.parametrize(
    ("planted", "rule"),
    [
        (ReadsTooMuch, "does not declare"),
        (DeclaresTooMuch, "drop it from `needs`"),
        (Unseeded, "differ in"),
        (CreatesAccelerator, "creates no Accelerator"),
        (LosesABuffer, "state keys"),
        (GoesInfinite, "stays finite"),
        (MovesFrozen, "requires_grad=False stay"),
        (MovesAtZeroSteps, "leaves the model as it is"),
        (TakesBackNoFailure, "remove it"),
        (SearchesWhatItHasNot, "`search_space` has 'rate', a field"),
        (SearchesOneValue, "factor has two or more values"),
        (SearchesAValueTwice, "each once"),
        (SearchesAWrongValue, "every value to try fits its field: planted.factor must be float"),
        (BadScope, "scopes of"),
    ],
)
def test_a_planted_violation_is_caught(planted, rule):
    with pytest.raises((ConformanceError, ValueError), match=rule):
        check_unlearner(planted())


def test_an_honest_unlearner_passes():
    check_unlearner(Honest())


# Fewer values than trials: what there is to choose is tried whole.
FEW_VALUES = {"linear_filtration"}
# Nothing is chosen: they leave the model alone, or repeat the original's own training.
UNTUNED = {"original", "retrain", "retrain_held_out"}


def test_every_method_that_is_tuned_has_a_search_space_of_one_budget():
    """So that each can have the same number of trials; references and controls have none."""
    sizes = {
        cls.name: math.prod(len(values) for values in cls.search_space.values())
        for cls in our_methods()
    }
    controls = {cls.name for cls in our_methods() if cls.control}
    assert {"bn_drift", "logit_mask"} < controls
    assert {name for name, size in sizes.items() if size == 1} == UNTUNED | controls
    tuned = sizes.keys() - UNTUNED - controls
    assert {name for name in tuned if sizes[name] < 30} == FEW_VALUES


@pytest.mark.parametrize("cls", our_methods(), ids=lambda cls: cls.name)
def test_a_method_that_trains_searches_its_learning_rate_and_batch_norm(cls):
    fields = {field.name for field in dataclasses.fields(cls)}
    if cls.control or cls.name in UNTUNED:
        return
    assert {"lr", "batch_norm"} & fields <= cls.search_space.keys()
