"""The information difference index: its two ends, its definition, and a masked digits network."""

import math

import numpy as np
import pytest
from accelerate import Accelerator
from small_problem import request, trained_convnet

from benchmark_adapters.baselines.logit_mask import LogitMask
from benchmark_adapters.baselines.retrain import Retrain
from benchmark_adapters.metrics.idi import (
    information_difference,
    information_difference_index,
    layer_information,
)
from benchmark_adapters.metrics.mutual_information import Critic, membership_information
from suli_plugin import evaluate, run


def test_it_is_the_sum_over_layers_of_what_is_more_than_retrains():
    assert information_difference((0.5, 0.9, 0.2), (0.4, 0.6, 0.7)) == pytest.approx(0.4)
    found = information_difference_index((0.5, 0.7), (0.6, 0.9), (0.4, 0.6))
    assert found == pytest.approx((0.1 + 0.1) / (0.2 + 0.3))


def test_retrain_is_0_the_original_1_and_without_a_difference_nothing_is_told():
    original, retrained = (0.9, 0.8), (0.5, 0.9)
    assert information_difference_index(retrained, original, retrained) == 0
    assert information_difference_index(original, original, retrained) == 1
    assert information_difference_index((0.1, 0.1), original, retrained) == 0
    assert math.isnan(information_difference_index(original, (0.1, 0.1), retrained))


def test_each_layer_has_its_own_information():
    draw = np.random.default_rng(0)
    forget = [draw.normal(2, 1, (30, 4)), draw.normal(0, 1, (30, 2))]
    retain = [draw.normal(0, 1, (50, 4)), draw.normal(0, 1, (50, 2))]
    critic = Critic(steps=10)
    found = layer_information(forget, retain, critic=critic, seed=3)
    assert found == tuple(
        membership_information(*pair, critic=critic, seed=3)
        for pair in zip(forget, retain, strict=True)
    )
    assert found[0] > 0.3 > found[1]


def test_a_mask_removes_nothing_and_retraining_does():
    original, asked = trained_convnet(), request("class-wise")

    def bits(model):
        forget, retain = (
            evaluate(model, images, Accelerator(), features=True).features
            for images in (asked.forget, asked.retain)
        )
        return layer_information([forget], [retain])

    one, other = (bits(run(Retrain(), original, asked, seed=seed).model) for seed in (1, 2))
    masked = bits(run(LogitMask(), original, asked).model)
    assert information_difference_index(masked, bits(original), one) == pytest.approx(1)
    assert information_difference_index(other, bits(original), one) < 0.5


def test_other_layers_are_refused():
    with pytest.raises(ValueError, match="the same layers of both models, got 1 and 2"):
        information_difference((0.5,), (0.5, 0.5))
    with pytest.raises(ValueError, match="got 0 and 0"):
        information_difference((), ())
    with pytest.raises(ValueError, match="the same layers of both sets, got 1 and 0"):
        layer_information([np.ones((9, 2))], [])
