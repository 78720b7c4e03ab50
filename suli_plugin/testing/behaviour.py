"""Rules for what a method does, tried on the small problem in every scope it supports."""

from __future__ import annotations

import copy
import dataclasses
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor

from suli_plugin.request import IMAGE_RESOURCES, Scope
from suli_plugin.testing.problem import SEED, Problem
from suli_plugin.testing.rule import rule
from suli_plugin.unlearner import Unlearner


def original_stays_bit_identical(unlearner: Unlearner, scope: Scope) -> None:
    """The model that was handed in is not touched."""
    problem = Problem(unlearner, scope)
    before = copy.deepcopy(problem.original.state_dict())
    problem.run(unlearner)
    changed = _differences(before, problem.original.state_dict())
    rule(not changed, f"the original stays as it is, but {changed} changed; work on the copy")


def state_keeps_its_form(unlearner: Unlearner, scope: Scope) -> None:
    """The unlearned model fits where the original was, or into the method's own skeleton."""
    problem = Problem(unlearner, scope)
    before = unlearner.skeleton(lambda: copy.deepcopy(problem.original)).state_dict()
    after = problem.run(unlearner).model.state_dict()
    rule(
        list(after) == list(before),
        "the unlearned model has the state keys of `skeleton`, the original's by default",
    )
    for key, value in after.items():
        same = value.shape == before[key].shape and value.dtype == before[key].dtype
        rule(same, f"{key} keeps its shape and dtype")
        rule(bool(torch.isfinite(value.double()).all()), f"{key} stays finite")


def same_seed_gives_same_weights(unlearner: Unlearner, scope: Scope) -> None:
    """Nothing is drawn but from the run's seed."""
    first = Problem(unlearner, scope).run(unlearner).model.state_dict()
    _move_global_random_state()
    second = Problem(unlearner, scope).run(unlearner).model.state_dict()
    changed = _differences(first, second)
    rule(
        not changed,
        f"two runs with seed {SEED} differ in {changed}; draw from session.generator "
        f"or the seeded global generators",
    )


def global_random_state_is_untouched(unlearner: Unlearner, scope: Scope) -> None:
    """Whoever called draws on as if nothing had been run."""
    _move_global_random_state()
    problem = Problem(unlearner, scope)
    before = (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state())  # type: ignore[index]  # the legacy state is a tuple
    problem.run(unlearner)
    rule(random.getstate() == before[0], "`random` goes on as before")
    rule(np.random.get_state()[1].tolist() == before[1], "NumPy's generator goes on as before")  # type: ignore[index]  # the same
    rule(torch.equal(torch.get_rng_state(), before[2]), "torch's generator goes on as before")


def reads_what_it_declares_and_nothing_else(unlearner: Unlearner, scope: Scope) -> None:
    """`needs` is the truth, in both directions."""
    problem = Problem(unlearner, scope)
    result = problem.run(unlearner)
    declared = unlearner.resources(scope)
    counted = {kind for passes in result.passes.values() for kind in passes if passes[kind]}
    for name in IMAGE_RESOURCES:
        if name in declared:
            rule(name in counted, f"{name!r} is declared, so it is used; drop it from `needs`")
        else:
            rule(getattr(problem, name).reads == 0, f"{name!r} is not declared, so it is not read")
    made = problem.fresh_models > 0
    rule(made == ("fresh_model" in declared), "`fresh_model` is used exactly if declared")


def no_accelerator_is_created(unlearner: Unlearner, scope: Scope) -> None:
    """Device, precision and processes are the caller's."""
    accelerator, problem = Accelerator(), Problem(unlearner, scope)
    with _counted_accelerators() as created:
        problem.run(unlearner, accelerator)
    rule(not created, "a method creates no Accelerator; use session.accelerator")


def last_batch_of_one_works(unlearner: Unlearner, scope: Scope) -> None:
    """BatchNorm takes no statistics from one value a channel."""
    # 33 images to forget, 48 or 64 to retain: batches of 16 leave one image at the end.
    small = {
        field.name: 16
        for field in dataclasses.fields(unlearner)
        if field.name in ("batch_size", "layer_size") and getattr(unlearner, field.name)
    }
    problem = Problem(unlearner, scope, retained=33)
    problem.run(dataclasses.replace(unlearner, **small))


def frozen_parameters_stay(unlearner: Unlearner, scope: Scope) -> None:
    """What the caller froze is not trained."""
    problem = Problem(unlearner, scope)
    for parameter in problem.original[0].parameters():  # type: ignore[index]  # a Sequential
        parameter.requires_grad_(False)
    before = problem.original[0].weight.clone()  # type: ignore[index]  # a Sequential
    after = problem.run(unlearner).model.state_dict().get("0.weight")
    same = after is not None and torch.equal(before, after)
    rule(same, "parameters with requires_grad=False stay as they are")


def zero_steps_change_nothing(unlearner: Unlearner, scope: Scope) -> None:
    """No step, no change."""
    nothing = type(unlearner).zero_steps
    if nothing is None:
        return
    problem = Problem(unlearner, scope)
    idle = dataclasses.replace(unlearner, **nothing)
    changed = _differences(problem.original.state_dict(), problem.run(idle).model.state_dict())
    rule(not changed, f"{nothing} leaves the model as it is, not {changed}")


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


SCOPED: Sequence[Callable[[Unlearner, Scope], None]] = (
    original_stays_bit_identical,
    state_keeps_its_form,
    same_seed_gives_same_weights,
    global_random_state_is_untouched,
    reads_what_it_declares_and_nothing_else,
    no_accelerator_is_created,
    last_batch_of_one_works,
    frozen_parameters_stay,
    zero_steps_change_nothing,
)
