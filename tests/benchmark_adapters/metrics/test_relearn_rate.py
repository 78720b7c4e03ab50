"""The rate of relearning curves: in the middle of the budget, and harmless to retained images."""

import pytest
import torch
from accelerate import Accelerator
from small_problem import request, trained_convnet

from benchmark_adapters.baselines.retrain import Retrain
from benchmark_adapters.benchmarks.digits import digits_parts
from benchmark_adapters.metrics.relearn_curve import RelearnCurve, Relearning, few_shot_curve
from benchmark_adapters.metrics.relearn_rate import RATES, rate_of_few_shots, rate_of_retain_only
from suli_plugin import run

HOW = Relearning(checkpoints=(0, 1, 3, 7, 15), shots=3)


def curves(by_rate):
    """Made curves of each rate, and the settings that they were asked with."""
    asked = []

    def curve_at(how):
        asked.append(how)
        return RelearnCurve(HOW.checkpoints, by_rate[how.lr])

    return curve_at, asked


def test_half_of_the_accuracy_is_relearned_in_the_middle_of_the_doublings():
    # Half of .8 is passed at log2(1 + updates) = 3.5, 2.2 and 1: the middle is 2.
    slow, right, fast = (0, 0, 0, 0.3, 0.5), (0, 0, 0.35, 0.6, 1), (0, 0.4, 1, 1, 1)
    curve_at, asked = curves({0.1: fast, 0.001: slow, 0.01: right})
    found = rate_of_few_shots(curve_at, 0.8, HOW, rates=(0.1, 0.001, 0.01))
    assert found == Relearning(checkpoints=(0, 1, 3, 7, 15), shots=3, lr=0.01)
    assert [how.lr for how in asked] == [0.001, 0.01, 0.1]


def test_where_no_rate_relearns_half_it_is_the_largest_and_of_equals_the_smallest():
    never, at_start = (0.0,) * 5, (0.5, 1, 1, 1, 1)
    curve_at, _ = curves({0.1: never, 0.01: never})
    assert rate_of_few_shots(curve_at, 1.0, HOW, rates=(0.1, 0.01)).lr == 0.1
    curve_at, _ = curves({0.1: never, 0.01: at_start, 0.001: at_start})
    assert rate_of_few_shots(curve_at, 1.0, HOW, rates=(0.1, 0.01, 0.001)).lr == 0.001
    with pytest.raises(ValueError, match=r"accuracy in \(0, 1\], got 96"):
        rate_of_few_shots(curve_at, 96, HOW)


def test_retained_images_set_the_largest_rate_that_harms_none():
    harmful, harmless = (0.98, 0.9, 0.98, 0.98, 0.98), (0.98, 0.975, 0.98, 0.99, 0.99)
    curve_at, asked = curves({0.1: harmful, 0.01: harmless, 0.001: harmless})
    rates = (0.001, 0.1, 0.01)
    assert rate_of_retain_only(curve_at, HOW, rates=rates).lr == 0.01
    assert [how.lr for how in asked] == [0.1, 0.01]
    assert rate_of_retain_only(curve_at, HOW, rates=rates, tolerance=0.1).lr == 0.1
    assert rate_of_retain_only(curve_at, HOW, rates=rates, tolerance=0).lr == 0.001


def test_a_retrain_of_the_digits_is_halfway_in_the_budget():
    asked, test = request("class-wise"), digits_parts().test
    retrained = run(Retrain(), trained_convnet(), asked, seed=1).model
    watched = test.subset(torch.where(test.labels == 3)[0])

    def curve_at(how):
        return few_shot_curve(retrained, asked.forget, watched, Accelerator(), how)

    found = rate_of_few_shots(curve_at, 0.95, Relearning(), rates=(*RATES, 0.1, 1.0))
    first, *_, last = curve_at(found).accuracies
    assert first < 0.1 and last > 0.475 and found.lr == 0.1
