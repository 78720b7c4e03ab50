"""What a test draws is its own, whichever test runs before it or asks first for what is shared."""

import random

import numpy as np
import pytest
import torch
from seeds import seed_of
from small_problem import CPU, trained_convnet

from suli_plugin.randomness import seeded


def draws():
    return random.random(), float(np.random.rand()), float(torch.rand(()))


def drawn_by(config, name):
    with seeded(seed_of(config, name), CPU):
        return draws()


@pytest.fixture(scope="module")
def shared():
    return draws()


@pytest.mark.parametrize("turn", [1, 2])
def test_a_test_draws_from_the_seed_of_its_name(request, turn):
    expected = drawn_by(request.config, request.node.nodeid)
    assert request.node.nodeid.endswith(f"[{turn}]") and draws() == expected


@pytest.mark.parametrize("turn", [1, 2])
def test_what_is_shared_is_made_of_one_draw_and_leaves_the_tests_own_alone(request, turn):
    expected = drawn_by(request.config, request.node.nodeid)
    found = request.getfixturevalue("shared")
    assert found == drawn_by(request.config, "tests/test_seeds.py::shared::0")
    trained_convnet(seed=100 + turn, dropout=0.5)
    assert draws() == expected


def test_two_names_have_two_seeds(request):
    assert seed_of(request.config, "one") != seed_of(request.config, "other")
