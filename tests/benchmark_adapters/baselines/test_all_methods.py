"""What holds for every method alike: linear cost, sets read in batches, bf16."""

import weakref
from dataclasses import replace

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, GradientState
from short_methods import our_methods, short

from suli_plugin import ImageSet, run
from suli_plugin.evaluation import evaluate
from suli_plugin.testing.problem import SEED, Problem

PAIRS = [(cls, scope) for cls in our_methods() for scope in cls.needs]
ALL = pytest.mark.parametrize(
    ("cls", "scope"), PAIRS, ids=[f"{cls.name}-{scope}" for cls, scope in PAIRS]
)
# One evaluation pass reads so many images at once.
AT_ONCE = 500
# Layers of a fixed size, the whole forget set evaluated after each: as published.
QUADRATIC = {"bn_drift"}
# Published: the whole reference set evaluated after each forgotten sample, and noise that is meant
# for 50,000 samples, after which nothing is left of a network of a hundred.
WITHOUT = {
    "l_codec": {"max_drop": None, "epsilon": None, "perturbations": 10, "max_units": 1},
}


def in_few_steps(cls, **caps):
    return replace(short(cls(), **caps), **WITHOUT.get(cls.name, {}))


def total(passes):
    return sum(sum(kinds.values()) for kinds in passes.values())


@ALL
def test_cost_grows_with_the_sets_and_no_set_is_held(cls, scope, monkeypatch):
    method = in_few_steps(cls, epochs=1, iterations=2, sweeps=1)
    # Sets of many batches; one that takes a sample after the other needs no more of them.
    copies = 4 if cls.name == "l_codec" else 20
    smaller, larger = (Problem(cls(), scope, copies=of) for of in (copies, 2 * copies))
    one = run(method, smaller.original, smaller.request)
    largest, alive = watched_reads(monkeypatch)
    two = run(method, larger.original, larger.request)
    if cls.name not in QUADRATIC:
        assert total(two.passes) <= 2.05 * total(one.passes) + AT_ONCE
    assert max(largest, default=0) <= AT_ONCE
    assert max(alive, default=0) <= 4 * AT_ONCE


def watched_reads(monkeypatch):
    """Lists that grow with each read: the images of it, and those still held by whoever read."""
    largest, alive, held = [], [], []
    batch = ImageSet.batch

    def counted(self, positions, *args, **options):
        made = batch(self, positions, *args, **options)
        held[:] = [reference for reference in held if reference() is not None]
        held.append(weakref.ref(made.images))
        largest.append(len(positions))
        alive.append(sum(len(image) for image in (each() for each in held) if image is not None))
        return made

    monkeypatch.setattr(ImageSet, "batch", counted)
    return largest, alive


def fresh_state():
    """Accelerate keeps one state a process, precision included."""
    AcceleratorState._reset_state(True)
    GradientState._reset_state()


@pytest.fixture
def bf16():
    fresh_state()
    yield Accelerator(mixed_precision="bf16")
    fresh_state()


@ALL
def test_it_runs_in_bf16_and_its_weights_stay_float32(cls, scope, bf16):
    problem = Problem(cls(), scope)
    result = run(in_few_steps(cls), problem.original, problem.request, accelerator=bf16, seed=SEED)
    fresh_state()
    exact = Problem(cls(), scope).run(in_few_steps(cls))
    for key, value in result.model.state_dict().items():
        assert value.dtype == exact.model.state_dict()[key].dtype
        assert bool(torch.isfinite(value.double()).all())
    assert result.passes == exact.passes or result.stop_reason != exact.stop_reason
    images = ImageSet.of_tensors(problem.retain.images, problem.retain.labels)
    half, whole = (
        evaluate(model, images, Accelerator()).accuracy() for model in (result.model, exact.model)
    )
    assert abs(half - whole) <= 0.25
