"""SSD: weights that matter far more to the forget set than to all images shrink."""

import copy
from dataclasses import replace

import pytest
import torch
from characteristic import characteristic
from hypothesis import given, settings
from hypothesis import strategies as st
from importance_order import in_order
from small_problem import request, trained_convnet
from torch.nn.functional import cross_entropy

from benchmark_adapters.baselines import dampening
from benchmark_adapters.baselines.dampening import selected
from benchmark_adapters.baselines.ssd import SSD
from benchmark_adapters.benchmarks.digits import digits_parts
from suli_plugin import run

SCOPES = pytest.mark.parametrize("scope", ["class-wise", "instance-wise"])


def importances(model, images, scope, batch_size):
    """The mean over batches of squared gradients, one backward pass after another."""
    judged, (pixels, labels) = copy.deepcopy(model).eval(), in_order(images, scope)
    total, count = [torch.zeros_like(p) for p in judged.parameters()], 0
    for start in range(0, len(labels), batch_size):
        judged.zero_grad()
        part = slice(start, start + batch_size)
        cross_entropy(judged(pixels[part]), labels[part]).backward()
        total = [t + p.grad**2 for t, p in zip(total, judged.parameters(), strict=True)]
        count += 1
    return [each / count for each in total]


def transcribed(method, original, wanted):
    """What the published equations leave of the original's weights."""
    train, scope = digits_parts().train, wanted.scope
    forget = importances(original, wanted.forget, scope, method.batch_size)
    whole = importances(original, train, scope, method.batch_size)
    left = []
    for weight, i_f, i_d in zip(original.parameters(), forget, whole, strict=True):
        shrunk = weight * torch.minimum(method.dampening * i_d / i_f, torch.ones(()))
        left.append(torch.where(i_f > method.alpha * i_d, shrunk, weight).detach())
    return left


@SCOPES
@pytest.mark.parametrize(
    "method", [SSD(), SSD(alpha=2.0, dampening=0.5, batch_size=32), SSD(alpha=3.0, batch_size=8)]
)
def test_weights_are_those_of_a_plain_transcription(scope, method):
    original, wanted = trained_convnet(), request(scope)
    after = run(method, original, wanted)
    for expected, weight in zip(
        transcribed(method, original, wanted), after.model.parameters(), strict=True
    ):
        torch.testing.assert_close(weight, expected, rtol=1e-4, atol=1e-6)
    for name, buffer in original.named_buffers():
        assert torch.equal(after.model.get_buffer(name), buffer)


@characteristic(lambda patch: patch.setattr(dampening, "selected", lambda i_f, i_d, alpha: i_f > 0))
def test_weights_that_matter_as_much_to_all_images_stay_bitwise():
    original, wanted = trained_convnet(), request("class-wise")
    after = run(SSD(alpha=3.0, dampening=0.5), original, wanted).model
    forget = importances(original, wanted.forget, "class-wise", 64)
    whole = importances(original, digits_parts().train, "class-wise", 64)
    moved = kept = 0
    for before, now, i_f, i_d in zip(
        original.parameters(), after.parameters(), forget, whole, strict=True
    ):
        # Rounding may decide either way at the threshold itself.
        common, own = i_f < 2.99 * i_d, i_f > 3.01 * i_d
        assert torch.equal(now[common], before[common])
        assert bool((now[own].abs() < before[own].abs()).all())
        moved, kept = moved + int(own.sum()), kept + int(common.sum())
    assert moved > 50 and kept > 500


IMPORTANCES = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=20)


@given(pairs=IMPORTANCES, alpha=st.floats(0, 20), scale=st.integers(-20, 20))
def test_the_selection_does_not_depend_on_a_common_scale(pairs, alpha, scale):
    forget, whole = torch.tensor(pairs, dtype=torch.float32).T
    factor = 2.0**scale
    here = selected(forget, whole, alpha)
    assert torch.equal(here, selected(factor * forget, factor * whole, alpha))
    assert not bool(here[forget == 0].any())
    assert not bool(selected(forget, whole, 1e30)[whole > 0].any())


@settings(max_examples=12)
@given(alpha=st.sampled_from([0.0, 0.5, 2.0, 9.0]), dampening=st.floats(0, 4))
def test_no_weight_grows_or_turns(alpha, dampening):
    original = trained_convnet()
    after = run(SSD(alpha=alpha, dampening=dampening), original, request("instance-wise")).model
    for before, now in zip(original.parameters(), after.parameters(), strict=True):
        assert bool((now.abs() <= before.abs()).all()) and bool((now * before >= 0).all())


def unchanged(result, original):
    state = original.state_dict()
    return all(torch.equal(value, state[key]) for key, value in result.model.state_dict().items())


def test_nothing_is_dampened_beyond_all_ratios_or_by_equal_importances():
    original, wanted = trained_convnet(), request("instance-wise")
    alone = run(SSD(alpha=1e12), original, wanted)
    assert unchanged(alone, original) and alone.notes["dampened"] == 0
    # Both sets the same images: every ratio is 1, and lambda 1 leaves what alpha 0.5 selects.
    train = digits_parts().train
    same = replace(wanted, forget=train, retain=train)
    result = run(SSD(alpha=0.5, batch_size=len(train) * 2), original, same)
    for before, now in zip(original.parameters(), result.model.parameters(), strict=True):
        # Gradients that cancel in a batch this large are mostly rounding.
        torch.testing.assert_close(now, before, rtol=1e-3, atol=1e-4)
    assert result.notes["dampened"] > 0.9


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SULI_CACHE", str(tmp_path / "cache"))
    return lambda: sorted((tmp_path / "cache").glob("importances-*.safetensors"))


def test_the_training_sets_importances_are_computed_once_whatever_is_forgotten(own_cache):
    original = trained_convnet()
    requests = [request("class-wise", label=3), request("class-wise", label=5)]
    first, second = (run(SSD(), original, wanted) for wanted in requests)
    (kept,) = own_cache()
    read = run(SSD(), original, requests[1])
    assert read.passes == second.passes and read.notes == second.notes != first.notes
    kept.unlink()
    fresh = run(SSD(), original, requests[1])
    for key, value in fresh.model.state_dict().items():
        assert torch.equal(value, read.model.state_dict()[key])
        assert torch.equal(value, second.model.state_dict()[key])
    sizes = {name: len(getattr(requests[1], name)) for name in ("forget", "retain")}
    counted = {"forget": 2 * sizes["forget"], "retain": sizes["retain"]}
    assert read.passes == {"forward": counted, "backward": counted}


def test_what_decides_importances_has_its_own_file(own_cache):
    original, wanted = trained_convnet(), request("class-wise")
    other = copy.deepcopy(original)
    with torch.no_grad():
        other[0].weight[0, 0, 0, 0] += 1e-3
    run(SSD(), original, wanted)
    for different in (
        lambda: run(SSD(), other, wanted),
        lambda: run(SSD(batch_size=32), original, wanted),
        lambda: run(SSD(), original, request("instance-wise")),
        lambda: run(SSD(), original, replace(wanted, retain=wanted.retain.subset(range(100)))),
    ):
        before = len(own_cache())
        different()
        assert len(own_cache()) == before + 1
    run(SSD(alpha=2.0, dampening=0.1), original, wanted)
    assert len(own_cache()) == 5


def test_presets():
    faces, official = SSD.preset("faces", "class-wise"), SSD.preset("official", "instance-wise")
    assert (faces.alpha, faces.dampening) == (50.0, 0.1)
    assert (official.alpha, official.dampening, official.batch_size) == (10.0, 1.0, 128)
    assert SSD.preset("single_images", "class-wise").batch_size == 1
