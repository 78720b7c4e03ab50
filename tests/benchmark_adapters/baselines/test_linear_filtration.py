"""Linear filtration: what becomes of each class's mean logits, in each mode and width."""

import pytest
import torch
from characteristic import characteristic
from hypothesis import given, settings
from hypothesis import strategies as st
from small_problem import request, request_of_two_classes, tensors, trained_convnet
from torch import nn

from benchmark_adapters.baselines import linear_filtration
from benchmark_adapters.baselines.filtration_matrix import filtration_matrix
from benchmark_adapters.baselines.linear_filtration import LinearFiltration
from suli_plugin import ForgetRequest, run

SEED = 5
ESTIMATED = ["normalization", "randomization", "zeroing"]
KEPT = [0, 1, 2, 4, 6, 7, 8, 9]


def class_means(model, asked):
    """Row i: the mean logits of class i."""
    images, labels = (torch.cat(pair) for pair in zip(
        tensors(asked.forget), tensors(asked.retain), strict=True))  # fmt: skip
    with torch.no_grad():
        logits = model.eval()(images).double()
    return torch.stack([logits[labels == label].mean(0) for label in range(10)])


def drawn_means(size, seed):
    draw = torch.Generator().manual_seed(seed)
    return torch.randn((size, size), generator=draw, dtype=torch.float64)


def dropped_only(means, remaining, mode, generator):
    return torch.eye(len(means), dtype=means.dtype)[list(remaining)]


@settings(deadline=None, max_examples=20)
@given(st.sets(st.integers(0, 6), min_size=1, max_size=6), st.integers(0, 99))
def test_a_forgotten_class_looks_like_the_average_of_the_others(remaining, seed):
    """Normalisation: the shape of what is left of its mean logits, at the others' mean height."""
    means, rows = drawn_means(7, seed), sorted(remaining)
    filtered = filtration_matrix(means, rows, "normalization", None) @ means
    torch.testing.assert_close(filtered[:, rows], means[rows][:, rows], rtol=1e-6, atol=1e-6)
    height = means[rows][:, rows].mean()
    for label in set(range(7)) - remaining:
        left = means[rows, label]
        torch.testing.assert_close(
            filtered[:, label], left - left.mean() + height, rtol=1e-6, atol=1e-6
        )


@characteristic(lambda patch: patch.setattr(linear_filtration, "filtration_matrix", dropped_only))
def test_of_a_network_too_and_its_retained_mean_logits_stay():
    asked = request_of_two_classes()
    made = run(LinearFiltration(width="remaining"), trained_convnet(), asked, seed=SEED).model
    before, after = class_means(trained_convnet(), asked), class_means(made, asked)
    torch.testing.assert_close(after[KEPT], before[KEPT][:, KEPT], rtol=1e-4, atol=1e-4)
    height = before[KEPT][:, KEPT].mean()
    for label in (3, 5):
        left = before[label, KEPT]
        torch.testing.assert_close(after[label], left - left.mean() + height, rtol=1e-4, atol=1e-4)


