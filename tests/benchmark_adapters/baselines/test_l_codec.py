"""L-CODEC: the units that a sample's loss depends on take a Newton step away from it."""

import pytest
import torch
from characteristic import characteristic
from hypothesis import given
from hypothesis import strategies as st
from small_problem import convnet, request, tensors, trained_convnet
from torch import nn

from benchmark_adapters.baselines.l_codec import LCodec
from benchmark_adapters.baselines.network_units import flat, put, rows_of, trainable, unit_means
from benchmark_adapters.baselines.newton_removal import RankOne, removal_step
from benchmark_adapters.benchmarks.digits import digits_parts
from suli_plugin import ForgetRequest, run
from suli_plugin.training_records import EpochEnd, LastEpochs

QUIET = {"epsilon": None, "max_drop": None, "perturbations": 40}


def ends(model, seed=0):
    """Two points near the model, with the whole gradient at each, as training leaves them."""
    draw, images = torch.Generator().manual_seed(seed), digits_parts().train
    pixels, labels = tensors(images)
    made = []
    for _ in range(2):
        twin = trained_convnet()
        with torch.no_grad():
            for name, value in twin.named_parameters():
                value.copy_(model.get_parameter(name))
                value.add_(torch.randn(value.shape, generator=draw), alpha=1e-2)
        nn.functional.cross_entropy(twin(pixels), labels).backward()
        parameters = {name: value.detach() for name, value in twin.named_parameters()}
        made.append(EpochEnd(parameters, {k: v.grad for k, v in twin.named_parameters()}))
    return LastEpochs(*made, count=len(images))


def asked(model, forgotten=(4,), **options):
    train = digits_parts().train
    return ForgetRequest(
        forget=train.subset(torch.tensor(forgotten)), last_epochs=lambda: ends(model), **options
    )


def unlearned(model, forgotten=(4,), seed=0, **fields):
    return run(LCodec(**{**QUIET, **fields}), model, asked(model, forgotten), seed=seed)


SCALES = st.floats(0.2, 3)


@characteristic(lambda patch: patch.setattr(RankOne, "between", none_at_all))
@given(st.integers(0, 50), st.lists(SCALES, min_size=4, max_size=9))
def test_a_quadratic_loss_is_left_exactly_where_leaving_the_sample_out_leads(seed, scales):
    """Samples along one direction: Hessians of rank one, the minimum known in closed form."""
    draw = torch.Generator().manual_seed(seed)
    direction = torch.randn(5, generator=draw).double()
    inputs = torch.tensor(scales).double().unsqueeze(1) * direction
    targets = torch.randn(len(scales), generator=draw).double()
    at_minimum = torch.linalg.pinv(inputs) @ targets

    def gradient(weights, of=slice(None)):
        x = inputs[of]
        return (x @ weights - targets[of]) @ x / len(x)

    one, other = torch.randn(2, 5, generator=draw).double()
    step = removal_step(
        gradient(at_minimum, [0]),
        RankOne.between(gradient(one) - gradient(other), one - other, "secant"),
        RankOne.between(gradient(one, [0]) - gradient(other, [0]), one - other, "secant"),
        count=len(scales),
        damping=1e-9,
    )
    left_out = torch.linalg.pinv(inputs[1:]) @ targets[1:]
    torch.testing.assert_close(at_minimum + step, left_out, rtol=1e-4, atol=1e-4)


def none_at_all(gradient, weight, curvature):
    return RankOne(torch.zeros_like(gradient).double(), 0.0)


@given(st.integers(0, 50), st.sampled_from(["secant", "outer"]))
def test_the_step_is_that_of_the_whole_matrix(seed, curvature):
    draw = torch.Generator().manual_seed(seed)
    g, dg, dw, dgz, dwz = torch.randn(5, 7, generator=draw)
    dw, dwz = dg * 0.3 + 0.1 * dw, dgz * 2 + 0.1 * dwz
    count, damping = 50, 0.5
    whole = [matrix(*each, curvature) for each in ((dg, dw), (dgz, dwz))]
    hessian = (count * whole[0] - whole[1]) / (count - 1) + damping * torch.eye(7).double()
    expected = torch.linalg.solve(hessian, g.double()) / (count - 1)
    step = removal_step(
        g, RankOne.between(dg, dw, curvature), RankOne.between(dgz, dwz, curvature),
        count=count, damping=damping,
    )  # fmt: skip
    torch.testing.assert_close(step, expected, rtol=1e-6, atol=1e-8)


