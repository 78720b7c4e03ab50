"""POUR-D: features of forget images approach those without the forgotten rows of the head."""

import pytest
import torch
from characteristic import characteristic
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from small_problem import request, request_of_two_classes, tensors, trained_convnet
from torch import nn

from benchmark_adapters.baselines import pour
from benchmark_adapters.baselines.head_projection import HeadProjection
from benchmark_adapters.baselines.pour import Pour, projected_features
from suli_plugin import ForgetRequest, ImageSet, run

WHOLE = {"epochs": 1, "batch_size": 1000}


def test_a_step_is_adams_on_the_squared_distance_from_the_projected_features():
    wanted, by_hand = request("class-wise"), trained_convnet()
    images, _ = tensors(wanted.forget)
    encoder, row = by_hand[:-1], by_hand[-1].weight[3].detach()
    with torch.no_grad():
        features = encoder(images)
        target = features - torch.outer(features @ row, row) / row.square().sum()
    optimizer = torch.optim.Adam(encoder.parameters(), lr=0.01)
    for _ in range(2):
        optimizer.zero_grad()
        ((encoder(images) - target) ** 2).sum(1).mean().backward()
        optimizer.step()
    ours = run(Pour(epochs=2, batch_size=1000, lr=0.01), trained_convnet(), wanted)
    for one, other in zip(ours.model.parameters(), by_hand.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@characteristic(
    lambda patch: patch.setattr(pour, "projected_features", lambda features, head, rows: features)
)
def test_forget_images_come_to_be_answered_as_by_the_closed_form():
    for wanted in (request("class-wise"), request_of_two_classes()):
        images, _ = tensors(wanted.forget)
        ours = run(Pour(lr=3e-3, epochs=60), trained_convnet(), wanted)
        closed = run(HeadProjection(), trained_convnet(), wanted).model(images)
        # Not to 0: features behind a ReLU are never negative, projected ones may be.
        far = (trained_convnet()(images) - closed).square().mean()
        assert (ours.model(images) - closed).square().mean() < 0.15 * far
        assert ours.history[-1].loss < 0.3 * ours.history[0].loss


@hypothesis_settings(max_examples=20)
@given(seed=st.integers(0, 10_000), rows=st.sets(st.integers(0, 4), min_size=1, max_size=4))
def test_projected_features_are_blind_to_the_forgotten_rows_and_stay_projected(seed, rows):
    draw = torch.Generator().manual_seed(seed)
    head, rows = nn.Linear(7, 5), sorted(rows)
    with torch.no_grad():
        head.weight.copy_(torch.randn(5, 7, generator=draw))
    features = torch.randn(6, 7, generator=draw)
    made = projected_features(features, head, rows)
    zero = torch.zeros(6, len(rows))
    torch.testing.assert_close(made @ head.weight[rows].T, zero, rtol=0, atol=1e-4)
    torch.testing.assert_close(projected_features(made, head, rows), made, rtol=0, atol=1e-5)
    # What was taken is of the rows' span alone.
    taken = features - made
    span = head.weight[rows].detach()
    back = torch.linalg.lstsq(span.T, taken.T).solution
    torch.testing.assert_close(span.T @ back, taken.T, rtol=0, atol=1e-3)


def test_the_head_stays_bitwise_and_the_encoder_moves():
    model = run(Pour(**WHOLE), trained_convnet(), request("class-wise")).model
    start = trained_convnet()
    for one, other in zip(model[-1].parameters(), start[-1].parameters(), strict=True):
        assert torch.equal(one, other) and one.requires_grad
    assert all(
        not torch.equal(one, other)
        for one, other in zip(model[:-1].parameters(), start[:-1].parameters(), strict=True)
    )


def test_targets_are_of_the_image_itself_whatever_view_is_trained_on():
    forget = request("class-wise").forget
    flipped = ImageSet(
        forget._store, mean=(0.3055,), std=(0.3756,), augment=lambda x, _: x.flip(-1)
    ).subset(forget._rows)
    images, _ = tensors(forget)
    encoder, head = trained_convnet()[:-1], trained_convnet()[-1]
    with torch.no_grad():
        target = projected_features(encoder(images), head, [3])
        expected = (encoder(images.flip(-1)) - target).square().sum(1).mean()
    result = run(
        Pour(**WHOLE), trained_convnet(), ForgetRequest(forget=flipped, forget_classes=(3,))
    )
    assert result.history[0].loss == pytest.approx(float(expected), rel=1e-4)


def test_how_much_is_projected_out_is_noted_and_more_is_of_a_class_forgotten_earlier():
    forget = request("class-wise").forget

    def share(**earlier):
        asked = ForgetRequest(forget=forget, forget_classes=(3,), **earlier)
        return run(Pour(**WHOLE), trained_convnet(), asked).notes["projected_out"]

    assert 0 < share() < share(forgotten_before=(7,)) < 1


def test_a_head_that_takes_other_features_is_refused():
    class Late(nn.Module):
        """The layer defined last runs first."""

        def __init__(self):
            super().__init__()
            self.body = trained_convnet()
            self.early = nn.Linear(8, 8)

        def forward(self, images):
            return self.body(self.early(images))

    with pytest.raises(ValueError, match="takes 8 of them and the one that runs last gets 64"):
        run(Pour(), Late(), request("class-wise"))