@settings(deadline=None, max_examples=20)
@given(st.sampled_from(ESTIMATED), st.integers(0, 99), st.integers(0, 5))
def test_mean_logits_of_retained_classes_stay_and_zeroing_zeroes(mode, seed, label):
    means, rows = drawn_means(6, seed), [c for c in range(6) if c != label]
    draw = torch.Generator().manual_seed(seed)
    filtered = filtration_matrix(means, rows, mode, draw) @ means
    torch.testing.assert_close(filtered[:, rows], means[rows][:, rows], rtol=1e-6, atol=1e-6)
    again = torch.randn(5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    if mode != "normalization":
        wanted = again if mode == "randomization" else torch.zeros(5, dtype=torch.float64)
        torch.testing.assert_close(filtered[:, label], wanted, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("mode", [*ESTIMATED, "naive"])
@pytest.mark.parametrize("width", ["all", "remaining"])
def test_a_run_is_the_published_product(mode, width):
    asked, original = request_of_two_classes(), trained_convnet()
    method = LinearFiltration(mode=mode, width=width)
    ours = run(method, original, asked, seed=SEED)
    a = class_means(trained_convnet(), asked).T.numpy()
    b = a[KEPT].copy()
    target = b[:, KEPT].mean()
    draw = torch.Generator().manual_seed(SEED)
    for forgotten in (3, 5):
        if mode == "normalization":
            b[:, forgotten] += target - b[:, forgotten].mean()
        elif mode == "zeroing":
            b[:, forgotten] = 0
        else:
            b[:, forgotten] = torch.randn(8, generator=draw, dtype=torch.float64).numpy()
    f = torch.from_numpy(b) @ torch.from_numpy(a).inverse()
    if mode == "naive":
        f = torch.eye(10, dtype=torch.float64)[KEPT]
    weight = (f @ original[-1].weight.detach().double()).float()
    bias = (f @ original[-1].bias.detach().double()).float()
    head, rows = ours.model[-1], KEPT if width == "all" else list(range(8))
    torch.testing.assert_close(head.weight[rows], weight, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(head.bias[rows], bias, rtol=1e-4, atol=1e-5)
    assert len(head.weight) == (10 if width == "all" else 8)
    assert ours.notes == ({} if width == "all" else {"output_classes": KEPT})
    for one, other in zip(ours.model[:-1].parameters(), original[:-1].parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("mode", [*ESTIMATED, "naive"])
def test_forgotten_outputs_are_far_below_every_other(mode):
    asked = request("class-wise")
    result = run(LinearFiltration(mode=mode), trained_convnet(), asked)
    with torch.no_grad():
        logits = result.model(tensors(asked.forget)[0])
    assert float(logits[:, 3].max()) == -1e4 and bool((logits.softmax(1)[:, 3] == 0).all())
    assert result.passes["forward"] == (
        {} if mode == "naive" else {"forget": len(asked.forget), "retain": len(asked.retain)}
    )


def test_naive_is_the_original_without_the_logit():
    asked, original = request("class-wise"), trained_convnet()
    made = run(LinearFiltration(mode="naive", width="remaining"), original, asked).model
    images, _ = tensors(asked.retain)
    others = [0, 1, 2, *range(4, 10)]
    # Bit by bit the same weights; a sum of nine rows may be rounded otherwise than one of ten.
    for name, of in original.state_dict().items():
        last = name in ("9.weight", "9.bias")
        assert torch.equal(made.state_dict()[name], of[others] if last else of), name
    with torch.no_grad():
        torch.testing.assert_close(made(images), original(images)[:, others])
    assert made[-1].out_features == 9


def test_an_all_convolutional_network_keeps_its_retained_mean_logits():
    draw = torch.Generator().manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Conv2d(6, 4, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )  # fmt: skip
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=draw))
    images = torch.randn(4, 3, 8, 8, generator=draw).repeat(5, 1, 1, 1)
    images += torch.randn(20, 3, 8, 8, generator=draw)
    labels = torch.arange(4).repeat(5)
    rows = list(zip(images, labels.tolist(), strict=True))
    asked = ForgetRequest(
        forget=[row for row in rows if row[1] == 2],
        retain=[row for row in rows if row[1] != 2],
        forget_classes=(2,),
    )
    after = run(LinearFiltration(), model, asked).model
    with torch.no_grad():
        before, now = model(images), after(images)
    for label in (0, 1, 3):
        one, other = (logits[labels == label].mean(0)[[0, 1, 3]] for logits in (before, now))
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)
    assert not torch.allclose(before[labels == 2][:, [0, 1, 3]], now[labels == 2][:, [0, 1, 3]])


def test_classes_forgotten_earlier_have_no_column_and_their_outputs_go_too():
    whole = request_of_two_classes()
    of_three = torch.where(whole.forget.labels == 3)[0]
    asked = ForgetRequest(
        forget=whole.forget.subset(of_three), retain=whole.retain, forget_classes=(3,),
        forgotten_before=(5,),
    )  # fmt: skip
    made = run(LinearFiltration(width="remaining"), trained_convnet(), asked)
    assert made.notes["output_classes"] == KEPT
    means = class_means(trained_convnet(), whole)
    images, labels = tensors(whole.retain)
    with torch.no_grad():
        logits = made.model(images).double()
    torch.testing.assert_close(logits[labels == 4].mean(0), means[4, KEPT], rtol=1e-4, atol=1e-4)


class WithAnotherHead(nn.Module):
    """Its last layer is not what makes the logits."""

    def __init__(self):
        super().__init__()
        self.body, self.other = trained_convnet(), nn.Linear(3, 4)

    def forward(self, images):
        return self.body(images)


def test_a_layer_that_can_not_be_changed_is_refused():
    frozen, plain = trained_convnet(), trained_convnet()
    frozen[-1].weight.requires_grad_(False)
    plain[-1].bias = None
    for model, message in (
        (frozen, "that is frozen"),
        (plain, "needs a last layer with a bias"),
        (WithAnotherHead(), "has 4 outputs and the model 10 logits"),
    ):
        with pytest.raises(ValueError, match=message):
            run(LinearFiltration(), model, request("class-wise"))
    made = run(LinearFiltration(width="remaining"), plain, request("class-wise")).model
    assert made[-1].bias is None and len(made[-1].weight) == 9


def test_a_class_without_images_is_refused_and_so_are_means_that_depend_on_each_other():
    asked = request("class-wise")
    fewer = torch.where(asked.retain.labels != 7)[0]
    lacking = ForgetRequest(
        forget=asked.forget, retain=asked.retain.subset(fewer), forget_classes=(3,)
    )
    with pytest.raises(ValueError, match="none is of class 7"):
        run(LinearFiltration(), trained_convnet(), lacking)
    with pytest.raises(ValueError, match="do not depend on each other"):
        filtration_matrix(torch.ones(3, 3, dtype=torch.float64), [0, 1], "zeroing", None)


def test_the_official_preset_has_the_sources_width_and_says_what_it_breaks():
    preset = LinearFiltration.preset("official", "class-wise")
    assert (preset.mode, preset.width) == ("normalization", "remaining")
    assert preset.known_failures().keys() == {"state_keeps_its_form"}
    assert not LinearFiltration().known_failures()