def matrix(dg, dw, curvature):
    dg, dw = dg.double(), dw.double()
    length = dg @ dw if curvature == "secant" else dw.abs().sum()
    return torch.outer(dg, dg) / length


def test_negative_curvature_is_none():
    flat_ = RankOne.between(torch.tensor([1.0, 0.0]), torch.tensor([-1.0, 0.0]), "secant")
    assert flat_.scale == 0


def test_without_a_unit_the_model_is_the_same():
    model = trained_convnet()
    after = unlearned(model, max_units=0, epsilon=0.1).model.state_dict()
    assert all(torch.equal(after[name], value) for name, value in model.state_dict().items())


def test_a_removal_is_a_plain_transcription_of_the_published_steps():
    """Copies, selection, gradients, the whole matrix, with torch alone."""
    model, labels = trained_convnet(), digits_parts().train.labels
    pixels = tensors(digits_parts().train)[0]
    image, label, count = pixels[4:5], labels[4:5], len(labels)
    draw = torch.Generator().manual_seed(0)
    copies = image + 0.1 * torch.randn(40, *image.shape[1:], generator=draw)
    outputs = {}
    layers = {name: model.get_submodule(name) for name in ("0", "3", "9")}
    hooks = [
        layer.register_forward_hook(lambda _, __, out, name=name: outputs.update({name: out}))
        for name, layer in layers.items()
    ]
    with torch.no_grad():
        losses = nn.functional.cross_entropy(model(copies), label.expand(40), reduction="none")
    [hook.remove() for hook in hooks]
    columns = [(name, row) for name in outputs for row in range(outputs[name].shape[1])]
    values = torch.cat(
        [outputs[n].flatten(2).mean(2) if n != "9" else outputs[n] for n in outputs], 1
    )
    chosen = [columns[column] for column in plain_foci(values, losses, 3)]
    expected = plain_removal(model, chosen, image, label, count)
    ours = unlearned(model, max_units=3)
    assert ours.notes["units_a_sample"] == len(chosen) > 0
    for name, value in ours.model.state_dict().items():
        torch.testing.assert_close(value, expected[name], rtol=1e-4, atol=1e-6)
    moved = ours.model.state_dict()["3.weight"] != model.state_dict()["3.weight"]
    rows = {row for name, row in chosen if name == "3"}
    assert set(torch.where(moved.flatten(1).any(1))[0].tolist()) <= rows


def plain_foci(values, target, limit):
    chosen = []
    while len(chosen) < limit:
        left = [c for c in range(values.shape[1]) if c not in chosen]
        scores = {c: plain_score(values, target, chosen, c) for c in left}
        best = max(scores, key=scores.get)
        if scores[best] <= 0:
            break
        chosen.append(best)
    return chosen


def plain_score(values, target, chosen, column):
    count = len(target)
    rank = (target.unsqueeze(0) <= target.unsqueeze(1)).sum(1).double()
    above = (target.unsqueeze(0) >= target.unsqueeze(1)).sum(1).double()

    def near(columns):
        apart = torch.cdist(
            values[:, columns], values[:, columns], compute_mode="donot_use_mm_for_euclid_dist"
        )
        apart.fill_diagonal_(torch.inf)
        return torch.minimum(rank, rank[apart.argmin(1)])

    found = near([*chosen, column])
    if not chosen:
        return float((count * found - above**2).sum() / (above * (count - above)).sum())
    before = near(chosen)
    return float((found - before).sum() / (rank - before).sum())


