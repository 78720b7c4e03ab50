"""Of all methods, which wait for the device more often the more steps they take, and why."""

from collections import Counter
from dataclasses import replace
from functools import cache

import pytest
import torch
from device_stand_in import device_stand_in
from short_methods import our_methods
from small_problem import recorded, request, trained_convnet

from benchmark_adapters.baselines.gkt import Gkt
from benchmark_adapters.baselines.ugradsl import UGradSL
from suli_plugin import run
from suli_plugin.request import TRAINING_RECORDS

# Whose next step depends on what the device has computed, so that the host can't go on alone.
MAY_WAIT = {
    "ugradsl": "the smoothing rates of a step come of features of the model as it is then",
    "ugradsl_plus": "the smoothing rates of a step come of features of the model as it is then",
    "gkt": "how many images pass the gate decides whether there is a step, and its shape",
    "l_codec": "which unit is chosen next depends on how much those before it explain",
}
# How many of what costs time, and of steps, be they a model's or an attack's.
FEW = {
    "epochs": 1, "forget_epochs": 1, "max_epochs": 1, "noise_images": 6, "copies": 2,
    "samples_per_class": 4, "class_images": 8, "adversarial_images": 1, "draws": 2,
    "code_size": 4, "perturbations": 20, "layers": 2,
}  # fmt: skip
STEPS = {"iterations": 2, "attack_steps": 2, "inner_steps": 2, "max_units": 1}
FORGET, RETAIN = 12, 36


def sized(method, times):
    """The method in a few steps of each kind, or in so many times as many."""
    fields = method.hyperparameters()
    steps = {name: count * times for name, count in STEPS.items() if name in fields}
    sizes = {name: FORGET // times for name in fields if name.endswith("batch_size")}
    return replace(method, **{k: v for k, v in FEW.items() if k in fields}, **steps, **sizes)


def takes_more_steps_if_asked(cls):
    """Not so where there are none, or those of a recipe that comes with the request."""
    return sized(cls(), 1) != sized(cls(), 3)


@cache
def problem(scope, with_records):
    original, asked = recorded(scope) if with_records else (trained_convnet(), request(scope))
    few = {"forget": FORGET, "retain": RETAIN, "reference": RETAIN}
    return original, replace(
        asked,
        **{name: getattr(asked, name).subset(torch.arange(size)) for name, size in few.items()},
    )


def waits_of(method):
    scope = next(iter(method.needs))
    model, asked = problem(scope, bool(method.resources(scope) & set(TRAINING_RECORDS)))
    with device_stand_in() as waits:
        result = run(method, model, asked, seed=3)
    return Counter(waits), result


def more_waits(method, other):
    """Those of the other but for the ends of its rounds, and both numbers of steps."""
    (few, first), (many, last) = waits_of(method), waits_of(other)
    # The losses, and the accuracy where a stop rule asks.
    asked = last.history and last.history[-1].forget_accuracy is not None
    at_end = ["tolist (updates.py", *(["cpu (evaluation.py"] if asked else [])]
    rounds, found = len(last.history) - len(first.history), many - few
    for wait in [wait for wait in found if wait.partition(":")[0] in at_end]:
        found[wait] -= rounds
    return +found, first.steps, last.steps


@pytest.mark.parametrize(
    "cls", [*filter(takes_more_steps_if_asked, our_methods())], ids=lambda cls: cls.name
)
def test_a_method_waits_as_often_however_many_steps_it_takes(cls):
    found, few, many = more_waits(sized(cls(), 1), sized(cls(), 3))
    # Some move weights in other ways than by steps.
    assert many > few or not few
    assert bool(found) == (cls.name in MAY_WAIT), dict(found)


def test_what_may_wait_waits_no_more_than_it_has_to():
    fixed = UGradSL(alpha=-0.1)
    found, few, many = more_waits(sized(fixed, 1), sized(fixed, 3))
    assert many > few and not found
    rounds = sized(Gkt(), 1)
    found, few, many = more_waits(*(replace(rounds, student_steps=of) for of in (2, 6)))
    assert many == 3 * few - 4 and not found
