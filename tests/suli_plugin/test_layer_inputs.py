"""Second moments of what layers get to see."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from suli_plugin.layer_inputs import input_moments


def images(seed, *shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def squared_by(moment, weight):
    """The sum of squared outputs, as the moment of the inputs tells it."""
    rows = weight.detach().flatten(1)
    return (rows @ moment * rows).sum()


@settings(max_examples=25)
@given(
    seed=st.integers(0, 10_000),
    kernel=st.sampled_from([1, 3, (3, 2)]),
    stride=st.integers(1, 2),
    padding=st.sampled_from([0, 1, (0, 2), "same", "valid"]),
    dilation=st.integers(1, 2),
    mode=st.sampled_from(["zeros", "reflect", "circular"]),
)
def test_a_convolutions_outputs_are_told_by_its_moments(
    seed, kernel, stride, padding, dilation, mode
):
    layer = nn.Conv2d(
        3, 4, kernel, stride=1 if padding == "same" else stride, padding=padding,
        dilation=dilation, padding_mode=mode, bias=False,
    )  # fmt: skip
    given_images = images(seed, 2, 3, 8, 7)
    with input_moments(layer) as moments:
        outputs = layer(given_images)
    expected = squared_by(moments[layer.weight], layer.weight)
    torch.testing.assert_close(outputs.detach().square().sum(), expected, rtol=1e-4, atol=1e-4)


def test_patches_of_all_groups_count_alike():
    layer = nn.Conv2d(6, 3, 3, padding=1, groups=3, bias=False)
    nn.init.constant_(layer.weight, 0.5)
    with input_moments(layer) as moments:
        outputs = layer(images(0, 2, 6, 5, 5))
    # All groups have the same filter, so each output is told by the sum.
    expected = squared_by(moments[layer.weight], layer.weight[:1])
    torch.testing.assert_close(outputs.detach().square().sum(), expected, rtol=1e-4, atol=1e-4)


def test_passes_and_layers_that_share_a_weight_add_up():
    first, second = nn.Linear(4, 4), nn.Linear(4, 4)
    second.weight = first.weight
    model, tokens = nn.Sequential(first, second), images(1, 2, 5, 4)
    with input_moments(model) as moments:
        for part in tokens:
            model(part)
    seen = torch.cat([tokens.flatten(0, 1), first(tokens).flatten(0, 1)]).detach()
    torch.testing.assert_close(moments[first.weight], seen.T @ seen, rtol=1e-4, atol=1e-4)
    assert len(moments) == 1


def test_they_are_float32_whatever_the_passes_are():
    layer, given_images = nn.Linear(4, 2), images(2, 100, 4)
    with input_moments(layer) as moments, torch.autocast("cpu", torch.bfloat16):
        layer(given_images)
    torch.testing.assert_close(moments[layer.weight], given_images.T @ given_images)


@pytest.mark.parametrize("fails", [False, True])
def test_nothing_is_added_after_the_block(fails):
    layer = nn.Linear(4, 2)
    try:
        with input_moments(layer) as moments:
            if fails:
                raise KeyError
    except KeyError:
        pass
    layer(torch.ones(1, 4))
    assert moments == {}