def plain_removal(model, chosen, image, label, count):
    """w + (H + lambda I)^-1 g / (n - 1) on the chosen rows, the matrix written out."""

    def select(values):
        parts = []
        for name, row in chosen:
            parts += [values[f"{name}.weight"][row].flatten()]
            parts += [values[f"{name}.bias"][row].flatten()] if f"{name}.bias" in values else []
        return torch.cat(parts).double()

    def gradients(of):
        of.zero_grad()
        nn.functional.cross_entropy(of(image), label).backward()
        return {name: value.grad.clone() for name, value in of.named_parameters()}

    first = gradients(model)
    probe = trained_convnet()
    with torch.no_grad():
        for name, value in probe.named_parameters():
            value.sub_(1e-3 * first[name])
    second, parameters = gradients(probe), dict(model.named_parameters())
    left = ends(model)
    of_all = matrix(
        select(left.last.gradients) - select(left.before_last.gradients),
        select(left.last.parameters) - select(left.before_last.parameters), "secant",
    )  # fmt: skip
    moved = select(dict(probe.named_parameters())) - select(parameters)
    of_sample = positive(select(second) - select(first), moved)
    hessian = (count * of_all - of_sample) / (count - 1)
    hessian += 0.01 * torch.eye(len(hessian)).double()
    step = torch.linalg.solve(hessian, select(first)) / (count - 1)
    state = {name: value.detach().clone() for name, value in model.state_dict().items()}
    for name, row in chosen:
        for own in ("weight", "bias"):
            if f"{name}.{own}" in state:
                target = state[f"{name}.{own}"]
                size = target[row].numel()
                target[row] += step[:size].view_as(target[row]).float()
                step = step[size:]
    return state


def positive(dg, dw):
    return matrix(dg, dw, "secant") if dg @ dw > 0 else torch.zeros(len(dg), len(dg)).double()


def test_the_noise_has_the_certificate_s_deviation():
    assert LCodec().deviation(50_000) == pytest.approx(0.00621, abs=1e-5)
    assert LCodec(epsilon=None).deviation(359) == 0
    model = trained_convnet()
    quiet = unlearned(model, max_units=2).model.state_dict()
    noisy = unlearned(model, max_units=2, epsilon=1e5).model.state_dict()
    apart = torch.cat([(noisy[name] - quiet[name]).flatten() for name in quiet])
    deviation = LCodec(epsilon=1e5).deviation(len(digits_parts().train))
    assert 0.5 < float(apart[apart != 0].std()) / deviation < 1.5


def test_a_removal_that_costs_too_much_is_undone():
    model = trained_convnet()
    wanted = asked(model, (4, 9), reference=digits_parts().reference)
    # At n = 359 the certificate's noise is 120 on each weight.
    result = run(LCodec(perturbations=40), model, wanted)
    assert result.notes["reverted"] == 2 and result.notes["deviation"] > 100
    after = result.model.state_dict()
    assert all(torch.equal(after[name], value) for name, value in model.state_dict().items())


def test_frozen_weights_are_no_units():
    model = trained_convnet()
    model[0].weight.requires_grad_(False)
    with unit_means(model) as seen:
        model(tensors(digits_parts().train)[0][:3])
    assert list(seen) == ["3", "9"] and seen["3"].shape == (3, 16)


def test_a_model_without_units_is_refused_in_one_line():
    model = trained_convnet().requires_grad_(False)
    with pytest.raises(ValueError, match="units are rows of a trainable"):
        unlearned(model)


def test_units_of_tokens_are_averaged_over_them():
    network, tokens = nn.Sequential(nn.Linear(4, 5)), torch.randn(2, 7, 4)
    with unit_means(network) as seen:
        outputs = network(tokens)
    torch.testing.assert_close(seen["0"], outputs.mean(1))


def test_rows_are_read_and_written_in_one_order():
    weights = trainable(convnet())
    rows = rows_of([("9", 3), ("0", 1), ("9", 7)], weights)
    assert rows == {"9.weight": [3, 7], "9.bias": [3, 7], "0.weight": [1]}
    new = torch.arange(float(2 * 64 + 2 + 9))
    put(weights, rows, new)
    assert torch.equal(flat(weights, rows), new) and torch.equal(
        weights["9.bias"][[3, 7]], new[128:130]
    )


def test_copies_are_counted_and_the_reference_only_if_it_is_read():
    model = trained_convnet()
    result = unlearned(model, (4, 9), max_units=2)
    assert result.passes["forward"] == {"forget": 4, "synthetic": 80}
    assert LCodec(max_drop=None).resources("instance-wise") == {"forget", "last_epochs"}
    assert result.notes["units_a_sample"] <= 2


def test_the_official_preset_has_the_script_s_values():
    preset = LCodec.preset("official", "instance-wise")
    values = (preset.perturbations, preset.damping, preset.epsilon, preset.delta, preset.curvature)
    assert values == (1000, 0.01, 0.1, 0.01, "outer")


def test_it_asks_for_the_training():
    with pytest.raises(ValueError, match="l_codec needs the original's training, 'last_epochs'"):
        run(LCodec(), trained_convnet(), request("instance-wise"))
