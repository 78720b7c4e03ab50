"""Relearning curves against a loop written by hand, and where a curve lies between two others."""

import copy
import math

import pytest
import torch
from accelerate import Accelerator
from small_problem import convnet, request, tensors, trained_convnet
from torch import nn

from benchmark_adapters.baselines.bn_drift import BatchNormDrift
from benchmark_adapters.benchmarks.digits import digits_parts
from benchmark_adapters.metrics.relearn_curve import (
    RelearnCurve,
    Relearning,
    area_between,
    few_shot_curve,
    retain_only_curve,
)
from suli_plugin import run

ASKED = request("class-wise")
TEST = digits_parts().test
WATCHED = TEST.subset(torch.where(TEST.labels == 3)[0])
HOW = Relearning(checkpoints=(0, 1, 3, 6), lr=0.01, seed=3)


def forgetful(**options):
    """The trained model with a bias against class 3 that relearning has to undo."""
    model = trained_convnet(**options)
    with torch.no_grad():
        model[-1].bias[3] -= 12
    return model


def by_hand(model, batches, frozen):
    """Adam on these batches of images and labels; accuracy on class 3 after 0, 1, 3, 6 updates."""
    model = copy.deepcopy(model)
    optimizer, found = torch.optim.Adam(model.parameters(), lr=0.01), []
    images, labels = tensors(WATCHED)
    for update in range(7):
        model.eval()
        if update in (0, 1, 3, 6):
            found.append(float((model(images).argmax(1) == labels).double().mean()))
        model.train(not frozen)
        optimizer.zero_grad()
        seen, wanted = batches[min(update, 5)]
        nn.functional.cross_entropy(model(seen), wanted).backward()
        optimizer.step()
    return RelearnCurve((0, 1, 3, 6), tuple(found))


def everything(how):
    """Without a limit on the watched images, which are then all looked at."""
    return Relearning(**{**vars(how), "most_watched": len(WATCHED)})


def test_few_shots_are_one_batch_of_five_images_and_running_statistics():
    draw = torch.Generator().manual_seed(3)
    chosen = torch.randperm(len(ASKED.forget), generator=draw)[:5]
    images, labels = tensors(ASKED.forget)
    expected = by_hand(forgetful(), [(images[chosen], labels[chosen])] * 6, frozen=True)
    how = everything(HOW)
    found = few_shot_curve(forgetful(), ASKED.forget, WATCHED, Accelerator(), how)
    assert found.accuracies == pytest.approx(expected.accuracies)
    assert found.accuracies[0] < 0.1 and found.accuracies[-1] > 0.5


def test_retained_images_come_in_small_batches_and_move_the_statistics():
    draw = torch.Generator().manual_seed(3)
    order = torch.randperm(len(ASKED.retain), generator=draw).split(32)
    images, labels = tensors(ASKED.retain)
    batches = [(images[part], labels[part]) for part in order[:6]]
    drifted = run(BatchNormDrift(), trained_convnet(), ASKED).model
    expected = by_hand(drifted, batches, frozen=False)
    how = everything(HOW)
    found = retain_only_curve(drifted, ASKED.retain, WATCHED, Accelerator(), how)
    assert found.accuracies == pytest.approx(expected.accuracies)
    assert len(set(found.accuracies)) > 2


def test_each_forgotten_class_gives_its_shots():
    few = few_shot_curve(
        forgetful(), digits_parts().train, WATCHED, Accelerator(), HOW, forget_classes=(3,)
    )
    only = few_shot_curve(forgetful(), ASKED.forget, WATCHED, Accelerator(), HOW)
    assert few.accuracies[-1] > 0.5 < only.accuracies[-1]
    with pytest.raises(ValueError, match=r"images of each of the classes \(3, 5\)"):
        few_shot_curve(
            forgetful(), ASKED.forget, WATCHED, Accelerator(), HOW, forget_classes=(3, 5)
        )


def test_a_rate_of_next_to_nothing_leaves_the_curve_flat_and_few_images_are_watched():
    idle = Relearning(lr=1e-12, most_watched=7)
    for curve in (
        few_shot_curve(trained_convnet(), ASKED.forget, WATCHED, Accelerator(), idle),
        few_shot_curve(convnet(), ASKED.forget, WATCHED, Accelerator(), idle),
    ):
        assert len(set(curve.accuracies)) == 1 and curve.checkpoints == (0, 1, 2, 4, 8, 16)
        assert curve.accuracies[0] * 7 == pytest.approx(round(curve.accuracies[0] * 7))


def test_neither_the_model_nor_the_global_random_state_changes():
    model = forgetful(dropout=0.2).train()
    state = {name: value.clone() for name, value in model.state_dict().items()}
    before = torch.get_rng_state()
    few = [few_shot_curve(model, ASKED.forget, WATCHED, Accelerator(), HOW) for _ in range(2)]
    own = [retain_only_curve(model, ASKED.retain, WATCHED, Accelerator(), HOW) for _ in range(2)]
    assert few[0] == few[1] and own[0] == own[1]
    assert torch.equal(torch.get_rng_state(), before) and model.training
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


def curve(*accuracies):
    return RelearnCurve((0, 1, 3), accuracies)


def test_the_area_is_the_mean_height_over_doublings():
    assert curve(0.4, 0.4, 0.4).area() == pytest.approx(0.4)
    assert curve(0, 1, 1).area() == pytest.approx((0.5 + 1) / 2)
    assert RelearnCurve((0, 3), (0.0, 1.0)).area() == pytest.approx(0.5)


def test_a_curve_lies_between_retrains_and_the_original():
    original, retrained = curve(1, 1, 1), [curve(0, 0, 0.2), curve(0, 0, 0.6)]
    assert area_between(original, original, retrained) == 1
    assert area_between(curve(0, 0, 0.4), original, retrained) == pytest.approx(0)
    assert area_between(curve(0, 0, 0), original, retrained) < 0
    halfway = curve(0.5, 0.5, 0.7)
    assert area_between(halfway, original, retrained) == pytest.approx(0.5)
    assert math.isnan(area_between(halfway, curve(0, 0, 0.1), retrained))


def test_curves_that_cannot_be_compared_and_wrong_settings_are_refused():
    with pytest.raises(ValueError, match="got 0"):
        area_between(curve(0, 0, 0), curve(1, 1, 1), [])
    with pytest.raises(ValueError, match=r"at checkpoints \(0, 1, 3\), got 1 and"):
        area_between(curve(0, 0, 0), curve(1, 1, 1), [RelearnCurve((0, 1), (0.0, 0.0))])
    for wrong in ((0,), (1, 2), (0, 2, 2)):
        with pytest.raises(ValueError, match="two or more checkpoints rising from 0"):
            Relearning(checkpoints=wrong)
    with pytest.raises(ValueError, match="above 0"):
        Relearning(shots=0)
