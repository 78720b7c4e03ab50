"""The conformance suite: does an unlearner keep the contract?

    from suli_plugin.testing import parametrize_unlearners

    @parametrize_unlearners([MyUnlearner()])
    def test_my_unlearner(unlearner, check):
        check(unlearner)

`check_unlearner(MyUnlearner())` does the same without pytest. A rule that a method cannot keep is
declared, with the reason, in its `expected_failures`. The suite runs in seconds on a CPU, on
images and a network of its own; it says nothing about how well a method forgets.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.utils.data import Dataset

from suli_plugin.runner import Unlearned, run
from suli_plugin.unlearner import (
    IMAGE_RESOURCES,
    RESOURCES,
    SCOPES,
    ForgetRequest,
    Resource,
    Scope,
    Unlearner,
)

Check = Callable[[Unlearner], None]
SEED = 7


class ConformanceError(AssertionError):
    """A rule of the contract is broken; the message states the rule and the cure."""


def check_unlearner(unlearner: Unlearner) -> None:
    """Run every check. Raises ConformanceError for the first rule that is broken."""
    for _, check in checks():
        check(unlearner)


def checks() -> Iterator[tuple[str, Check]]:
    """All checks with their names; a check of both scopes skips one that is not supported."""
    for rule in (_declaration_is_valid, _hyperparameters_are_json, _search_space_is_valid):
        yield rule.__name__[1:], _respecting_expectations(rule)
    for scoped in _SCOPED:
        yield scoped.__name__[1:], _respecting_expectations(_in_every_scope(scoped))


def parametrize_unlearners(unlearners: Sequence[Unlearner]) -> Any:
    """A pytest decorator: the test gets `unlearner` and `check`, once for every pair."""
    import pytest

    pairs = [
        pytest.param(unlearner, check, id=f"{unlearner.name}-{name}")
        for unlearner in unlearners
        for name, check in checks()
    ]
    return pytest.mark.parametrize(("unlearner", "check"), pairs)


# --- the problem -----------------------------------------------------------------------------


class Spy(Dataset[tuple[Tensor, int]]):
    """A dataset that knows whether it was read, and raises if it must not be."""

    def __init__(self, images: Tensor, labels: Tensor, name: str, allowed: bool) -> None:
        self.images, self.labels = images, labels
        self.name, self.allowed = name, allowed
        self.reads = 0

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, position: int) -> tuple[Tensor, int]:
        if not self.allowed:
            raise ConformanceError(f"the {self.name} set was read although it is not declared")
        self.reads += 1
        return self.images[position], int(self.labels[position])


class Problem:
    """Four classes of 8x8 images, a network with BatchNorm of both kinds and dropout, spies."""

    def __init__(self, unlearner: Unlearner, scope: Scope) -> None:
        draw = torch.Generator().manual_seed(0)
        allowed = unlearner.resources(scope)
        self.fresh_models = 0
        self.original = self._network(draw)
        classes = (1,) if scope == "class-wise" else ()
        labels = torch.full((33,), 1) if classes else torch.arange(33) % 4
        self.forget = self._spy(labels, "forget", allowed, draw)
        others = torch.tensor([0, 2, 3]) if classes else torch.arange(4)
        self.retain = self._spy(others.repeat(16), "retain", allowed, draw)
        self.reference = self._spy(torch.arange(24) % 4, "reference", allowed, draw)
        self.request = ForgetRequest(
            forget=self.forget,
            retain=self.retain,
            reference=self.reference,
            fresh_model=self._fresh,
            training_log=_NoLog() if "training_log" in allowed else None,
            forget_classes=classes,
        )

    def run(self, unlearner: Unlearner, accelerator: Accelerator | None = None) -> Unlearned:
        """Unlearn with the fixed seed."""
        return run(unlearner, self.original, self.request, accelerator=accelerator, seed=SEED)

    def _fresh(self) -> nn.Module:
        self.fresh_models += 1
        return self._network(torch.Generator().manual_seed(int(torch.randint(2**31, ()))))

    @staticmethod
    def _spy(labels: Tensor, name: str, allowed: frozenset[Resource], draw: torch.Generator) -> Spy:
        centres = torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(1))
        noise = torch.rand(len(labels), 3, 8, 8, generator=draw)
        return Spy((centres[labels] + noise) / 2, labels, name, name in allowed)

    @staticmethod
    def _network(draw: torch.Generator) -> nn.Module:
        network = nn.Sequential(
            nn.Conv2d(3, 6, 3, bias=False),
            nn.BatchNorm2d(6),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Linear(24, 12),
            nn.BatchNorm1d(12),
            nn.Dropout(0.1),
            nn.Linear(12, 4),
        )
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.copy_(torch.rand(parameter.shape, generator=draw) - 0.3)
        return network.eval()


class _NoLog:
    def updates(self) -> Iterator[tuple[tuple[int, ...], dict[str, Tensor]]]:
        return iter(())


# --- the rules -------------------------------------------------------------------------------


def _declaration_is_valid(unlearner: Unlearner) -> None:
    cls = type(unlearner)
    _rule(cls.name.isidentifier() and cls.name.islower(), "`name` is a lower-case identifier")
    _rule(bool(cls.paper), "`paper` cites the source")
    _rule(bool(cls.needs), "`needs` names at least one scope")
    for scope, needed in cls.needs.items():
        _rule(scope in SCOPES, f"`needs` has scopes of {SCOPES}, got {scope!r}")
        _rule(set(needed) <= set(RESOURCES), f"`needs` has resources of {RESOURCES}, got {needed}")
        for preset in cls.presets():
            _rule(isinstance(cls.preset(preset, scope), cls), f"preset {preset} makes a {cls.name}")
    _rule(all(_has_default(f) for f in dataclasses.fields(unlearner)), "every field has a default")


def _hyperparameters_are_json(unlearner: Unlearner) -> None:
    _rule(
        dataclasses.is_dataclass(unlearner) and type(unlearner).__dataclass_params__.frozen,  # type: ignore[attr-defined]  # dataclass internals
        "an unlearner is a frozen dataclass",
    )
    values = unlearner.hyperparameters()
    again = type(unlearner)(**json.loads(json.dumps(values, allow_nan=False)))
    _rule(again == unlearner, "the fields survive JSON; use numbers, strings, booleans, tuples")


def _search_space_is_valid(unlearner: Unlearner) -> None:
    for name, values in type(unlearner).search_space.items():
        _rule(name in unlearner.hyperparameters(), f"`search_space` has {name!r}, a field")
        different = {json.dumps(value) for value in values}
        _rule(len(different) == len(values) > 1, f"{name} has two or more values, each once")
        for made in _with_each(unlearner, name, values):
            _hyperparameters_are_json(made)


def _with_each(unlearner: Unlearner, name: str, values: Sequence[Any]) -> Iterator[Unlearner]:
    """The method with each value, as tuning makes it; none where the field is switched off."""
    if getattr(unlearner, name) is None and None not in values:
        return
    for value in values:
        try:
            made = dataclasses.replace(unlearner, **{name: value})
        except (TypeError, ValueError) as error:
            raise ConformanceError(f"every value to try fits its field: {error}") from error
        kept = getattr(made, name)
        _rule(kept == value, f"{name} keeps the value to try, {value!r}, but became {kept!r}")
        yield made


def _original_stays_bit_identical(unlearner: Unlearner, scope: Scope) -> None:
    problem = Problem(unlearner, scope)
    before = copy.deepcopy(problem.original.state_dict())
    problem.run(unlearner)
    changed = _differences(before, problem.original.state_dict())
    _rule(not changed, f"the original stays as it is, but {changed} changed; work on the copy")


def _state_keeps_its_form(unlearner: Unlearner, scope: Scope) -> None:
    problem = Problem(unlearner, scope)
    before = problem.original.state_dict()
    after = problem.run(unlearner).model.state_dict()
    _rule(list(after) == list(before), "the unlearned model has the original's state keys")
    for key, value in after.items():
        same = value.shape == before[key].shape and value.dtype == before[key].dtype
        _rule(same, f"{key} keeps its shape and dtype")
        _rule(bool(torch.isfinite(value.double()).all()), f"{key} stays finite")


def _same_seed_gives_same_weights(unlearner: Unlearner, scope: Scope) -> None:
    first = Problem(unlearner, scope).run(unlearner).model.state_dict()
    _move_global_random_state()
    second = Problem(unlearner, scope).run(unlearner).model.state_dict()
    changed = _differences(first, second)
    _rule(
        not changed,
        f"two runs with seed {SEED} differ in {changed}; draw from session.generator "
        f"or the seeded global generators",
    )


def _global_random_state_is_untouched(unlearner: Unlearner, scope: Scope) -> None:
    _move_global_random_state()
    problem = Problem(unlearner, scope)
    before = (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state())  # type: ignore[index]  # the legacy state is a tuple
    problem.run(unlearner)
    _rule(random.getstate() == before[0], "`random` goes on as before")
    _rule(np.random.get_state()[1].tolist() == before[1], "NumPy's generator goes on as before")  # type: ignore[index]  # the same
    _rule(torch.equal(torch.get_rng_state(), before[2]), "torch's generator goes on as before")


def _reads_what_it_declares_and_nothing_else(unlearner: Unlearner, scope: Scope) -> None:
    problem = Problem(unlearner, scope)
    result = problem.run(unlearner)
    declared = unlearner.resources(scope)
    counted = {kind for passes in result.passes.values() for kind in passes if passes[kind]}
    for name in IMAGE_RESOURCES:
        if name in declared:
            _rule(name in counted, f"{name!r} is declared, so it is used; drop it from `needs`")
        else:
            _rule(getattr(problem, name).reads == 0, f"{name!r} is not declared, so it is not read")
    made = problem.fresh_models > 0
    _rule(made == ("fresh_model" in declared), "`fresh_model` is used exactly if declared")


def _no_accelerator_is_created(unlearner: Unlearner, scope: Scope) -> None:
    accelerator = Accelerator()
    with _counted_accelerators() as created:
        Problem(unlearner, scope).run(unlearner, accelerator)
    _rule(not created, "a method creates no Accelerator; use session.accelerator")


def _last_batch_of_one_works(unlearner: Unlearner, scope: Scope) -> None:
    # 33 images to forget, 48 or 64 to retain: batches of 16 leave one image at the end.
    small = {
        field.name: 16
        for field in dataclasses.fields(unlearner)
        if field.name in ("batch_size", "layer_size") and getattr(unlearner, field.name)
    }
    problem = Problem(unlearner, scope)
    problem.retain.images = problem.retain.images[:33]
    problem.retain.labels = problem.retain.labels[:33]
    problem.run(dataclasses.replace(unlearner, **small))


def _frozen_parameters_stay(unlearner: Unlearner, scope: Scope) -> None:
    problem = Problem(unlearner, scope)
    for parameter in problem.original[0].parameters():  # type: ignore[index]  # a Sequential
        parameter.requires_grad_(False)
    before = problem.original[0].weight.clone()  # type: ignore[index]  # a Sequential
    after = problem.run(unlearner).model.state_dict()["0.weight"]
    _rule(torch.equal(before, after), "parameters with requires_grad=False stay as they are")


def _zero_steps_change_nothing(unlearner: Unlearner, scope: Scope) -> None:
    nothing = type(unlearner).zero_steps
    if nothing is None:
        return
    problem = Problem(unlearner, scope)
    idle = dataclasses.replace(unlearner, **nothing)
    changed = _differences(problem.original.state_dict(), problem.run(idle).model.state_dict())
    _rule(not changed, f"{nothing} leaves the model as it is, not {changed}")


_SCOPED = (
    _original_stays_bit_identical,
    _state_keeps_its_form,
    _same_seed_gives_same_weights,
    _global_random_state_is_untouched,
    _reads_what_it_declares_and_nothing_else,
    _no_accelerator_is_created,
    _last_batch_of_one_works,
    _frozen_parameters_stay,
    _zero_steps_change_nothing,
)


# --- how rules are run -----------------------------------------------------------------------


def _in_every_scope(check: Callable[[Unlearner, Scope], None]) -> Check:
    def both(unlearner: Unlearner) -> None:
        for scope in type(unlearner).needs:
            check(unlearner, scope)

    both.__name__ = check.__name__
    return both


def _respecting_expectations(check: Check) -> Check:
    """A declared failure must happen; one that no longer does must be taken back."""
    name = check.__name__[1:]

    def respecting(unlearner: Unlearner) -> None:
        reason = type(unlearner).expected_failures.get(name)
        if reason is None:
            check(unlearner)
            return
        try:
            check(unlearner)
        except ConformanceError:
            return
        raise ConformanceError(
            f"{unlearner.name} keeps {name!r} although expected_failures says {reason!r}; remove it"
        )

    return respecting


def _rule(holds: bool, message: str) -> None:
    if not holds:
        raise ConformanceError(message)


def _has_default(field: dataclasses.Field[Any]) -> bool:
    missing = dataclasses.MISSING
    return field.default is not missing or field.default_factory is not missing


def _differences(one: dict[str, Tensor], other: dict[str, Tensor]) -> list[str]:
    return [key for key in one if not torch.equal(one[key], other[key])]


def _move_global_random_state() -> None:
    random.random()
    np.random.rand()
    torch.rand(3)


@contextmanager
def _counted_accelerators() -> Iterator[list[Any]]:
    created: list[Any] = []
    initialise = Accelerator.__init__

    def counted(self: Accelerator, *args: Any, **options: Any) -> None:
        created.append(self)
        initialise(self, *args, **options)

    Accelerator.__init__ = counted
    try:
        yield created
    finally:
        Accelerator.__init__ = initialise
