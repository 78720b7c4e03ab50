"""SEMU: random labels learnt in the directions of each layer's forget gradient."""

import pytest
import torch
from characteristic import characteristic
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from small_problem import request, request_of_two_classes, tensors, trained_convnet
from torch import nn

from benchmark_adapters.baselines import semu
from benchmark_adapters.baselines.semu import Core, Semu
from suli_plugin import run

LAYERS = ("0.weight", "3.weight", "9.weight")
SEEDS = st.integers(0, 10_000)


def decomposed(gradient, explained):
    """U and V of a layer, by a loop over its matrices."""
    if gradient.dim() == 2:
        matrices = [gradient]
    else:
        matrices = [gradient[:, i].flatten(1) for i in range(gradient.shape[1])]
    parts, counts = [torch.linalg.svd(matrix.double()) for matrix in matrices], []
    for _, sizes, _ in parts:
        energy, count = 0.0, 0
        while energy < explained * float((sizes**2).sum()):
            energy += float(sizes[count] ** 2)
            count += 1
        counts.append(count)
    return [(u[:, : max(counts)].float(), v[: max(counts)].float()) for u, _, v in parts]


def test_steps_are_those_of_the_cores_trained_as_parameters(monkeypatch):
    wanted, model = request("instance-wise"), trained_convnet()
    images, labels = tensors(wanted.forget)
    wrong = (labels + 1) % 10
    monkeypatch.setattr(semu, "random_labels", lambda *_: wrong)
    start = {name: value.detach() for name, value in model.named_parameters()}
    nn.functional.cross_entropy(model(images), labels).backward()
    directions, cores = {}, {}
    for name in LAYERS:
        gradient, weight = model.get_parameter(name).grad, start[name]
        gradient = gradient - (gradient * weight).sum() / weight.norm() ** 2 * weight
        directions[name] = decomposed(gradient, 0.9)
        k = directions[name][0][0].shape[1]
        cores[name] = torch.zeros(len(directions[name]), k, k, requires_grad=True)

    def weight_of(name):
        pieces = [u @ r @ v for (u, v), r in zip(directions[name], cores[name], strict=True)]
        if start[name].dim() == 2:
            return start[name] + pieces[0]
        return start[name] + torch.stack(pieces, 1).view_as(start[name])

    optimizer = torch.optim.SGD(cores.values(), lr=0.1, momentum=0.9, weight_decay=0.01)
    for _ in range(3):
        weights = {name: weight_of(name) for name in LAYERS}
        logits = torch.func.functional_call(model, weights, (images,))
        optimizer.zero_grad()
        nn.functional.cross_entropy(logits, wrong).backward()
        optimizer.step()
    method = Semu(epochs=3, batch_size=1000, lr=0.1, weight_decay=0.01, explained=0.9, stop="never")
    result = run(method, trained_convnet(), wanted)
    assert result.notes["ranks"] == [core.shape[1] for core in cores.values()]
    for name in LAYERS:
        ours = result.model.get_parameter(name)
        assert not torch.equal(ours, start[name])
        torch.testing.assert_close(ours, weight_of(name), rtol=1e-4, atol=1e-5)


@characteristic(lambda patch: patch.setattr(Core, "project", lambda self, gradient: gradient))
@hypothesis_settings(max_examples=5)
@given(explained=st.floats(0.2, 0.8))
def test_each_layer_moves_within_its_core_alone(explained):
    method = Semu(epochs=2, batch_size=32, lr=0.05, explained=explained, stop="never")
    result = run(method, trained_convnet(), request("instance-wise"))
    start, moved = trained_convnet().state_dict(), result.model.state_dict()
    for name, rank in zip(LAYERS, result.notes["ranks"], strict=True):
        change = (moved[name] - start[name]).double()
        for matrix in change[None] if change.dim() == 2 else change.transpose(0, 1).flatten(2):
            sizes = torch.linalg.svdvals(matrix)
            # Beyond the rank there is what float32 leaves.
            assert bool((sizes[rank:] < 1e-6).all())
        assert change.abs().max() > 1e-4
    assert min(result.notes["ranks"][1:]) < 8


def test_all_but_weights_stays_bitwise():
    result = run(Semu(lr=0.1, stop="never"), trained_convnet(), request("class-wise"))
    start = trained_convnet().state_dict()
    kept = {
        key for key, value in result.model.state_dict().items() if torch.equal(value, start[key])
    }
    assert kept == start.keys() - set(LAYERS)
    assert all(parameter.requires_grad for parameter in result.model.parameters())


@given(seed=SEEDS, explained=st.floats(0.1, 1.0), convolution=st.booleans())
def test_a_core_explains_what_is_asked_and_projects_once(seed, explained, convolution):
    draw = torch.Generator().manual_seed(seed)
    shape = (5, 3, 2, 2) if convolution else (5, 4)
    gradient, other = (torch.randn(shape, generator=draw, dtype=torch.float64) for _ in range(2))
    core = Core(gradient, explained)
    kept = core.project(gradient)
    assert kept.square().sum() >= (explained - 1e-9) * gradient.square().sum()
    assert core.size == (3 if convolution else 1) * core.rank**2
    torch.testing.assert_close(core.project(core.project(other)), core.project(other))
    assert core.project(other).shape == other.shape


def test_a_gradient_of_nothing_needs_one_direction():
    gradient = torch.randn(6, 3, 3, 3, generator=torch.Generator().manual_seed(0))
    gradient[:, 1] = 0
    assert Core(gradient, 0.3).rank < 4
    assert Core(torch.zeros(4, 5), 0.95).rank == 1


@given(seed=SEEDS)
def test_what_lies_along_the_weights_is_left_out(seed):
    draw = torch.Generator().manual_seed(seed)
    gradient, weight = (torch.randn(4, 6, generator=draw) for _ in range(2))
    off = semu._off(gradient, weight)
    torch.testing.assert_close((off * weight).sum(), torch.zeros(()), rtol=0, atol=1e-4)
    torch.testing.assert_close(semu._off(3 * weight, weight), torch.zeros(4, 6), rtol=0, atol=1e-5)


def test_labels_are_drawn_anew_for_each_epoch_and_name_no_forgotten_class(monkeypatch):
    drawn, draw = [], semu.random_labels

    def kept(*arguments):
        drawn.append(draw(*arguments))
        return drawn[-1]

    monkeypatch.setattr(semu, "random_labels", kept)
    run(Semu(epochs=3, stop="never"), trained_convnet(), request_of_two_classes())
    assert len(drawn) == 3 and not torch.equal(drawn[0], drawn[1])
    assert not {3, 5} & set(torch.cat(drawn).tolist())


def test_it_forgets_a_class_at_a_rate_for_so_small_a_set():
    result = run(Semu(lr=0.1, epochs=30), trained_convnet(), request("class-wise"))
    assert result.history[-1].forget_accuracy < 0.3
    assert 0 < result.notes["trained_share"] < 1


@pytest.mark.parametrize("scope", ["class-wise", "instance-wise"])
def test_the_official_preset_has_the_readmes_values(scope):
    preset = Semu.preset("official", scope)
    assert (preset.lr, preset.momentum, preset.weight_decay) == (1e-5, 0.9, 5e-4)
    assert (preset.epochs, preset.batch_size, preset.explained) == (10, 256, 0.95)
    assert preset.off_weights and preset.stop == "never" and preset.batch_norm == "frozen"
